"""A fitted head on new samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from frostline.pipeline.api.asked import settings_of
from frostline.pipeline.api.report import Report
from frostline.pipeline.records.run import Fitted
from frostline.pipeline.serve.answers import Prediction
from frostline.pipeline.serve.predict import Classifier, predict_objects
from frostline.pipeline.serve.predict import load_classifier as load_from
from frostline.pipeline.settings import ServeSettings

if TYPE_CHECKING:
    from frostline.pipeline.api.keywords import PredictKeywords


def predict(head: str | Path | Fitted | Report, samples: object, **given: Unpack[PredictKeywords]) -> list[Prediction]:
    """Return what a fitted head says of new samples, in their order.

    ``head``: a folder of ``data/heads``, what ``fit`` returned, or a report, whose first head is taken. ``samples``: a
    list, or one alone, of paths of files, folders or tables; or of PIL images, uint8 arrays (h, w, 3), texts, vectors,
    recordings. For a head of texts a ``str`` is a text; else it is a path. One that can't be read has a
    ``problem``. Raises DataError for objects of another kind, and what ``load_classifier`` does.

    >>> from frostline import load_dataset, run
    >>> report = run(dataset="digits", backbone="pixels", head="ridge")
    >>> [one.label for one in predict(report, [load_dataset("digits").test[row] for row in range(3)])]
    ['4', '9', '4']
    """
    return predict_objects(_folder(head), samples, settings_of(ServeSettings, None, given))


def load_classifier(head: str | Path | Fitted | Report, **given: Unpack[PredictKeywords]) -> Classifier:
    """Return a fitted head with its backbone, loaded once, to predict many times; ``head``: as for ``predict``.

    Raises StoreError if it is damaged, or the backbone that is there now is not the one that it was fitted on;
    ConfigError if that can't be loaded, or runs code that you have not named by ``backbone=``.
    """
    return load_from(_folder(head), settings_of(ServeSettings, None, given))


def _folder(head: str | Path | Fitted | Report) -> str | Path:
    if isinstance(head, Report):
        return next(one.fitted.folder for one in head.probes if one.fitted and one.name == head.first_head)
    return head.folder if isinstance(head, Fitted) else head
