"""A fitted head with its backbone, ready for new samples."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from frostline.pipeline.plan.inputs import check_bad
from frostline.pipeline.plan.machine import cores, device_of
from frostline.pipeline.plan.of_head import request_of
from frostline.pipeline.serve.answers import Prediction, answer
from frostline.pipeline.serve.asked import Asked
from frostline.pipeline.serve.fitted import FittedHead, check_fitted, check_same, check_width, precision_of, read_fitted
from frostline.pipeline.serve.inputs import asked_for
from frostline.pipeline.serve.objects import as_list, asked_object, names_file
from frostline.pipeline.settings import PredictSettings, ServeSettings, load_settings
from frostline.pipeline.settings.python_words import python_words
from frostline.stages.backbones import load_backbone
from frostline.stages.errors import ConfigError, counted
from frostline.stages.heads import Head
from frostline.stages.modalities.base import IMAGE, CuttingTransform, Length, Sample, Transform
from frostline.stages.modalities.image.spec import View
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.serve import predict as stage

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.frozen import AnyBackbone

log = logging.getLogger("frostline")


@dataclass(frozen=True, eq=False, repr=False)
class Classifier:
    """A backbone and a head: predicts classes, labels or numbers for samples.

    ``jpeg_min_side``: the size, in pixels, for reduced-size JPEG decoding. ``bit_depth``: the number of bits used by
    16-bit images. Both are those of training.
    """

    head: Head
    backbone: AnyBackbone
    views: tuple[View, ...]
    settings: ServeSettings
    jpeg_min_side: int | None = None
    bit_depth: int | None = None

    def __repr__(self) -> str:
        spec = self.backbone.spec
        names = counted(len(self.head.classes), "name")
        return f"<Classifier of {MODALITIES.load(spec.modality).noun}s: {spec.name}, and a head for {names}>"

    @python_words()
    def predict(self, samples: object) -> list[Prediction]:
        """Return a prediction for each sample, in order; a sample that can't be read has only a ``problem``.

        ``samples``: a list of paths of files, PIL images, uint8 arrays (h, w, 3), texts, vectors or recordings, of the
        modality that the backbone takes; or one of them. For a text backbone, a ``str`` is a text; for any other, a
        path. Samples that are not files are named by their number. Raises DataError for objects of another type.
        """
        modality = MODALITIES.load(self.backbone.spec.modality)
        given = as_list(samples, modality.name)
        return list(self.answers([asked_object(at, one, modality) for at, one in enumerate(given)]))

    def answers(self, asked: Sequence[Asked]) -> Iterator[Prediction]:
        """Yield the same predictions one by one, as they are computed."""
        from frostline.stages.backbones.calibrate.batch_size import usual

        modality: Any = MODALITIES.load(self.backbone.spec.modality)
        how: Any = {"views": self.views, "batch_size": self.settings.batch_size or usual(self.backbone.device)[0]}
        how |= {"workers": self.settings.workers or cores(), "on_halved": partial(_on_halved, modality.noun)}
        options = {"bit_depth": self.bit_depth} if self.bit_depth else {}

        cut: dict[int, Length] = {}

        def read(row: int) -> Sample:
            sample = asked[row].read(lambda data: modality.decode(data, self.jpeg_min_side, **options))
            cut.update((row, length) for length in _cut(self.backbone.spec.preprocessing, sample))
            return sample

        for one in stage.predict(self.head, self.backbone, read, range(len(asked)), **how):
            yield answer(self.head, asked[one.row].path, one.decision_values, one.fault)
        _tell_cut([*cut.values()], modality.noun)


def _cut(how: Transform[Any], sample: Sample) -> Iterator[Length]:
    """Yield a sample's length if some of it is cut off."""
    if isinstance(how, CuttingTransform) and (length := how.measure(sample)).lost:
        yield length


