"""``tar:PATTERN``: samples in tar files, as WebDataset lays them out, or in class folders."""

from __future__ import annotations

from functools import partial

from frostline.stages.datasets.containers.tar import VERSION, scan_tar, tar_content
from frostline.stages.datasets.samples import Dataset
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.containers import SETTINGS, Format, open_containers


def open_tar(request: Request) -> Dataset:
    """Return the dataset of tar files; see ``docs/sources.md``. ``request.input``: the component that is the sample."""
    scan = partial(scan_tar, asked=request.input)
    return open_containers(request, Format(f"{VERSION} {request.input or ''}", scan, tar_content))


TAR = Source(
    "tar:PATTERN",
    "samples in tar files, as shards-{000..099}.tar: NAME.jpg beside NAME.cls or NAME.json, or in class folders",
    open_tar,
    settings=(*SETTINGS, "input"),
    at_hand=True,
)
