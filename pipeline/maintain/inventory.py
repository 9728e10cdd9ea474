"""What lies in the workspace: listed, verified, tidied."""

from __future__ import annotations

import logging
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.wording import size
from frostline.pipeline.workspace import Workspace, existing_workspace
from frostline.stages.buckets.address import is_address
from frostline.stages.buckets.cache import address_at, local, named
from frostline.stages.buckets.mirror import remove_objects, stored_bytes
from frostline.stages.datasets import ALL, is_sound
from frostline.stages.errors import FrostlineError, StoreError, printable
from frostline.stages.heads import read_head
from frostline.stages.progress import tell
from frostline.stages.records.safe_read import read_sealed
from frostline.stages.store import FeatureSet, in_use, open_set
from frostline.stages.store.featureset import TARGETS, holds_shards
from frostline.stages.store.files import TEMPORARY
from frostline.stages.store.key import computation
from frostline.stages.store.provenance import PROVENANCE
from frostline.stages.store.targets import read_targets

log = logging.getLogger("frostline")
_OTHER = {"train": "test", "test": "train"}
_MOVED = 0.02  # of a set's samples: where a dataset grows, few change sides


@dataclass(frozen=True)
class Cached:
    """A feature set: its rows and how many of them are missing, bytes on disk, when it was begun, where, with what.

    ``licence``: of the encoder's weights, where its family says it.
    """

    folder: str
    dataset: str
    split: str
    backbone: str
    layer: str
    view: str
    rows: int
    width: int
    missing: int
    bytes: int
    made: str
    by: str
    device: str
    licence: str = ""


@dataclass(frozen=True)
class Garbage:
    """A file or folder that can go, ``why``, and its bytes on disk."""

    path: str
    why: str
    bytes: int


def inventory(root: Path) -> list[Cached]:
    """Return every feature set that can be read."""
    return [_cached(found) for found in _readable(existing_workspace(root))]


def _cached(found: FeatureSet) -> Cached:
    layout, known = found.layout, found.provenance
    return Cached(
        folder=str(found.folder),
        dataset=layout.dataset,
        split=layout.split,
        backbone=layout.key["backbone"],
        layer=layout.key["layer"],
        view=layout.key["view"],
        rows=layout.rows,
        width=layout.width,
        missing=sum(len(found.span(shard)) for shard in found.missing()),
        bytes=stored_bytes(found.local),
        made=known.made or "unknown",
        by=known.host or "unknown",
        device=known.device or "unknown",
        licence=known.licence,
    )


def inventory_json(rows: Sequence[Cached]) -> list[dict[str, Any]]:
    """Return the inventory as JSON values."""
    return [asdict(row) for row in rows]


def _readable(workspace: Workspace) -> Iterator[FeatureSet]:
    for folder in workspace.store.folders():
        try:
            yield open_set(folder)
        except StoreError as error:
            log.warning("%s", printable(str(error)))


def inventory_table(rows: Sequence[Cached]) -> str:
    """Return the inventory for a terminal."""
    if not rows:
        return "nothing is cached"
    columns = ("rows", "width", "size", "made", "by", "licence", "features")
    found = Table("", columns, ">>><<<<", tuple(map(_cells, rows)), widths=(9, 5, 9, 24, 16))
    return "\n".join([*aligned(found), f"{size(sum(row.bytes for row in rows))} in all"])


def _cells(row: Cached) -> tuple[str, ...]:
    name = f"{Path(row.folder).name}{f'  ({row.missing:,} rows missing)' if row.missing else ''}"
    return f"{row.rows:,}", str(row.width), size(row.bytes), row.made, f"{row.by}, {row.device}", row.licence, name


