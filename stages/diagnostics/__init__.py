"""Health: what is wrong with a dataset, found from its cached features before a head is fitted.

Nothing here is chosen or fitted for later use: test rows are looked at, never learned from.
"""

from __future__ import annotations

from frostline.stages.diagnostics.doubts import (
    DoubtfulLabel,
    DoubtfulLabels,
    UnlikelyValue,
    doubtful_labels,
    limit,
    out_of_fold_of,
    unlikely_values,
)
from frostline.stages.diagnostics.feature_values import Values, values
from frostline.stages.diagnostics.label_errors import LabelIssues, label_issues, out_of_fold, strength
from frostline.stages.diagnostics.near_duplicates import (
    Copies,
    DuplicatePair,
    NearDuplicates,
    copies,
    find_near_duplicates,
)
from frostline.stages.diagnostics.shift import Shift, auroc, shift

__all__ = [
    "Copies",
    "DoubtfulLabel",
    "DoubtfulLabels",
    "DuplicatePair",
    "LabelIssues",
    "NearDuplicates",
    "Shift",
    "UnlikelyValue",
    "Values",
    "auroc",
    "copies",
    "doubtful_labels",
    "find_near_duplicates",
    "label_issues",
    "limit",
    "out_of_fold",
    "out_of_fold_of",
    "shift",
    "strength",
    "unlikely_values",
    "values",
]
