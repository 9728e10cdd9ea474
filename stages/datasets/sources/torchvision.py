"""torchvision's single-label image datasets, by name."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from frostline.stages.datasets.index import Progress
from frostline.stages.datasets.memo import GRAIN_NS, load_memo, save_memo
from frostline.stages.datasets.samples import Dataset, Samples, split_by_content
from frostline.stages.datasets.sources.base import Request, Source
from frostline.stages.datasets.sources.torchvision_catalogue import CATALOGUE, Arguments
from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.later_compiler import compiler_later
from frostline.stages.modalities.image.decode import decoder, to_rgb
from frostline.stages.targets.values import Targets

VALIDATION = "val"


def open_vision(request: Request) -> Dataset:
    """Return a torchvision dataset, downloaded to ``request.folder`` unless it is there.

    A sample's content is its pixels as RGB, turned and scaled as torchvision gives them.
    ``memory`` remembers labels and digests while no file in that folder changes; what is
    remembered is opened without torchvision. Raises DataError if it is neither there nor
    to be had, or damaged.
    """
    name, entry = request.place, CATALOGUE[request.place]
    wanted = {"all": entry.train} if entry.test is None else {"train": entry.train, "test": entry.test}
    wanted |= {} if entry.validation is None else {VALIDATION: entry.validation}
    opened = {split: Opened(entry.cls, arguments, request.folder) for split, arguments in wanted.items()}
    memory, progress = request.memory, request.progress
    rows = {split: _rows(one, _place(memory, split), progress) for split, one in opened.items()}
    classes, values = _classes([*rows.values()])
    samples = [_samples(name, split, opened[split], rows[split], classes, values) for split in opened]
    if len(samples) == 1:
        return Dataset(name, *split_by_content(samples[0], request.test_fraction, request.seed))
    return Dataset(name, _joined([samples[0], *samples[2:]]), samples[1])


def _joined(parts: Sequence[Samples]) -> Samples:
    """Return the samples of all parts, one after the other, as the first one's split."""
    if len(parts) == 1:
        return parts[0]
    first, starts = parts[0], np.cumsum([0, *map(len, parts)]).tolist()

    def read(row: int) -> Any:
        part = int(np.searchsorted(starts, row, "right")) - 1
        return parts[part].read(row - starts[part])

    return replace(
        first,
        targets=replace(first.targets, values=np.concatenate([part.targets.values for part in parts])),
        ids=[name for part in parts for name in part.ids],
        digests=np.concatenate([part.digests for part in parts]),
        read=read,
        problems={
            start + row: why for start, part in zip(starts, parts, strict=False) for row, why in part.problems.items()
        },
    )


