"""A head that is there: its record is read as an older version wrote it, or not taken at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.records.run import Fitted
from frostline.pipeline.run.run import extract, fit
from frostline.pipeline.settings import HeadSettings
from frostline.stages.records.sealed import sealed, unsealed
from support.pages import balanced, photographs


@pytest.fixture
def fitted(tmp_path: Path) -> Callable[[], Fitted]:
    """Fit the head, or take it from the cache."""
    table = photographs(tmp_path, balanced("ab", 12, 6))
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": tmp_path / "data", "dataset": f"csv:{table}"}
    settings = HeadSettings(**usual, head=("logreg",))
    extract(settings)
    return lambda: fit(settings)[0]


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    fields = unsealed((folder / "head.json").read_bytes())
    change(fields)
    (folder / "head.json").write_bytes(sealed(fields))


def test_the_selection_is_read_back_as_it_was(fitted: Callable[[], Fitted]) -> None:
    first, again = fitted(), fitted()
    assert not first.cached and again.cached
    assert again.selection == first.selection and len(first.selection.given) == 21


def test_fields_that_an_older_version_did_not_write_have_their_defaults(fitted: Callable[[], Fitted]) -> None:
    first = fitted()
    rewrite(first.folder, lambda fields: [fields["selection"].pop(n) for n in ("final_gap", "temperature", "seed")])
    again = fitted()
    assert again.cached and again.selection.value == first.selection.value
    assert (again.selection.final_gap, again.selection.temperature, again.selection.seed) == (None, None, 0)


def test_a_head_whose_selection_is_none_is_fitted_anew_and_it_is_said(
    fitted: Callable[[], Fitted], caplog: pytest.LogCaptureFixture
) -> None:
    first = fitted()
    rewrite(first.folder, lambda fields: fields.update(selection={"parameter": "C"}))
    again = fitted()
    assert not again.cached and again.selection == first.selection
    assert f"the head in {first.folder} is damaged: selection.value: field required" in caplog.text
