"""Published ways to evaluate features, by name: a head, how it is chosen, and on how much data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from frostline.stages.heads.kinds import DINOV2_GRID, Number, head_kind
from frostline.stages.heads.spec import HeadSpec, Scaling, head_spec


@dataclass(frozen=True)
class Protocol:
    """A protocol's constants.

    ``source``: the code they were read from. ``differs``: what is done otherwise here, and why.
    ``shots``: samples per class, ``draws`` times each; all of the training rows where empty.
    """

    source: str
    differs: str
    kind: str
    grid: tuple[Number, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    hold_out: float = 0.1
    scaling: Scaling = "none"
    shots: tuple[int, ...] = ()
    draws: int = 0

    def spec(self, seed: int = 0) -> HeadSpec:
        """Return the head of this protocol, its hold-out drawn with a seed."""
        own: dict[str, Any] = {"hold_out": self.hold_out, "scaling": self.scaling, "seed": seed, "rule": "best"}
        return head_spec(self.kind, self.grid, options=self.options, **own)


PROTOCOLS = {
    "dinov2-logreg": Protocol(
        "github.com/facebookresearch/dinov2 eval/log_regression.py",
        "the 10 % are stratified; of values equally often right the least log-loss wins, not the first",
        "logreg",
        DINOV2_GRID,
    ),
    "dinov2-knn": Protocol(
        "github.com/facebookresearch/dinov2 eval/knn.py",
        "k is chosen on 10 % of the training rows; the source reports every k on the test set",
        "knn",
        (10, 20, 100, 200),
        {"temperature": 0.07},
    ),
    "dinov2-linear": Protocol(
        "github.com/facebookresearch/dinov2 eval/linear.py",
        "the learning rate is chosen on 10 % of the training rows, not on the test set; on features of the images as "
        "they are, without random crops; of one layer",
        "linear",
        head_kind("linear").grid,
        {"steps": 12_500, "batch": 128},
    ),
    "clip": Protocol(
        "github.com/openai/CLIP README.md",
        "fitted to the optimum, where the source stops after 1,000 steps",
        "logreg",
        (0.316,),
    ),
    "ssl-transfer": Protocol(
        "github.com/linusericsson/ssl-transfer linear.py",
        "the 20 % are stratified; fitted to the optimum, where the source stops after 100 steps",
        "logreg",
        tuple(1 / 10 ** (-6 + 11 * i / 44) for i in range(45)),
        hold_out=0.2,
    ),
    "bigvision-fewshot": Protocol(
        "github.com/google-research/big_vision evaluators/fewshot_lsr.py, configs/common_fewshot.py",
        "the intercept is free, where the source's is penalised by a ten-thousandth",
        "ridge",
        (1024.0,),
        scaling="standardize",
        shots=(1, 5, 10, 25),
        draws=3,
    ),
    "mteb": Protocol(
        "github.com/embeddings-benchmark/mteb abstasks/classification.py",
        "fitted to the optimum, where the source stops after 100 steps",
        "logreg",
        (1.0,),
        shots=(8,),
        draws=10,
    ),
}
