"""Metrics: scores of predictions, with intervals. Importing this loads neither scipy nor scikit-learn."""

from frostline.stages.metrics.auroc import one_versus_rest
from frostline.stages.metrics.calibration import (
    Bin,
    brier_losses,
    calibration_error,
    log_losses,
    reliability_bins,
    steady_temperature,
    temperature,
    tempered,
)
from frostline.stages.metrics.decisions import (
    ClassScore,
    averages,
    class_scores,
    confusion,
    in_top,
    precision_recall_f1,
)
from frostline.stages.metrics.multi_label import LabelScore, label_scores
from frostline.stages.metrics.paired import Difference, paired
from frostline.stages.metrics.predictions import Predictions, harmless, predictions_csv, unquoted
from frostline.stages.metrics.regression import OutputScore, regression_scores
from frostline.stages.metrics.score import RESAMPLES, Score, Spread, Z, spread, wilson
from frostline.stages.metrics.statistic import Statistic, bootstrap, means
from frostline.stages.metrics.thresholds import best_thresholds

__all__ = [
    "RESAMPLES",
    "Bin",
    "ClassScore",
    "Difference",
    "LabelScore",
    "OutputScore",
    "Predictions",
    "Score",
    "Spread",
    "Statistic",
    "Z",
    "averages",
    "best_thresholds",
    "bootstrap",
    "brier_losses",
    "calibration_error",
    "class_scores",
    "confusion",
    "harmless",
    "in_top",
    "label_scores",
    "log_losses",
    "means",
    "one_versus_rest",
    "paired",
    "precision_recall_f1",
    "predictions_csv",
    "regression_scores",
    "reliability_bins",
    "spread",
    "steady_temperature",
    "temperature",
    "tempered",
    "unquoted",
    "wilson",
]
