"""All that needs a GPU, in one command of less than eight minutes: tests, rates, profiles, extractions, heads.

    python -m tools.gpu_run OUT [--device cuda:0] [--only STEP ...]

Run it from the repository's root. Each step has a limit of its own, and what it found is in OUT/result.json as soon as
it ends, whatever becomes of the others. OUT/log.txt is the same for people; OUT/tests.txt what pytest printed;
OUT/profile.txt tables of kernels; OUT/errors.txt where a step failed. ``--only`` runs the named steps again and keeps
what the others had found. Images are made by other processes meanwhile.

``--device cpu --scale 0.01`` rehearses all of it but the tests, with one small network and few images.
``tools/gpu_wheels.sh`` collects what a machine without a network lacks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch

from tools.gpu.bench import Bench
from tools.gpu.compiled import NETWORKS, compiled
from tools.gpu.correctness import tests
from tools.gpu.decoding import decoding
from tools.gpu.heads import choice, grid, heads
from tools.gpu.images import ImageMaker
from tools.gpu.kernels import kernels
from tools.gpu.machine import machine
from tools.gpu.profiles import profiles
from tools.gpu.report import Found, Report
from tools.gpu.resident import resident
from tools.gpu.resizing import resizing
from tools.gpu.whole import whole

SECONDS = 475  # for all steps together
PATIENCE = 10  # times as long on a processor: a rehearsal is not timed


@dataclass(frozen=True)
class Step:
    """``limit``: seconds. ``images``: whether it needs the images that other processes make."""

    work: Callable[[Bench, Found], object]
    limit: float
    images: bool = False


STEPS = {
    "tests": Step(tests, 120),
    "machine": Step(machine, 20),
    "resize": Step(resizing, 20),
    "resident": Step(resident, 80),
    "profile": Step(profiles, 40),
    "decode": Step(decoding, 60, images=True),
    "whole": Step(whole, 150, images=True),
    "heads": Step(heads, 60),
    "grid": Step(grid, 60),
    "choice": Step(choice, 60),
    "kernels": Step(kernels, 30),
    **{f"compiled {name}": Step(partial(compiled, name=name), 60) for name in NETWORKS},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", nargs="+", choices=list(STEPS), default=[])
    args = parser.parse_args()
    if args.device != "cpu" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU here, so nothing was tested or measured; --device cpu --scale 0.01 rehearses it")
    patience = PATIENCE if args.device == "cpu" else 1
    report = Report(args.out, SECONDS * patience, keep=bool(args.only))
    run(report, args, args.only or list(STEPS), patience)
    failed = [name for name, found in report.steps.items() if "error" in found]
    report.say(f"failed: {', '.join(failed)}" if failed else "no step failed")


def run(report: Report, args: argparse.Namespace, names: list[str], patience: int) -> None:
    with ExitStack() as stack:
        images = cache(lambda: stack.enter_context(ImageMaker(args.scale)))
        if any(STEPS[name].images for name in names):
            images()
        bench = Bench(args.device, args.scale, report, images)
        for name in names:
            report.run(name, STEPS[name].limit * patience, partial(STEPS[name].work, bench))


if __name__ == "__main__":
    main()
