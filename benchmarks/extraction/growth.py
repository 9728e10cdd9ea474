"""How the time and the memory of a whole extraction grow with the number of images.

    python -m benchmarks.extraction.growth IMAGES [--sizes 1000 5000 20000 60000] [--backbone resnet8-cifar10]
        [--weights DEFAULT] [--rounds 3] [--folder .] [--plot FILE.svg] [--json FILE]

IMAGES is a folder of images, searched below. Each extraction is a process of its own on a new workspace below
--folder, from the start of Python to its end; all files are read once before, so that none waits for the disk.
Medians of the rounds, the sizes in turn. The straight line is that of least squares; "off" is how far a time
lies from it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from benchmarks.common.images import images_below, link, spread
from benchmarks.common.processes import Done, frostline, machine


@dataclass(frozen=True)
class Size:
    """Medians at one size."""

    images: int
    seconds: float
    images_per_second: float
    peak_mib: float


def extraction(images: Path, n: int, backbone: Sequence[str], place: Path) -> Done:
    with tempfile.TemporaryDirectory(dir=place) as workspace:
        done = frostline("extract", "--json", "--dataset", f"folder:{images}", *backbone, "--data-dir", workspace)
    computed = sum(one["computed"] for one in json.loads(done.stdout))
    if computed != n:
        raise SystemExit(f"{computed:,} of {n:,} images computed; wanted images without copies among them")
    return done


def measured(files: list[Path], sizes: Sequence[int], args: argparse.Namespace) -> list[Size]:
    backbone = ["--backbone", args.backbone, "--weights", args.weights]
    runs: dict[int, list[Done]] = {n: [] for n in sizes}
    with tempfile.TemporaryDirectory(dir=args.folder) as root:
        for n in sizes:
            link(spread(files, n), Path(root) / str(n))
        for _ in range(args.rounds):
            for n in sizes:
                runs[n].append(extraction(Path(root) / str(n), n, backbone, Path(root)))
    return [_median(n, done) for n, done in runs.items()]


def _median(n: int, done: Sequence[Done]) -> Size:
    seconds = median(one.seconds for one in done)
    return Size(n, seconds, n / seconds, median(one.peak for one in done) / 2**20)


def line(found: Sequence[Size]) -> tuple[float, float]:
    """Return seconds per image and to begin with."""
    slope, start = linear_regression([one.images for one in found], [one.seconds for one in found])
    return slope, start


def plot(found: Sequence[Size], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    axes: Any
    figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    images = [one.images for one in found]
    per_image, start = line(found)
    axes[0].plot(images, [one.seconds for one in found], "o", color="black")
    axes[0].plot([0, images[-1]], [start, start + per_image * images[-1]], ":", color="grey")
    axes[0].set_ylabel("seconds (dotted: a straight line)")
    axes[1].plot(images, [one.peak_mib for one in found], "o-", color="black")
    axes[1].set_ylabel("MiB of memory at most")
    for one in axes:
        one.set_xlim(0)
        one.set_ylim(0, 1.1 * one.get_ylim()[1])
        one.xaxis.set_major_formatter("{x:,.0f}")
        one.set_xlabel("images")
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000, 20_000, 60_000])
    parser.add_argument("--backbone", default="resnet8-cifar10")
    parser.add_argument("--weights", default="DEFAULT")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    files = images_below(args.images)
    sizes = sorted(set(args.sizes))
    if sizes[-1] > len(files):
        parser.error(f"{len(files):,} images in {args.images}; wanted {sizes[-1]:,}, or other --sizes")
    for file in files:
        file.read_bytes()
    about = machine()
    print(f"{about['machine']}; {about['versions']}\n{args.backbone}, medians of {args.rounds} rounds\n")
    found = measured(files, sizes, args)
    print(f"{'images':>8} {'seconds':>9} {'images/s':>9} {'off':>7} {'peak MiB':>9}")
    per_image, start = line(found)
    for one in found:
        off = one.seconds / (start + per_image * one.images) - 1
        row = f"{one.images:8,} {one.seconds:9.1f} {one.images_per_second:9.1f}"
        print(f"{row} {off:+7.1%} {one.peak_mib:9.0f}")
    more, memory = found[-1].images / found[0].images, found[-1].peak_mib / found[0].peak_mib
    print(f"\nthe line: {start:.1f} s, and {1000 * per_image:.2f} ms for each image")
    print(f"{more:.0f} × the images: {memory:.2f} × the memory")
    if args.plot:
        plot(found, args.plot)
    if args.json:
        whole = {**about, "backbone": args.backbone, "rounds": args.rounds, "sizes": [asdict(one) for one in found]}
        args.json.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
