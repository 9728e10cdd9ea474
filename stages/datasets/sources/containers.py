"""From containers to a dataset, whatever their format: their samples, what is known of these, and their splits."""

from __future__ import annotations

from dataclasses import dataclass

from frostline.stages.datasets.containers.index import Scan, index_containers
from frostline.stages.datasets.containers.members import Content, member_samples
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.container_splits import name_of, named_blobs
from frostline.stages.datasets.sources.inner_table import with_inner_table
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.member_table import member_table, told_apart
from frostline.stages.datasets.texts import check_no_files
from frostline.stages.modalities.base import IMAGE

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
    "test",
)
"""Which settings mean something to every source of containers."""


@dataclass(frozen=True)
class Format:
    """How containers of one kind are read. ``version``: of what ``scan`` finds, see ``index_containers``."""

    version: str
    scan: Scan
    content: Content


def open_containers(request: Request, how: Format) -> Dataset:
    """Return the dataset of containers, each sample once, in the order of the files and of what is in them.

    Nothing is unpacked: a sample is read by its place. Raises DataError that lists all that is wrong.
    """
    named = named_blobs(request)
    members = index_containers(named.blobs, how.scan, how.version, request.memory, request.progress)
    members = with_inner_table(request, members, how.content)
    if members.joined.modality != IMAGE:
        check_no_files({"bit_depth": request.bit_depth}, members.joined.modality)
    ids, notes = told_apart(members)
    table = member_table(request, named, members, notes)

    def make(rows: Rows) -> tuple[Samples, tuple[str, ...]]:
        rows.check()
        renamed = members.named(ids)
        return member_samples(name_of(request.place), rows.targets, renamed, how.content, request.decode_options), ()

    return open_labelled(request, table, make)
