"""What the index of samples in containers takes: bytes and seconds, in memory and remembered on disk.

    python -m benchmarks.store.index_bytes [--samples 1000000] [--shards 100] [--json FILE]

Made-up tar files of samples in the WebDataset layout, an image of a few bytes beside its class, below a temporary
folder. **read**: the one pass, with digests. **recalled**: opened again from what is remembered. **looked up**: a tenth
of the ids, in another order, by sorted search, the sort with it. **opened**: the whole dataset, labels and splits.
**index B**: bytes of ids, places, digests and containers, for each sample; **held B**: what the process holds more than
before, these and the texts of the labels; **stored B**: what is remembered on disk.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.common.processes import machine
from frostline.stages.datasets import open_dataset
from frostline.stages.datasets.containers.index import index_containers
from frostline.stages.datasets.containers.places import expand
from frostline.stages.datasets.containers.tar import VERSION, scan_tar
from frostline.stages.datasets.memo import GRAIN_NS


def pixel() -> bytes:
    """Return the smallest image; what follows it makes no two alike."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, samples: int, shards: int) -> None:
    """Write tar files of samples, each an image and a class."""
    image = pixel()
    for number in range(shards):
        with tarfile.open(folder / f"shard-{number:05d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for row in range(samples * number // shards, samples * (number + 1) // shards):
                for ending, data in (("png", image + b"%d" % row), ("cls", b"%d" % (row % 1000))):
                    info = tarfile.TarInfo(f"{row:012d}.{ending}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))


def resident() -> int:
    """Return how many bytes of memory this process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def measure(folder: Path, samples: int) -> dict[str, float]:
    """Return the seconds of each step, and the bytes of each sample."""
    time.sleep(2 * GRAIN_NS / 1e9)  # files that were written just now are not remembered
    memory, pattern = folder / "memory" / "tar.index", f"{folder}/shard-*.tar"
    again = partial(index_containers, expand(pattern), scan_tar, f"{VERSION} ", memory)
    read, _ = timed(again)
    before = resident()
    recalled, found = timed(again)
    held = resident() - before
    del _
    wanted = found.joined.names.take(np.random.default_rng(0).permutation(samples)[: samples // 10])
    lookup, _ = timed(lambda: found.joined.names.find(wanted))
    opened, _ = timed(lambda: open_dataset(f"tar:{pattern}", memory=memory, task="single-label"))
    stored = sum(file.stat().st_size for file in memory.parent.iterdir())
    seconds = {"read": read, "recalled": recalled, "looked up": lookup, "opened": opened}
    return seconds | {"index B": found.nbytes / samples, "held B": held / samples, "stored B": stored / samples}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--shards", type=int, default=100)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), asked.samples, asked.shards)
        found = {"samples": asked.samples, **measure(Path(folder), asked.samples), "machine": machine()}
    for name, value in found.items():
        print(f"{name:>10}  {value:,.2f}" if isinstance(value, float) else f"{name:>10}  {value}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
