"""Peak memory of a whole extraction, few images against many.

    python benchmarks/memory.py IMAGES [--few 5000] [--many 60000] [--backbone resnet8-cifar10] [--json FILE]

IMAGES is a folder of images, searched below. Each extraction is a process of its own; its
peak resident memory is the operating system's figure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def link(files: list[Path], target: Path) -> None:
    for i, file in enumerate(files):
        folder = target / f"class{i % 2}"
        folder.mkdir(exist_ok=True)
        (folder / f"{i:06d}{file.suffix}").symlink_to(file.absolute())


def peak(files: list[Path], backbone: str) -> int:
    """Return the bytes that one extraction held at most."""
    with tempfile.TemporaryDirectory() as root:
        images = Path(root) / "images"
        images.mkdir()
        link(files, images)
        command = [sys.executable, "-m", "pipeline", "extract", "--dataset", f"folder:{images}"]
        command += ["--backbone", backbone, "--data-dir", f"{root}/data"]
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
        )
        done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    return int(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--few", type=int, default=5000)
    parser.add_argument("--many", type=int, default=60000)
    parser.add_argument("--backbone", default="resnet8-cifar10")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    files = sorted(p for p in args.images.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    result = {n: peak(files[:: max(1, len(files) // n)][:n], args.backbone) for n in (args.few, args.many)}
    for n, size in result.items():
        print(f"{n:>8,} images  {size / 2**20:8.0f} MiB at most")
    print(f"{result[args.many] / result[args.few]:.2f} × for {args.many / args.few:.0f} × the images")
    if args.json:
        args.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
