"""From containers to a dataset, whatever their format: their samples, what is known of these, and their splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.index import Scan, index_containers
from frostline.stages.datasets.containers.members import Content, Members, expect_rows, member_samples
from frostline.stages.datasets.containers.places import expand
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.container_splits import name_of, named_blobs
from frostline.stages.datasets.sources.inner_table import with_inner_table
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.member_table import member_table, told_apart
from frostline.stages.datasets.texts import check_no_files
from frostline.stages.modalities.base import IMAGE
from frostline.stages.targets.values import Targets, unlabelled

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
    """How containers of one kind are read.

    ``version``: of what ``scan`` finds, see ``index_containers``. ``labels``: where labels are looked for, for errors.
    """

    version: str
    scan: Scan
    content: Content
    labels: str

    def members(self, request: Request, blobs: Sequence[Blob]) -> Members:
        """Return the samples in containers. Raises DataError."""
        found = index_containers(blobs, self.scan, self.version, request.memory, request.progress)
        if found.joined.modality != IMAGE:
            check_no_files({"bit_depth": request.bit_depth}, found.joined.modality)
        return found

    def samples(self, request: Request, members: Members, targets: Targets) -> Samples:
        """Return samples of which a sample's bytes are read by its place."""
        found = member_samples(name_of(request.place), targets, members, self.content, request.decode_options)
        return replace(found, announce=partial(expect_rows, members))


def open_containers(request: Request, how: Format) -> Dataset:
    """Return the dataset of containers, each sample once, in the order of the files and of what is in them.

    Nothing is unpacked: a sample is read by its place. Raises DataError that lists all that is wrong.
    """
    named = named_blobs(request)
    members, unused = with_inner_table(request, how.members(request, named.blobs), how.content)
    ids, notes = told_apart(members)
    wanted = "; ".join((how.labels, *unused))
    table = member_table(request, named, members, (*notes, *unused), wanted)

    def make(rows: Rows) -> tuple[Samples, tuple[str, ...]]:
        rows.check()
        return how.samples(request, members.named(ids), rows.targets), ()

    return open_labelled(request, table, make)


def unlabelled_containers(request: Request, how: Format) -> tuple[Samples, tuple[str, ...]]:
    """Return all samples of containers, each once, whatever splits their files are called by, and notes."""
    members = how.members(request, expand(request.place))
    ids, notes = told_apart(members)
    samples = how.samples(request, members.named(ids), unlabelled(len(members)))
    return samples, (*notes, *members.joined.notes)
