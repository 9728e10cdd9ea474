"""Published ways to evaluate features, by name: a head, how it is chosen, and on how much data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from frostline.stages.heads.kinds import DINOV2_GRID, DINOV2_RATES_OF_256, Number, head_kind
from frostline.stages.heads.spec import HeadSpec, Scaling, Ties, head_spec

Amount = tuple[tuple[int, ...], int]  # samples per class, and how many times each is drawn

_BATCH = 8 * 128  # of the published command: 128 a GPU, and the source's launcher takes 8 of them


@dataclass(frozen=True)
class Protocol:
    """A protocol's constants.

    ``source``: the code they were read from. ``differs``: what is done otherwise here, and why.
    ``shots``: samples per class, ``draws`` times each; all of the training rows where empty. ``amounts``: the same
    where the source has others for a dataset, or a modality. ``published``: whose draws these are, a name of
    ``PUBLISHED_DRAWS``. ``ties``, ``epsilon``: as in a spec. ``criteria``: by dataset, where it is not accuracy;
    ``validated``: datasets whose validation split, the ids that begin with ``val/``, is what is held out.
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
    amounts: Mapping[str, Amount] = field(default_factory=dict)
    published: str = ""
    ties: Ties = ""
    epsilon: float = 0.0
    criteria: Mapping[str, str] = field(default_factory=dict)
    validated: tuple[str, ...] = ()
    parameter: str | None = None

    def spec(self, seed: int = 0, dataset: str = "") -> HeadSpec:
        """Return the head of this protocol, its hold-out drawn with a seed, on a dataset of that name."""
        own: dict[str, Any] = {"hold_out": self.hold_out, "scaling": self.scaling, "seed": seed}
        own |= {"ties": self.ties, "epsilon": self.epsilon, "criterion": self.criteria.get(dataset, "")}
        own |= {"validation": "val/" if dataset in self.validated else "", "rule": "best"}
        return head_spec(self.kind, self.grid, parameter=self.parameter, options=self.options, **own)

    def amount(self, dataset: str = "", modality: str = "") -> Amount:
        """Return how many samples per class are drawn, and how often, for a dataset of that name and modality."""
        return self.amounts.get(dataset) or self.amounts.get(modality) or (self.shots, self.draws)


