"""Whether settings suit a dataset and its samples are enough for them: said before any feature is computed."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from frostline.pipeline.settings import HeadSettings, Settings
from frostline.pipeline.steps.subsets import check_draw
from frostline.stages.datasets import Dataset, Samples
from frostline.stages.errors import DataError
from frostline.stages.fit import too_few
from frostline.stages.heads import check_estimator
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.targets.base import DEFAULT

Chosen = TypeVar("Chosen", bound=HeadSettings)


def suited_to(settings: Chosen, dataset: Dataset) -> Chosen:
    """Return the settings for a dataset's targets. Raises ConfigError for heads that are not for them."""
    kind = dataset.train.targets.kind
    own = settings.suited(kind)
    for name in own.head:
        if name not in PROTOCOLS:  # those that are estimators are drawn and not stored
            check_estimator(own.spec(name), kind)
    return own


def check_enough(settings: Settings, train: Samples) -> None:
    """Raise DataError where the readable training samples are too few for a head, or for its draws."""
    rows = np.delete(np.arange(len(train)), list(train.problems))
    targets, digests = train.targets.take(rows), train.digests[rows]
    for name in settings.head:
        draw = settings.draw(name, train.modality)
        wrong = None
        if draw:
            check_draw(draw, targets, digests)
        elif targets.kind == DEFAULT and targets.groups is None:  # others are dealt as well as can be
            wrong = too_few(targets.values, digests, settings.spec(name))
        if wrong:
            raise DataError(wrong)
