"""``tar:PATTERN``: samples in tar files, as WebDataset lays them out, or as a folder of class folders."""

from __future__ import annotations

from functools import partial

from frostline.stages.datasets.containers.index import index_containers
from frostline.stages.datasets.containers.members import member_samples
from frostline.stages.datasets.containers.tar import VERSION, scan_tar, tar_content
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.container_splits import name_of, named_blobs
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.member_table import member_table, told_apart


def open_tar(request: Request) -> Dataset:
    """Return the dataset of tar files, each sample once, in the order of the files and of what is in them.

    See ``docs/sources.md``. Nothing is unpacked: a sample is read by its place. Raises DataError that lists all that is
    wrong.
    """
    named = named_blobs(request)
    version = f"{VERSION} {request.input or ''}"
    scan = partial(scan_tar, asked=request.input)
    members, notes = told_apart(index_containers(named.blobs, scan, version, request.memory, request.progress))
    name = name_of(request.place)

    def make(rows: Rows) -> tuple[Samples, tuple[str, ...]]:
        rows.check()
        return member_samples(name, rows.targets, members, tar_content, request.decode_options), ()

    return open_labelled(request, member_table(request, named, members, notes), make)


SETTINGS = (
    "columns",
    "class_level",
    "bit_depth",
    "target",
    "task",
    "separator",
    "group",
    "group_pattern",
    "group_file",
    "stratify",
    "input",
    "test",
)
TAR = Source(
    "tar:PATTERN",
    "samples in tar files, shards-{000..099}.tar or train-*.tar: NAME.jpg beside NAME.cls, or in class folders",
    open_tar,
    settings=SETTINGS,
    at_hand=True,
)