PROTOCOLS = {
    "dinov2-logreg": Protocol(
        "github.com/facebookresearch/dinov2 eval/log_regression.py",
        "The 10 % are stratified, with a row of every class that has two or more. It is fitted in float32 to "
        "the optimum; the source (cuML's solver, float64) stops after 1,000 steps. Multi-label targets, which "
        "the source does not support, are chosen by log-loss",
        "logreg",
        DINOV2_GRID,
        ties="first",
    ),
    "dinov3-logreg": Protocol(
        "github.com/facebookresearch/dinov3 eval/log_regression.py",
        "The 10 % are stratified, with a row of every class that has two or more. It is fitted to the "
        "optimum; the source stops after 1,000 steps. With few shots, C is chosen on a part of their own rows "
        "and all are refitted; the source uses 1 % of the whole training set in addition and does not refit. "
        "Multi-label targets are chosen by log-loss; the source uses mAP (11-point for VOC2007, here "
        "map_11_point). Images follow the backbone's settings; the source resizes and crops to 224 (--resize "
        "224 --crop 224)",
        "logreg",
        DINOV2_GRID,
        {"dtype": "float64", "tolerance": 1e-12, "max_iterations": 1000},
        ties="first",
    ),
    "dinov2-knn": Protocol(
        "github.com/facebookresearch/dinov2 eval/knn.py",
        "k is chosen on 10 % of the training rows, stratified, with a row of every class that has two or "
        "more; ties take the smallest. The source reports every k on the test set",
        "knn",
        (10, 20, 100, 200),
        {"temperature": 0.07},
        ties="first",
    ),
    "dinov2-linear": Protocol(
        "github.com/facebookresearch/dinov2 eval/linear.py",
        "The learning rate is chosen on 10 % of the training rows, stratified, with a row of every class that "
        "has two or more; the source chooses on the test set. The features are those of the images as they "
        "are, without random crops, and of one layer. Batches of 1,024 and these rates are those of the "
        "published command with its launcher's 8 GPUs",
        "linear",
        tuple(rate * _BATCH / 256 for rate in DINOV2_RATES_OF_256),
        {"steps": 12_500, "batch": _BATCH},
        ties="first",
    ),
    "clip": Protocol(
        "github.com/openai/CLIP README.md",
        "It is fitted to the optimum; the source stops at scikit-learn's tolerance of 1e-4, or after 1,000 steps",
        "logreg",
        (0.316,),
    ),
    "clip-benchmark": Protocol(
        "github.com/LAION-AI/CLIP_benchmark metrics/linear_probe.py, README.md (1.6.2)",
        "The 10 % are stratified, with a row of every class that has two or more. It is trained in float32; "
        "the source uses half precision. NumPy draws the initial weights and the batches",
        "adamw",
        head_kind("adamw").grid,
        {"lr": 0.1, "epochs": 20, "batch": 512},
        scaling="l2",
        ties="coarse-to-fine",
    ),
    "ssl-transfer": Protocol(
        "github.com/linusericsson/ssl-transfer linear.py",
        "The 20 % are stratified, with a row of every class that has two or more. As in the source, the "
        "validation splits of Aircraft, DTD and Flowers are used to choose, for the datasets "
        "fgvcaircraft-trainval, dtd-trainval and flowers102-trainval. It is fitted to the optimum; the source stops at "
        "scikit-learn's tolerance of 1e-4, or after 100 steps, and starts each value at the solution of the "
        "one before. For two classes, and for each label of a multi-label target, C = 2 c here is c there. "
        "Multi-label targets are chosen by log-loss on 20 %; the source uses VOC2007's validation split and "
        "11-point mAP, here map_11_point. The source's test score for Aircraft, Caltech101, Flowers and Pets "
        "is balanced accuracy, which is shown in addition to accuracy",
        "logreg",
        tuple(1 / 10 ** (-6 + 11 * i / 44) for i in range(45)),
        hold_out=0.2,
        ties="last",
        criteria=dict.fromkeys(
            (
                "fgvcaircraft",
                "fgvcaircraft-trainval",
                "caltech101",
                "flowers102",
                "flowers102-trainval",
                "oxfordiiitpet",
            ),
            "balanced_accuracy",
        ),
        validated=("fgvcaircraft-trainval", "dtd-trainval", "flowers102-trainval"),
    ),
    "bigvision-fewshot": Protocol(
        "github.com/google-research/big_vision evaluators/fewshot_lsr.py, configs/common_fewshot.py",
        "The intercept is free; the source penalises it by a ten-thousandth. Rows have the dataset's order "
        "here, and that of TensorFlow Datasets there",
        "ridge",
        (1024.0,),
        scaling="standardize",
        epsilon=1e-5,
        shots=(1, 5, 10, 25),
        draws=3,
        published="big_vision",
    ),
    "mteb": Protocol(
        "github.com/embeddings-benchmark/mteb abstasks/classification.py (2.26.24)",
        "Rows have the dataset's order here, and that of the Hugging Face hub there; draws are the same if "
        "the order is. Tasks with other numbers need --shots and --draws. Tasks that mteb cross-validates are "
        "drawn. A multi-label target has one logistic regression per label, on rows drawn as for any other "
        "head; mteb does this for images, on its own draws, and uses five nearest neighbours for texts",
        "sklearn.linear_model:LogisticRegression",
        (1.0,),
        {"max_iter": 100, "random_state": 42},
        shots=(8,),
        draws=10,
        amounts={"image": ((16,), 5), "stl10": ((8,), 10)},
        published="mteb",
        parameter="C",
    ),
}
