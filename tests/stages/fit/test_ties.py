"""Which of equally good values published protocols take."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.stages.errors import ConfigError
from frostline.stages.fit.ties import TIES
from frostline.stages.heads import head_spec


def test_the_first_or_the_last_of_the_best() -> None:
    good = np.array([0.1, 0.5, 0.3, 0.5 - 1e-15, 0.2])
    assert (TIES["first"](good), TIES["last"](good)) == (1, 3)


def find_peak(good: np.ndarray) -> int:
    """CLIP_benchmark's search, in its own words."""

    def peak(idxs: list[int]) -> int:
        best_idx, max_acc = 0, 0.0
        for idx in idxs:
            if max_acc < good[idx]:
                best_idx, max_acc = idx, good[idx]
        return best_idx

    peak_idx, step_span = peak([0, 16, 32, 48, 64, 80, 96]), 8
    while step_span > 0:
        left, right = max(peak_idx - step_span, 0), min(peak_idx + step_span, 96)
        peak_idx = peak([left, peak_idx, right])
        step_span //= 2
    return peak_idx


@pytest.mark.parametrize("seed", range(50))
def test_from_coarse_to_fine_ends_where_clip_benchmark_ends(seed: int) -> None:
    rng = np.random.default_rng(seed)
    smooth = -np.abs(np.arange(97) - rng.integers(0, 97)) / 97 + 1 + 0.05 * rng.standard_normal(97)
    good = np.round(smooth, int(rng.integers(1, 4)))
    assert TIES["coarse-to-fine"](good) == find_peak(good)


def test_a_rule_for_ties_and_one_that_knows_none_are_an_error_together() -> None:
    with pytest.raises(ConfigError, match="ties 'first' with the rule 'stable', which has no ties"):
        head_spec("logreg", (0.1, 1.0), ties="first")
    assert head_spec("logreg", (0.1, 1.0), ties="first", rule="best").ties == "first"
    assert head_spec("logreg", (1.0,), ties="first").ties == ""  # nothing is chosen