def verify(root: Path) -> tuple[int, list[str]]:
    """Read all committed features, heads and runs again; return how many files, and what is damaged."""
    checked, damaged = 0, []
    workspace = existing_workspace(root, reread=True)
    folders = list(workspace.store.folders())
    for i, folder in enumerate(folders):
        tell("reading", "feature sets", i, len(folders))
        try:
            found = open_set(folder)
        except StoreError as error:
            damaged.append(str(error))
            continue
        problems = [str(error) for error in found.damaged()]
        checked += 1 + 2 * (len(found.shards) - len(found.missing())) + (found.complete and found.publishes)
        if found.complete and found.layout.format > 1 and _has_targets(found):
            problems += filter(None, [_target_fault(folder / TARGETS)])
            checked += 1
        if found.complete and not problems and not found.published:
            path = found.folder / "features.h5"
            problems.append(f"{path} is missing or damaged; `frostline extract` writes it again")
        damaged += problems
    memories = _memories(workspace)
    damaged += [f"{named(path)} is damaged: {advice}" for path, (sound, advice) in memories.items() if not sound]
    checked += len(memories)
    targets = sorted(workspace.targets.glob("*.h5"))
    checked += len(targets)
    damaged += filter(None, map(_target_fault, targets))
    for path in _in_each(workspace.heads, "head.json"):
        checked += 2
        try:
            read_head(path.parent)
        except StoreError as error:
            damaged.append(str(error))
    of_runs, wrong = _verify_runs(workspace)
    return checked + of_runs, damaged + wrong


def _has_targets(found: FeatureSet) -> bool:
    """Whether there should be targets next to a set: those that ``predict`` keeps have no labels."""
    return found.layout.split != ALL or os.path.lexists(found.local / TARGETS)


def _target_fault(path: Path) -> str:
    if not os.path.lexists(path):
        return f"{named(path)} is missing; `frostline extract` writes it again"
    try:
        read_targets(path)
    except StoreError as error:
        return f"{error}; delete it, and run the command that made it again"
    return ""


def _verify_runs(workspace: Workspace) -> tuple[int, list[str]]:
    from frostline.pipeline.records.run_folder import read_run

    checked, damaged = 0, []
    for path in _in_each(workspace.runs, "run.json"):
        checked += 1
        try:
            run = read_run(path.parent)
        except FrostlineError as error:
            damaged.append(str(error))
            continue
        for name in run.record.files:
            checked += 1
            try:
                run.read(name)
            except StoreError as error:
                damaged.append(str(error))
    return checked, damaged


def _memories(workspace: Workspace) -> dict[Path, tuple[bool, str]]:
    """Return the files that no number depends on: whether each is sound, and what to do if it isn't."""
    root = workspace.root
    made, known = _in_each(workspace.store.root, PROVENANCE), "it is treated as missing; delete it"
    kept = ("backbones", "health", "bench/curves", "bench/parameters")
    sealed = [path for place in kept for path in sorted(root.glob(f"{place}/*.json"))]
    sealed += _in_each(workspace.store.root, "speed.json")
    return {
        **{
            path: (
                _is_sealed(path),
                "the record of when and where these features were made is lost; delete it",
            )
            for path in made
        },
        **{path: (_is_sealed(path), known) for path in sealed},
        **{path: (is_sound(path), known) for path in sorted(root.glob("index/*.index"))},
    }


def _in_each(folder: Path, name: str) -> list[Path]:
    """Return the files of one name in a folder's folders; links that lead nowhere too, which ``glob`` leaves out."""
    return [path for inner in sorted(folder.glob("*")) if os.path.lexists(path := inner / name)]


def _is_sealed(path: Path) -> bool:
    try:
        return bool(read_sealed(path))
    except (OSError, ValueError):
        return False


