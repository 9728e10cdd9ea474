"""How long an answer takes: from nothing, again, and after each kind of change.

    python -m benchmarks.extraction.answers IMAGES [--backbones mobilenet_v2 squeezenet1_0] [--weights random random]
        [--images-used 5000] [--rounds 1] [--folder .] [--json FILE]

IMAGES is a folder of images, searched below; the folder that an image lies in is its class. Every answer is a
`frostline run` in a process of its own, on one new workspace for each round below --folder: wall seconds from the
start of Python to its end, and the rows that went through a backbone as run.json has them. --weights are those of
each backbone: a file, a name of torchvision's, or random, whose accuracy means nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common.images import images_below, link, spread
from benchmarks.common.processes import frostline, machine

MORE = 10
STEPS = ("from nothing", "the same again", "another head", "another backbone", f"{MORE} more images", "and again")


@dataclass(frozen=True)
class Answer:
    """What one run took and found. ``computed``: of its ``rows``, those that went through the backbone."""

    seconds: float
    computed: int
    rows: int
    accuracy: float


def answer(images: Path, workspace: Path, backbone: str, weights: str, head: str) -> Answer:
    asked = ["--dataset", f"folder:{images}", "--backbone", backbone, "--weights", weights, "--head", head]
    done = frostline("run", "--json", *asked, "--data-dir", str(workspace))
    report: dict[str, Any] = json.loads(Path(json.loads(done.stdout)["path"]).read_text())
    probe = report["probes"][0]
    computed = sum(one["computed"] for one in probe["features"])
    accuracy = probe["evaluation"]["scores"]["accuracy"]["value"]
    return Answer(done.seconds, computed, sum(report["rows"].values()), accuracy)


def answers(files: Sequence[Path], args: argparse.Namespace) -> list[Answer]:
    """Return the answer after each of STEPS."""
    (first, second), (weights, others) = args.backbones, args.weights
    with tempfile.TemporaryDirectory(dir=args.folder) as root:
        images, workspace = Path(root) / "images", Path(root) / "data"
        link(files[:-MORE], images, lambda i, ending: f"{files[i].parent.name}/{i:06d}{ending}")
        found = [answer(images, workspace, first, weights, "logreg") for _ in range(2)]
        found.append(answer(images, workspace, first, weights, "ridge"))
        found.append(answer(images, workspace, second, others, "logreg"))
        link(files[-MORE:], images, lambda i, ending: f"{files[i - MORE].parent.name}/more-{i:06d}{ending}")
        return [*found, *(answer(images, workspace, first, weights, "logreg") for _ in range(2))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--backbones", nargs=2, default=["mobilenet_v2", "squeezenet1_0"])
    parser.add_argument("--weights", nargs=2, default=["random", "random"])
    parser.add_argument("--images-used", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    files = spread(images_below(args.images), args.images_used + MORE)
    about = machine()
    print(f"{about['machine']}; {about['versions']}\n{' and '.join(args.backbones)}, medians of {args.rounds} rounds\n")
    rounds = [answers(files, args) for _ in range(args.rounds)]
    print(f"{'':18} {'rows':>7} {'computed':>9} {'seconds':>8} {'of the first':>13} {'accuracy':>9}")
    table = []
    for step_name, all_of in zip(STEPS, zip(*rounds, strict=True), strict=True):
        one, seconds = all_of[0], median(each.seconds for each in all_of)
        table.append({"step": step_name, "rows": one.rows, "computed": one.computed, "seconds": seconds})
        share = seconds / float(table[0]["seconds"])
        print(f"{step_name:18} {one.rows:7,} {one.computed:9,} {seconds:8.1f} {share:13.2f} {one.accuracy:9.1%}")
    if args.json:
        whole = {**about, "backbones": args.backbones, "rounds": args.rounds, "answers": table}
        args.json.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
