"""How long an extraction takes beyond its arithmetic: ten more images, and a thousand thumbnails from nothing.

    python -m benchmarks.extraction.startup IMAGES WEIGHTS.pth [--model mobilenet_v2] [--precisions bf16 auto]
        [--images-used 1000] [--rounds 5] [--folder .] [--json FILE]

IMAGES is a folder of images, searched below; the folder that an image lies in is its class. Every line is a process,
all in turn in each round: `frostline extract` of the images in a new workspace; of ten more in a copy of a workspace
where the others' features are; and `plain_start`, plain torchvision on as many images, which checks and keeps nothing.
Of each phase, which a line on stderr begins, the medians of wall seconds and of the processor's. On a busy machine the
latter say more: on an idle one, no more wall seconds pass than these. ``features`` holds the checks before them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.common.images import images_below, link, spread
from benchmarks.common.processes import machine

MORE = 10
PHASES = {"loading": "torch, network", "layer ": "features", "using ": "features"}
FIRST = "command, dataset"
PHASE_NAMES = (FIRST, "torch, network", "precision", "features")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Spent:
    """Seconds of a phase."""

    wall: float
    cpu: float


Phases = Mapping[str, Spent]


def process_seconds(pid: int) -> float:
    """Return the processor's seconds of a process so far, as Linux counts them."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICK


def phases_of(command: Sequence[str]) -> Phases:
    """Run a command and return what its phases took. Ends this process with what it said if it fails."""
    started, said = time.perf_counter(), []
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    marks = [(FIRST, started, 0.0)]
    for line in process.stderr:
        said.append(line)
        phase = next((name for start, name in PHASES.items() if line.startswith(start)), None)
        if phase:
            if line.startswith("using "):
                marks[-1] = ("precision", *marks[-1][1:])
            marks.append((phase, time.perf_counter(), process_seconds(process.pid)))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{''.join(said)}")
    marks.append(("", time.perf_counter(), usage.ru_utime + usage.ru_stime))
    pairs = pairwise(marks)
    return {name: Spent(until - since, after - before) for (name, since, before), (_, until, after) in pairs}


def extraction(images: Path, workspace: Path, args: argparse.Namespace, precision: str) -> Phases:
    what = ["--dataset", f"folder:{images}", "--backbone", args.model, "--weights", str(args.weights)]
    where = ["--precision", precision, "--data-dir", str(workspace)]
    return phases_of([sys.executable, "-m", "frostline", "extract", *what, *where])


def plain(images: Path, n: int, args: argparse.Namespace, precision: str) -> Phases:
    what = [str(images), str(args.weights), "--images", str(n), "--model", args.model, "--precision", precision]
    return phases_of([sys.executable, "-m", "benchmarks.extraction.plain_start", *what])


def fresh(root: Path, args: argparse.Namespace, precision: str) -> Phases:
    """Extract in a new workspace, which is kept for ``more``."""
    workspace = root / f"data-{precision}"
    shutil.rmtree(workspace, ignore_errors=True)
    return extraction(root / "images", workspace, args, precision)


def more(root: Path, args: argparse.Namespace, precision: str) -> Phases:
    """Extract ten more images in a copy of the workspace where the others are."""
    workspace = root / "data-more"
    shutil.rmtree(workspace, ignore_errors=True)
    shutil.copytree(root / f"data-{precision}", workspace)
    (root / "images").rename(root / "fewer")
    (root / "grown").rename(root / "images")  # the dataset that is known has grown
    try:
        return extraction(root / "images", workspace, args, precision)
    finally:
        (root / "images").rename(root / "grown")
        (root / "fewer").rename(root / "images")


def works(root: Path, args: argparse.Namespace) -> dict[str, Callable[[], Phases]]:
    """Return what is measured, by name, in the order in which it is done."""
    found: dict[str, Callable[[], Phases]] = {}
    for precision in args.precisions:
        found[f"{args.images_used:,} images, {precision}"] = partial(fresh, root, args, precision)
        found[f"{MORE} more, {precision}"] = partial(more, root, args, precision)
    own = "bf16" if "bf16" in args.precisions else "fp32"
    found[f"plain, {args.images_used:,}, {own}"] = partial(plain, root / "images", args.images_used, args, own)
    found[f"plain, {MORE}, {own}"] = partial(plain, root / "images", MORE, args, own)
    return found


def named(files: Sequence[Path], i: int, ending: str) -> str:
    return f"{files[i].parent.name}/{i:06d}{ending}"


def medians(rounds: Sequence[Phases]) -> dict[str, Spent]:
    names = [name for name in PHASE_NAMES if name in rounds[0]]
    return {
        name: Spent(median(one[name].wall for one in rounds), median(one[name].cpu for one in rounds)) for name in names
    }


def whole(rounds: Sequence[Phases]) -> Spent:
    walls, cpus = ([sum(getattr(s, of) for s in one.values()) for one in rounds] for of in ("wall", "cpu"))
    return Spent(median(walls), median(cpus))


def row(name: str, rounds: Sequence[Phases]) -> str:
    found, total = medians(rounds), whole(rounds)
    cells = [f"{found[one].wall:5.1f} {found[one].cpu:5.1f}" if one in found else " " * 11 for one in PHASE_NAMES]
    return "  ".join([f"{name:22}", f"{total.wall:5.1f} {total.cpu:5.1f}", *(f"{cell:>16}" for cell in cells)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--model", default="mobilenet_v2")
    parser.add_argument("--precisions", nargs="+", default=["bf16", "auto"])
    parser.add_argument("--images-used", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the workspaces are made")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    print(*machine().values(), sep="; ", flush=True)
    files = spread(images_below(args.images), args.images_used + MORE)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        root = Path(folder)
        link(files[:-MORE], root / "images", partial(named, files))
        link(files, root / "grown", partial(named, files))
        done: dict[str, list[Phases]] = {name: [] for name in works(root, args)}
        for _ in range(args.rounds):
            for name, work in works(root, args).items():
                done[name].append(work())
    print("seconds, wall and processor".ljust(24) + "  ".join(["whole      ", *(f"{n:>16}" for n in PHASE_NAMES)]))
    for name, rounds in done.items():
        print(row(name, rounds))
    if args.json:
        rows = {name: [{n: asdict(s) for n, s in one.items()} for one in rounds] for name, rounds in done.items()}
        args.json.write_text(json.dumps({"machine": machine(), "rounds": rows}, indent=2))


if __name__ == "__main__":
    main()
