"""``tar:PATTERN``: samples in tar files, as WebDataset lays them out, or in class folders."""

from __future__ import annotations

from functools import partial

from frostline.stages.datasets.containers.components import TEXT
from frostline.stages.datasets.containers.tar import VERSION, scan_tar, tar_content
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.containers import SETTINGS, Format, open_containers, unlabelled_containers

_LABELS = "NAME.cls next to each sample, a field label in NAME.json, or class folders"


def open_tar(request: Request) -> Dataset:
    """Return the dataset of tar files; see ``docs/sources.md``."""
    return open_containers(request, _format(request))


def tar_samples(request: Request) -> tuple[Samples, tuple[str, ...]]:
    """Return all samples of tar files, without labels, and notes."""
    return unlabelled_containers(request, _format(request))


def _format(request: Request) -> Format:
    """Return how tar files are read. ``request.input``: the component that is the sample."""
    asked = request.input or (TEXT if request.modality == "text" else None)
    scan = partial(scan_tar, asked=asked, modality=request.modality)
    return Format(f"{VERSION} {asked or ''}", scan, tar_content, _LABELS)


TAR = Source(
    "tar:PATTERN",
    "samples in tar files, as shards-{000..099}.tar: NAME.jpg with NAME.cls or NAME.json, or in class folders",
    open_tar,
    settings=(*SETTINGS, "input"),
    at_hand=True,
    samples=tar_samples,
)
