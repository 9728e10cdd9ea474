"""What settings name: the dataset, opened, and the fingerprint of the backbone. No network is known yet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from frostline.pipeline.plan.one_reader import one_reader
from frostline.pipeline.progress import bar
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.settings.of_modality import check_modality_settings
from frostline.pipeline.workspace import Workspace, open_workspace
from frostline.stages.backbones import BackboneRequest, fingerprint
from frostline.stages.backbones.families.registry import check_family_takes
from frostline.stages.datasets import Dataset
from frostline.stages.errors import DataError, UnreadableSample, counted, listing
from frostline.stages.modalities.base import IMAGE, Sample
from frostline.stages.modalities.registry import MODALITIES

log = logging.getLogger("frostline")


@dataclass(frozen=True, eq=False)
class Inputs:
    """Settings, the dataset that they name, and what their backbone depends on (None: only its code knows that)."""

    settings: ExtractSettings
    dataset: Dataset
    fingerprint: Mapping[str, Any] | None

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.settings.data_dir)

    @property
    def request(self) -> BackboneRequest:
        """The backbone that is asked for, for samples of the dataset's modality."""
        return request_for(self.settings, self.dataset)

    def first_sample(self) -> Sample:
        """Return the first training sample that can be read. Raises DataError if there is none."""
        train = self.dataset.train
        for row in range(len(train)):
            try:
                return train.read(row)
            except UnreadableSample:
                continue
        raise DataError(f"no {MODALITIES.load(train.modality).noun} of {self.dataset.name} can be read")


def request_for(settings: ExtractSettings, dataset: Dataset) -> BackboneRequest:
    """Return the backbone that settings ask for, for samples of a dataset's modality.

    What a transform may be told, and the samples know of themselves, such as the width of vectors, is as they know it.
    """
    asked, train = settings.request(), dataset.train
    known = {name: train.options[name] for name in MODALITIES.load(train.modality).settings if name in train.options}
    return replace(asked, preprocessing={**asked.preprocessing, **known}, modality=train.modality)


def open_inputs(settings: ExtractSettings, dataset: Dataset | None = None) -> Inputs:
    """Return what settings name; ``dataset``: theirs, if it is open already.

    Raises ConfigError for a backbone or a file that isn't there, before any sample is read, and for settings that are
    of another modality than the samples; DataError for samples seen to be unreadable, beyond ``max_bad``.
    """
    mark = fingerprint(settings.request())
    found = dataset or _open(settings)
    check_family_takes(settings.backbone, found.train.modality)
    check_modality_settings(settings, found.train.modality)
    if found.train.modality != IMAGE:
        mark = fingerprint(request_for(settings, found))
    return Inputs(settings, found, mark)


def _open(settings: ExtractSettings) -> Dataset:
    s, workspace = settings, open_workspace(settings.data_dir)
    with bar("reading", "files") as shown, _reading(s, workspace):
        dataset = s.open_dataset(workspace, shown.at)
    check_readable(dataset, s.max_bad)
    return dataset


def check_readable(dataset: Dataset, max_bad: int) -> None:
    """Tell what was noted of a dataset. Raises DataError for samples seen to be unreadable, beyond ``max_bad``."""
    for note in dataset.notes:
        log.info("note: %s", note)
    bad = [f"{x.ids[row]}: {reason}" for x in dataset.splits for row, reason in sorted(x.problems.items())]
    check_bad(bad, max_bad, "; more may be found when they are decoded")


def _reading(settings: ExtractSettings, workspace: Workspace) -> AbstractContextManager[None]:
    """Return what has one of the tasks of an array read the dataset for all."""
    is_task = settings.engine.partition(":")[0] == "array"
    return one_reader(workspace.index(settings.dataset, settings.root)) if is_task else nullcontext()


def check_bad(bad: list[str], max_bad: int, more: str = "") -> None:
    """Raise DataError that lists the unreadable samples if there are more than ``max_bad``."""
    if len(bad) > max_bad:
        raise DataError(
            f"{counted(len(bad), 'sample')} can't be used, and --max-bad allows {max_bad}:\n{listing(bad)}\n"
            f"Repair or remove them, or pass --max-bad {len(bad)} to continue without them{more}."
        )