def _tell_cut(cut: Sequence[Length], noun: str) -> None:
    if cut:
        lost, whole = sum(one.lost for one in cut), sum(one.whole for one in cut)
        log.warning(
            "%s too long and truncated: %s of their %s tokens are dropped", counted(len(cut), noun), lost, whole
        )


def _on_halved(noun: str, rows: int, message: str) -> None:
    log.warning("not enough memory for a batch of %d %ss (%s); continuing with %d", 2 * rows, noun, message, rows)


def load_classifier(folder: str | Path, settings: ServeSettings | None = None) -> Classifier:
    """Return the classifier that ``fit`` left in a folder of ``data/heads``.

    Raises StoreError if it is damaged, or if the backbone found now is not the one that it was fitted on; ConfigError
    if the backbone can't be loaded.
    """
    s = settings or load_settings(PredictSettings)
    return _loaded(folder, read_fitted(folder, s), s)


def load_portable(folder: str | Path, settings: ServeSettings) -> Classifier:
    """Return the same in fp32, without operations specific to this CPU: fit to be exported, as images' alone are."""
    return _loaded(folder, read_fitted(folder, settings), settings, portable=True)


def _loaded(folder: str | Path, fitted: FittedHead, s: ServeSettings, *, portable: bool = False) -> Classifier:
    head, made = fitted.head, fitted.made
    wanted = made.spec
    if portable and wanted.modality != IMAGE:
        noun = MODALITIES.load(wanted.modality).noun
        raise ConfigError(
            f"the head in {folder} is for {noun}s; only heads for images and vectors can be exported. Use "
            "`frostline predict`"
        )
    check_fitted(fitted, s)
    request = request_of(made, s.backbone or made.name, s.weights or made.weights)
    blank = Image.new("RGB", [*wanted.size[::-1]]) if wanted.size else None
    try:
        precision = "fp32" if portable else precision_of(fitted, s)
        device = "cpu" if portable else device_of(s.device)
        how: Any = {"portable": portable, "optimize": s.optimize, "allow_unsteady": s.allow_unsteady}
        backbone = load_backbone(request, blank, precision=precision, device=device, **how)
    except ConfigError as error:
        raise ConfigError(f"the head in {folder} was fitted on {made.name}, {made.weights}: {error}") from error
    check_same(folder, wanted, backbone.spec)
    check_width(folder, head, backbone.width)
    return Classifier(head, backbone, made.views, s, made.jpeg_least, made.bit_depth)


def predict_objects(folder: str | Path, samples: object, settings: ServeSettings) -> list[Prediction]:
    """Return the answers of a head for samples as ``Classifier.predict`` takes them, folders and tables of files too.

    Raises what ``predict`` does, and DataError for an object that is no sample.
    """
    fitted = read_fitted(folder, settings)
    modality = MODALITIES.load(fitted.made.spec.modality)
    given = list(enumerate(as_list(samples, modality.name)))
    files = [one for _, one in given if names_file(one, modality.name)]
    if given and len(files) == len(given):
        return list(_loaded(folder, fitted, settings).answers(asked_for(files, settings, modality)))
    return list(_loaded(folder, fitted, settings).answers([asked_object(at, one, modality) for at, one in given]))


def predict(
    folder: str | Path, inputs: Sequence[str | Path], settings: ServeSettings | None = None
) -> list[Prediction]:
    """Return the answers of a head of ``data/heads`` for files, folders of them and CSV files of paths.

    A sample that can't be read has a ``problem``. Raises DataError if there is no sample, and the errors of
    ``load_classifier``.
    """
    s = settings or load_settings(PredictSettings)
    fitted = read_fitted(folder, s)
    asked = asked_for(inputs, s, MODALITIES.load(fitted.made.spec.modality))
    return list(_loaded(folder, fitted, s).answers(asked))


def check_predictions(answers: Sequence[Prediction], max_bad: int) -> None:
    """Raise a DataError that lists the unreadable samples if there are more than ``max_bad``."""
    check_bad([f"{answer.path}: {answer.problem}" for answer in answers if answer.problem], max_bad)
