"""The commands as functions: ``run``, ``extract``, ``fit`` and ``evaluate``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from frostline.pipeline.api.asked import with_dataset
from frostline.pipeline.api.report import Report, shown
from frostline.pipeline.records.run import Extracted, Fitted, Probe
from frostline.pipeline.run import run as steps
from frostline.pipeline.run.each import each_of, naming
from frostline.pipeline.settings import DatasetSettings, ExtractSettings, HeadSettings, Settings
from frostline.pipeline.settings.python_words import python_words
from frostline.stages.errors import ConfigError

if TYPE_CHECKING:
    from frostline.pipeline.settings.keywords import ExtractKeywords, HeadKeywords, RunKeywords


@python_words()
def run(settings: Settings | None = None, /, **given: Unpack[RunKeywords]) -> Report:
    """Extract, fit and evaluate; finished steps are skipped.

    Keywords are the settings of ``frostline run``, with a ``_`` for each ``-``; or give one ``Settings`` object.
    ``dataset``: a name such as ``"folder:images"``, a ``Path``, a ``Dataset`` of ``load_dataset``, or an object:
    ``(X, y)``, a frame, a list of ``(path, label)``, a dataset of torch or Hugging Face, or ``(train, test)`` of these.

    The most common ones; ``docs/settings.md`` and ``frostline run --help-all`` name all, with their defaults:

    - ``backbone``: the network, such as ``"resnet50"`` or ``"timm:NAME"``; ``weights``, ``layer``: which, and cut where
    - ``head``: one name, or a list of them: ``"logreg"``, ``"ridge"``, ``"knn"``, …
    - ``grid``: values of a head's hyperparameter to try, such as ``{"C": [0.1, 1, 10]}``; one value fixes it
    - ``folds``: how many folds it is chosen by; ``"auto"``, ``"loo"``
    - ``target``, ``task``: the column to predict, and whether it is ``"single-label"``, ``"multi-label"``, …
    - ``test_fraction``, ``group``: what is kept for testing, and what is never split
    - ``shots``, ``train_sizes``: learning curves, by samples of each class or in all
    - ``seed``, ``device``, ``batch_size``, ``data_dir``: random seed, where it runs, samples at once, the workspace

    Returns a ``Report``. Where ``run.json`` can't be written, its ``unwritten`` says why. Raises ConfigError for a
    setting that is not known or can't be used, DataError for data that can't, StoreError for a damaged cache.

    >>> report = run(dataset="digits", backbone="pixels", head="ridge")
    >>> round(report.accuracy.value, 3)
    0.922
    """
    own, dataset = with_dataset(Settings, settings, given)
    _check_one(own)
    return shown(steps.run(own, dataset))


@python_words()
def extract(settings: ExtractSettings | None = None, /, **given: Unpack[ExtractKeywords]) -> tuple[Extracted, ...]:
    """Compute the features that are missing, and return what is cached now, one record for each feature set.

    Keywords, ``settings`` and errors are as for ``run``; DataError where more than ``max_bad`` samples can't be used.

    >>> [(done.split, done.rows, done.width) for done in extract(dataset="digits", backbone="pixels")]
    [('train', 1438, 192), ('test', 359, 192)]
    """
    own, dataset = with_dataset(ExtractSettings, settings, given)
    _check_one(own)
    return steps.extract(own, dataset)


@python_words()
def fit(settings: HeadSettings | None = None, /, **given: Unpack[HeadKeywords]) -> tuple[Fitted, ...]:
    """Fit every head on cached training features, and return them; one that is fitted already is read.

    Keywords, ``settings`` and errors are as for ``run``; StoreError where the features are not cached.

    >>> _ = extract(dataset="digits", backbone="pixels")
    >>> [fitted.head.width for fitted in fit(dataset="digits", backbone="pixels", head=["ridge", "lda"])]
    [192, 192]
    """
    own, dataset = with_dataset(HeadSettings, settings, given)
    _check_one(own)
    return steps.fit(own, dataset)


@python_words()
def evaluate(settings: HeadSettings | None = None, /, **given: Unpack[HeadKeywords]) -> tuple[Probe, ...]:
    """Score every fitted head on cached test features.

    Keywords, ``settings`` and errors are as for ``run``; StoreError where features or heads are not there.

    >>> same = {"dataset": "digits", "backbone": "pixels", "head": "ridge"}
    >>> _ = run(**same)
    >>> [round(probe.evaluation.scores["macro_f1"].value, 3) for probe in evaluate(**same)]
    [0.92]
    """
    own, dataset = with_dataset(HeadSettings, settings, given)
    _check_one(own)
    return steps.evaluate(own, dataset)


def _check_one(settings: DatasetSettings) -> None:
    """Raise ConfigError for several targets or layers, each of which would be a run of its own."""
    each = each_of(settings)
    if len(each) > 1:
        found = "; ".join(", ".join(f"{name}={value!r}" for name, value in one.items()) for one in naming(each))
        raise ConfigError(f"{len(each)} runs in one call ({found}); expected one: call the function for each")