def garbage(root: Path, *, unfinished: bool = False) -> list[Garbage]:
    """Return what can go: leftovers of killed writes and superseded feature sets.

    With ``unfinished`` the sets that were begun and not finished too, and those without a readable
    description that hold no shard: with shards, extracting mends them. What a process is working on
    is left alone.
    """
    workspace = existing_workspace(root)
    found = [_item(path, "left over from an interrupted write") for path in _leftovers(workspace)]
    latest: dict[tuple[str, ...], list[FeatureSet]] = defaultdict(list)
    if unfinished:
        found += [_item(folder, "no readable description, no shards") for folder in _shells(workspace)]
    for features in _readable(workspace):
        folder = features.local
        if in_use(folder):
            continue
        if unfinished and not features.complete:
            found.append(_item(folder, "unfinished"))
            continue
        why = "left over from an interrupted write" if features.publishes else "another writer was first"
        found += [_item(path, why) for path in features.unnamed()]
        if not features.complete:
            continue
        layout = features.layout
        latest[layout.dataset, layout.split, computation(layout.key)].append(features)
    for (dataset, split, how), sets in latest.items():
        *older, newest = sorted(sets, key=lambda f: f.provenance.made)
        alike = (rest for (*name, same), rest in latest.items() if name == [dataset, _OTHER.get(split)] and same == how)
        others = [f for rest in alike for f in rest]
        superseded = [f for f in older if _mostly_in(f, newest) and not _split_otherwise(f, others)]
        found += [_item(f.local, "superseded: the dataset has changed since") for f in superseded]
    return found


def _leftovers(workspace: Workspace) -> list[Path]:
    """Return what killed processes left next to feature sets and targets; those within sets are found with them."""
    return [path for top in (workspace.store.root, workspace.targets) for path in sorted(top.glob(f"*{TEMPORARY}"))]


def _shells(workspace: Workspace) -> Iterator[Path]:
    """Yield the feature sets' folders that say nothing and hold nothing: as yet, if a process has just begun one."""
    for folder in workspace.store.folders():
        try:
            open_set(folder)
        except StoreError:
            if not in_use(folder) and not holds_shards(folder):
                yield folder


def remove(found: Sequence[Garbage]) -> None:
    """Remove what ``garbage`` returned."""
    for item in found:
        path = local(item.path)
        remove_objects(path)
        if path.is_dir() and not path.is_symlink():  # what a link leads to is not ours to remove
            (path / "key.json").unlink(missing_ok=True)  # first, so that a half-removed set is no set
            shutil.rmtree(path, ignore_errors=is_address(item.path))
        else:
            path.unlink(missing_ok=True)


def garbage_json(found: Sequence[Garbage]) -> list[dict[str, Any]]:
    """Return the garbage as JSON values."""
    return [asdict(item) for item in found]


def garbage_table(found: Sequence[Garbage], *, removed: bool) -> str:
    """Return the garbage for a terminal."""
    if not found:
        return "nothing to remove"
    rows = tuple((size(item.bytes), f"{item.path}  ({item.why})") for item in found)
    lines = aligned(Table("", ("", ""), "><", rows, widths=(9,)))
    total = size(sum(item.bytes for item in found))
    return "\n".join([*lines, f"{total} {'removed' if removed else 'can be removed with --yes'}"])


def _mostly_in(old: FeatureSet, new: FeatureSet) -> bool:
    """Whether most of a set's samples are in another: two folders may share a name by chance."""
    own, others = _contents(old), _contents(new)
    return 2 * len(own & others) > len(own)


def _split_otherwise(old: FeatureSet, others: Sequence[FeatureSet]) -> bool:
    """Whether some of a set's samples are on the other side of a newer split: another target's, or another seed's."""
    own = _contents(old)
    newest = max(others, key=lambda f: f.provenance.made, default=None)
    return newest is not None and len(own & _contents(newest)) > _MOVED * len(own)


def _contents(features: FeatureSet) -> set[bytes]:
    try:
        return {row.tobytes() for shard in features.shards for row in features.read(shard).digests}
    except StoreError:
        return set()


def _item(path: Path, why: str) -> Garbage:
    bytes = stored_bytes(path) if path.is_dir() or address_at(path) else path.stat().st_size
    return Garbage(str(named(path)), why, bytes)