class Opened:
    """One split of a torchvision dataset: opened, and downloaded if need be, at its first use."""

    def __init__(self, cls: str, arguments: Arguments, root: Path) -> None:
        self.cls, self.arguments, self.root = cls, arguments, root
        self._opened: Any = None
        self._lock = Lock()

    @property
    def data(self) -> Any:
        """The torchvision dataset. Raises DataError."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
        return self._opened

    def _open(self) -> Any:
        try:
            return self._make(download=False)
        except (RuntimeError, FileNotFoundError):
            return self._download()
        except Exception as error:  # each of torchvision's parsers raises its own
            raise DataError(
                f"torchvision's {self.cls} in {self.root} is damaged ({_named(error)}); delete its files there to "
                "download them again"
            ) from error

    def _download(self) -> Any:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            return self._make(download=True)
        except Exception as error:  # the network's errors are of many types
            raise DataError(
                f"torchvision's {self.cls} is not in {self.root} and could not be downloaded ({_named(error)}); put "
                "its files there in torchvision's layout, or give their folder with --root"
            ) from error

    def _make(self, *, download: bool) -> Any:
        with compiler_later():
            import torchvision

        return getattr(torchvision.datasets, self.cls)(str(self.root), download=download, **self.arguments)

    def stamp(self) -> tuple[str, int]:
        """Return (a digest of all that the rows follow from, the newest time of a file in ns)."""
        found = sorted(_stats(self.root))
        made_by = [self.cls, dict(self.arguments), version("torchvision"), decoder()]
        newest = max((max(times) for _, _, *times in found), default=0)
        return hashlib.sha256(json.dumps([made_by, found]).encode()).hexdigest(), newest


@dataclass(frozen=True, eq=False)
class IndexedRows:
    """What one split holds: ``labels`` int64 (n,), ``digests`` uint8 (n, 32), ``names`` of the labels, if any."""

    labels: NDArray[np.int64]
    digests: NDArray[np.uint8]
    problems: dict[int, str]
    names: list[str]


def _place(memory: Path | None, split: str) -> Path | None:
    return memory.with_name(f"{memory.stem}-{split}{memory.suffix}") if memory else None


def _rows(opened: Opened, memory: Path | None, progress: Progress | None) -> IndexedRows:
    remembered = load_memo(memory, opened.stamp()[0]) if memory else None
    if remembered:
        facts, arrays = remembered
        problems = {int(row): reason for row, reason in facts["problems"].items()}
        return IndexedRows(arrays["labels"], arrays["digests"], problems, facts["names"])
    data, started = opened.data, time.time_ns()
    stamp, newest = opened.stamp()
    rows = _scan(data, progress)
    if memory and newest < started - GRAIN_NS:
        facts = {"problems": rows.problems, "names": rows.names}
        save_memo(memory, stamp, facts, {"labels": rows.labels, "digests": rows.digests})
    return rows


def _scan(data: Any, progress: Progress | None) -> IndexedRows:
    """Read every image once for its digest and label."""
    labels, digests, problems = [], [], {}
    for row in range(len(data)):
        try:
            image, label = data[row]
            rgb = to_rgb(image)
            content = b"RGB %d %d " % rgb.size + rgb.tobytes()
        except Exception as error:  # each torchvision dataset raises its own
            problems[row] = _named(error)
            label, content = _label(data, row, error), problems[row].encode()
        labels.append(int(label))
        digests.append(hashlib.sha256(content).digest())
        if progress:
            progress(row + 1, len(data))
    stacked = np.frombuffer(bytearray().join(digests), np.uint8).reshape(-1, 32)
    return IndexedRows(np.array(labels, np.int64), stacked, problems, _names(data))


def _label(data: Any, row: int, error: Exception) -> int:
    """Return the label of a sample whose image can't be read."""
    for name in ("targets", "labels", "_labels", "y"):
        if hasattr(data, name):
            return int(getattr(data, name)[row])
    raise DataError(f"torchvision's {type(data).__name__}: sample {row} can't be read: {error}") from error


def _names(data: Any) -> list[str]:
    names = getattr(data, "classes", None) or getattr(data, "categories", None) or []
    return [name if isinstance(name, str) else ", ".join(name) for name in names]


def _classes(rows: list[IndexedRows]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the classes and the label of each: torchvision's, or else the labels that occur."""
    names = rows[0].names
    occurring = np.unique(np.concatenate([some.labels for some in rows]))
    values = np.arange(len(names)) if names else occurring
    return tuple(names or map(str, occurring.tolist())), values


def _samples(
    name: str, split: str, opened: Opened, rows: IndexedRows, classes: tuple[str, ...], values: NDArray[np.int64]
) -> Samples:
    def read(row: int) -> Image:
        if row in rows.problems:
            raise UnreadableSample(rows.problems[row])
        try:
            return to_rgb(opened.data[row][0])
        except Exception as error:  # each torchvision dataset raises its own
            raise DataError(f"sample {row} of {name} can no longer be read ({_named(error)})") from error

    ids = [f"{split}/{row:06d}" if split != "all" else f"{row:06d}" for row in range(len(rows.labels))]
    labels = np.searchsorted(values, rows.labels).astype(np.int64)
    return Samples(name, split, Targets(classes, labels), ids, rows.digests, read, rows.problems)


def _named(error: Exception) -> str:
    return str(error) or type(error).__name__


def _stats(root: Path) -> Iterator[tuple[str, int, int, int]]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            info = path.lstat()
            yield path.relative_to(root).as_posix(), info.st_size, info.st_mtime_ns, info.st_ctime_ns


TORCHVISION = Source(
    "a torchvision name (cifar10, …)",
    f"downloaded if missing: {', '.join(CATALOGUE)}",
    open_vision,
    names=tuple(CATALOGUE),
    takes_root=True,
)
