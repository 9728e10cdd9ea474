"""A fitted head on new samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from frostline.pipeline.api.asked import settings_of
from frostline.pipeline.api.report import Report
from frostline.pipeline.records.run import Fitted, Probe
from frostline.pipeline.serve.answers import Prediction
from frostline.pipeline.serve.predict import Classifier, predict_objects
from frostline.pipeline.serve.predict import load_classifier as load_from
from frostline.pipeline.settings import ServeSettings
from frostline.pipeline.settings.python_words import python_words
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.given import described

if TYPE_CHECKING:
    from frostline.pipeline.settings.keywords import PredictKeywords

FittedOn = str | Path | Fitted | Probe | Report | Sequence[Fitted] | Sequence[Probe]


@python_words()
def predict(head: FittedOn, samples: object, **given: Unpack[PredictKeywords]) -> list[Prediction]:
    """Return what a fitted head says of new samples, in their order.

    ``head``: a folder of ``data/heads``, a report, whose first head is taken, or what ``fit`` or
    ``evaluate`` returned for one head. ``samples``: a
    list, or one alone, of paths of files, folders or tables; or of PIL images, uint8 arrays (h, w, 3), texts, vectors,
    recordings. For a head of texts a ``str`` is a text; else it is a path. One that can't be read has a
    ``problem``. Raises DataError for objects of another kind, and what ``load_classifier`` does.

    >>> from frostline import load_dataset, run
    >>> report = run(dataset="digits", backbone="pixels", head="ridge")
    >>> [one.label for one in predict(report, [load_dataset("digits").test[row] for row in range(3)])]
    ['4', '9', '4']
    """
    return predict_objects(_folder(head), samples, settings_of(ServeSettings, None, given))


@python_words()
def load_classifier(head: FittedOn, **given: Unpack[PredictKeywords]) -> Classifier:
    """Return a fitted head with its backbone, loaded once, to predict many times; ``head``: as for ``predict``.

    Raises StoreError if it is damaged, or the backbone that is there now is not the one that it was fitted on;
    ConfigError if that can't be loaded, or runs code that you have not named by ``backbone=``.
    """
    return load_from(_folder(head), settings_of(ServeSettings, None, given))


def _folder(head: object) -> str | Path:
    """Return where a head is. Raises ConfigError for several heads, for none, and for what is no head."""
    if isinstance(head, tuple | list) and head and isinstance(head[0], Fitted | Probe):
        if len(head) > 1:
            raise ConfigError(f"{len(head)} heads; expected one, such as fitted[0]")
        head = head[0]
    if isinstance(head, Report):
        first = head.first_head
        head = next(one for one in head.probes if one.name == first)
    if isinstance(head, Probe):
        if head.fitted is None:
            raise ConfigError(f"no head of {head.name} was fitted on all training samples; expected run without shots")
        head = head.fitted
    if isinstance(head, Fitted):
        return head.folder
    if isinstance(head, str | Path):
        return head
    raise ConfigError(
        f"got {described(head)}{_own_predict(head)}; expected a report, what fit or evaluate returned, or a folder of "
        "data/heads"
    )


def _own_predict(head: object) -> str:
    """Return a hint for an estimator or a classifier, which predicts by itself."""
    return ", which predicts by its own predict(X)" if hasattr(head, "predict") else ""
