"""Jobs of the pipeline that write files, each on a small workspace that holds what the job needs."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from markupsafe import Markup

from faults.layer import Layer
from frostline.pipeline.bench.bench import bench
from frostline.pipeline.bench.matrix import read_matrix
from frostline.pipeline.bench.schedule import schedule
from frostline.pipeline.diagnose.health import health
from frostline.pipeline.maintain.inventory import inventory, verify
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.machine import now
from frostline.pipeline.plan.resolve import resolve
from frostline.pipeline.report.html.pages import page_for
from frostline.pipeline.report.html.record import open_run
from frostline.pipeline.report.html.svg import figure
from frostline.pipeline.run.run import fit, run
from frostline.pipeline.settings import Settings
from frostline.stages.errors import FrostlineError
from frostline.stages.heads.solvers.sklearn_estimator import EstimatorHead
from frostline.stages.store import write_atomic
from support.pictures import paint

HEADS = ("ridge", "sklearn.naive_bayes:GaussianNB")  # one in safetensors, one in skops
MATRIX = """
[[dataset]]
dataset = "folder:{images}"
[[backbone]]
backbone = "pixels"
resize = "8x8"
[[head]]
head = "centroid"
[[head]]
head = "centroid"
shots = [1, 2]
draws = 2
"""
_to_bytes = EstimatorHead.to_bytes
_bytes: dict[int, bytes] = {}
Versions = dict[str, list[bytes]]


@dataclass(frozen=True)
class Job:
    """Writes to ``places`` of the workspace ``root``, and nowhere else."""

    root: Path
    places: tuple[str, ...]
    do: Callable[[], object]

    def run(self, layer: Layer, promise: Callable[[str], object] = str, asked: Versions | None = None) -> None:
        """Do it under a layer; tell ``promise`` of each file that is durable from then on.

        ``asked`` is told what was to be written, by path, in order. So that it is the same bytes every time, clocks
        stand still and what skops writes, which holds addresses, is that of the first time; figures are not drawn.
        """

        def write(path: Path, data: bytes) -> None:
            name = path.relative_to(self.root).as_posix()
            if asked is not None:
                asked[name].append(data)
            write_atomic(path, data)
            promise(name)

        with ExitStack() as stack:
            for old, new in ((write_atomic, write), (now, lambda: "then"), (figure, lambda *_: Markup("<svg></svg>"))):
                stack.enter_context(_replaced(old, new))
            stack.enter_context(mock.patch.object(time, "perf_counter", lambda: 0.0))
            stack.enter_context(mock.patch.object(EstimatorHead, "to_bytes", _first_bytes))
            stack.enter_context(layer.installed())
            self.do()

    def clear(self) -> None:
        for place in self.places:
            shutil.rmtree(self.root / place, ignore_errors=True)

    def contents(self) -> dict[str, bytes]:
        """Return every file that it wrote under its own name."""
        files = [p for place in self.places for p in (self.root / place).rglob("*") if p.is_file()]
        return {p.relative_to(self.root).as_posix(): p.read_bytes() for p in files if p.suffix != ".tmp"}

    def broken(self, promised: list[str], versions: Versions) -> list[str]:
        """Return what is half written, what is lost of what was promised, and what readers find damaged."""
        there = self.contents()
        wrong = [f"not as it was written: {name}" for name, data in there.items() if data not in versions.get(name, [])]
        last = Counter(promised).items()
        wrong += [f"lost: {name}" for name, n in last if there.get(name) not in versions[name][n - 1 :]]
        inventory(self.root)
        for folder in self.root.glob("runs/*"):
            with suppress(FrostlineError):
                assert open_run(folder).scored
        return wrong + verify(self.root)[1]

    def read(self, out: Path) -> None:
        """Make the page of each run, as ``frostline report`` does; only an error that explains itself may come."""
        for folder in self.root.glob("runs/*"):
            with suppress(FrostlineError):
                page_for([folder], out)


def _first_bytes(head: EstimatorHead) -> bytes:
    if head.width not in _bytes:
        _bytes[head.width] = _to_bytes(head)
    return _bytes[head.width]


@contextmanager
def _replaced(old: Any, new: Any) -> Iterator[None]:
    """Replace a function wherever it was imported by its name."""
    own = [m for name, m in list(sys.modules.items()) if name.startswith("frostline.")]
    with ExitStack() as stack:
        for module, name in [(m, n) for m in own for n, value in vars(m).items() if value is old]:
            stack.enter_context(mock.patch.object(module, name, new))
        yield


def _heads(root: Path, settings: Settings) -> Job:
    run(settings)
    return Job(root / "data", ("heads",), lambda: fit(settings))


def _report(root: Path, settings: Settings) -> Job:
    run(settings)
    return Job(root / "data", ("runs",), lambda: run(settings))


def _health(root: Path, settings: Settings) -> Job:
    run(settings)
    return Job(root / "data", ("health",), lambda: health(settings))


def _bench(root: Path, settings: Settings) -> Job:
    file = root / "matrix.toml"
    file.write_text(MATRIX.format(images=root / "pets"))

    def do() -> None:
        matrix = read_matrix(file, root / "data")
        bench(matrix, schedule(matrix))

    do()
    return Job(root / "data", ("bench",), do)


def _resolved(root: Path, settings: Settings) -> Job:
    return Job(root / "data", ("backbones",), lambda: resolve(open_inputs(settings)))


JOBS: dict[str, Callable[[Path, Settings], Job]] = {
    "heads": _heads,
    "report": _report,
    "health": _health,
    "bench": _bench,
    "what a backbone's name means": _resolved,
}


def job(name: str, root: Path) -> Job:
    """Return one of JOBS, its workspace made below ``root``: 24 images of two classes, plain pixels."""
    for split, label, i in [(s, k, i) for s in ("train", "test") for k in range(2) for i in range(6)]:
        paint(root / "pets" / split / "ab"[label] / f"{i}.png", label, 100 * label + i + 1000 * (split == "test"))
    settings = Settings(
        dataset=f"folder:{root / 'pets'}", data_dir=root / "data", backbone="pixels", resize="8x8", head=HEADS
    )
    with mock.patch("frostline.stages.datasets.index.GRAIN_NS", 0):
        made = JOBS[name](root, settings)
    made.root.mkdir(exist_ok=True)
    made.clear()
    return made
