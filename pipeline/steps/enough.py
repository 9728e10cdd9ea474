"""Whether there are training samples enough for what is asked, said before any feature is computed."""

from __future__ import annotations

import numpy as np

from frostline.pipeline.settings.models import Settings
from frostline.pipeline.steps.subsets import check_draw
from frostline.stages.datasets import Samples
from frostline.stages.errors import DataError
from frostline.stages.fit import too_few


def check_enough(settings: Settings, train: Samples) -> None:
    """Raise DataError where the readable training samples are too few for a head, or for its draws."""
    rows = np.delete(np.arange(len(train)), list(train.problems))
    y, digests = train.labels[rows], train.digests[rows]
    for name in settings.head:
        draw = settings.draw(name)
        if draw:
            check_draw(draw, y, digests, train.classes)
            continue
        wrong = too_few(y, digests, len(train.classes), settings.spec(name))
        if wrong:
            raise DataError(wrong)
