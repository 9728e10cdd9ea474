"""What scores are called on pages, and what they mean, by kind of target."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

Names = Mapping[str, tuple[str, str]]
CALIBRATED = "_calibrated"

SINGLE_LABEL: Names = MappingProxyType(
    {
        "accuracy": ("Accuracy", "share of test samples that are classified correctly"),
        "top5_accuracy": ("Top-5 accuracy", "the true class is among the five most likely ones"),
        "balanced_accuracy": ("Balanced accuracy", "mean recall of the classes"),
        "macro_f1": ("Macro-F1", "mean F1 of the classes"),
        "weighted_f1": ("Weighted F1", "mean F1 of the classes, weighted by their test samples"),
        "auroc": ("AUROC", "mean of each class against the rest; 0.5 is chance"),
        "log_loss": ("Log-loss", "in nats; lower is better"),
        "brier": ("Brier score", "from 0 to 2; lower is better"),
        "ece": ("Calibration error", "mean gap between confidence and accuracy, 15 bins"),
    }
)
MULTI_LABEL: Names = MappingProxyType(
    {
        "map": ("mAP", "mean average precision of the labels"),
        "map_11_point": ("mAP, 11-point", "as PASCAL VOC 2007 defined it"),
        "macro_auroc": ("Macro AUROC", "mean of the labels; 50 % is chance"),
        "micro_auroc": ("Micro AUROC", "over all pairs of a sample and a label"),
        "macro_f1": ("Macro-F1", "mean F1 of the labels at the default threshold"),
        "micro_f1": ("Micro-F1", "F1 over all pairs at the default threshold"),
        "macro_f1_at_thresholds": ("Macro-F1, own thresholds", "each label’s threshold chosen on training samples"),
        "micro_f1_at_thresholds": ("Micro-F1, own thresholds", "each label’s threshold chosen on training samples"),
        "lrap": ("LRAP", "label ranking average precision: how high a sample’s true labels rank"),
        "hamming_loss": ("Hamming loss", "share of labels that are wrong; lower is better"),
        "subset_accuracy": ("Subset accuracy", "share of test samples with every label correct"),
    }
)
REGRESSION: Names = MappingProxyType(
    {
        "r2": ("R²", "share of the variance that is explained; 0: always predicting the mean"),
        "mae": ("MAE", "mean absolute error, in units of the target; lower is better"),
        "rmse": ("RMSE", "root mean squared error, in units of the target; lower is better"),
        "pearson": ("Pearson", "linear correlation of predicted and true values"),
        "spearman": ("Spearman", "correlation of their ranks"),
        "kendall": ("Kendall", "how often two samples are in the correct order, from −1 to 1"),
    }
)
_BY_KIND = {DEFAULT: SINGLE_LABEL, "multi-label": MULTI_LABEL, "regression": REGRESSION}
_SIDE_BY_SIDE = {
    DEFAULT: ("accuracy", "macro_f1", "log_loss", "ece"),
    "multi-label": ("map", "macro_auroc", "macro_f1", "macro_f1_at_thresholds"),
    "regression": ("r2", "mae", "rmse", "spearman"),
}


def score_names(kind: str) -> Names:
    """Return the title and the meaning of each score of a kind of target, in the order of pages."""
    return _BY_KIND.get(kind) or {name: (title, "") for name, title in TARGETS.load(kind).table.items()}


def side_by_side(kind: str) -> tuple[str, ...]:
    """Return the scores by which pages set heads beside each other, the main score first."""
    return _SIDE_BY_SIDE.get(kind, tuple(TARGETS.load(kind).table))
