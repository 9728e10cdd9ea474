"""The same images in a folder, in tar, zip and Parquet files, and as ``save_to_disk`` leaves them: how fast each is.

    python -m benchmarks.extraction.sources [--thumbnails 4000] [--photographs 300] [--rounds 5] [--json FILE]

Images made here, thumbnails of 32 x 32 and photographs of 500 x 375 as JPEG, below a temporary folder. In images a
second, and beside the folder's: **opened**, the one pass that takes digests; **read**, all bytes in order, each checked
against its digest; **decoded**, all images in order by two threads. Medians of the rounds, all sources in turn, so
that what else the machine does strikes all alike. Files are in the system's memory.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common.images import SIZES, made_up, write
from benchmarks.common.processes import machine
from frostline.stages.datasets import Dataset, open_dataset

STEPS = ("opened", "read", "decoded")
Seconds = dict[str, float]


def files_in(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file and its name in the folder, sorted."""
    return ((file, file.relative_to(folder).as_posix()) for file in sorted(folder.rglob("*.jpg")))


def as_folder(folder: Path, _: Path) -> str:
    return f"folder:{folder}"


def as_tar(folder: Path, place: Path) -> str:
    with tarfile.open(place / "images.tar", "w") as archive:
        for file, name in files_in(folder):
            archive.add(file, name)
    return f"tar:{place}/images.tar"


def as_zip(folder: Path, place: Path) -> str:
    with zipfile.ZipFile(place / "images.zip", "w") as archive:
        for file, name in files_in(folder):
            archive.write(file, name)
    return f"zip:{place}/images.zip"


def table_of(folder: Path) -> Any:
    import pyarrow

    cells = [{"bytes": file.read_bytes(), "path": name} for file, name in files_in(folder)]
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    labels = [str(cell["path"]).partition("/")[0] for cell in cells]
    return pyarrow.table({"image": pyarrow.array(cells, kind), "label": labels})


def as_parquet(folder: Path, place: Path) -> str:
    from pyarrow import parquet

    parquet.write_table(table_of(folder), place / "images.parquet", row_group_size=100)
    return f"parquet:{place}/images.parquet"


def as_one_row_group(folder: Path, place: Path) -> str:
    from pyarrow import parquet

    parquet.write_table(table_of(folder), place / "one.parquet")
    return f"parquet:{place}/one.parquet"


def as_saved(folder: Path, place: Path) -> str:
    from pyarrow import ipc

    (place / "saved").mkdir()
    table = table_of(folder)
    with ipc.new_stream(str(place / "saved" / "data.arrow"), table.schema) as stream:
        stream.write_table(table, 100)
    (place / "saved" / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    (place / "saved" / "dataset_info.json").write_text("{}")
    return f"hf-disk:{place}/saved"


SOURCES: dict[str, Callable[[Path, Path], str]] = {
    "folder": as_folder,
    "tar": as_tar,
    "zip": as_zip,
    "parquet": as_parquet,
    "parquet, one row group": as_one_row_group,
    "hf-disk": as_saved,
}


def timed(dataset: str) -> Seconds:
    """Return the seconds of each step."""
    started = time.process_time()
    opened = open_dataset(dataset)
    found = {"opened": time.process_time() - started}
    for step, work in (("read", _read), ("decoded", _decode)):
        started = time.process_time()
        work(opened)
        found[step] = time.process_time() - started
    return found


def _read(dataset: Dataset) -> None:
    for samples in dataset.splits:
        for row in range(len(samples)):
            assert samples.encoded is not None
            samples.encoded(row)


def _decode(dataset: Dataset) -> None:
    with ThreadPoolExecutor(2) as pool:
        for samples in dataset.splits:
            for _ in pool.map(samples.read, range(len(samples)), chunksize=16):
                pass


def rates(images: int, size: tuple[int, int], rounds: int) -> dict[str, Seconds]:
    """Return the images a second of each source and step."""
    with tempfile.TemporaryDirectory() as temporary:
        place, folder = Path(temporary), Path(temporary) / "folder"
        write(made_up(size, images), folder)
        datasets = {name: make(folder, place) for name, make in SOURCES.items()}
        taken = [{name: timed(dataset) for name, dataset in datasets.items()} for _ in range(rounds)]
    return {name: {step: images / median(one[name][step] for one in taken) for step in STEPS} for name in SOURCES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--thumbnails", type=int, default=4000)
    parser.add_argument("--photographs", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = {kind: rates(getattr(asked, kind), size, asked.rounds) for kind, size in SIZES.items()}
    for kind, of in found.items():
        print(f"\n{getattr(asked, kind):,} {kind}: images a second of one core (beside the folder's)")
        print(f"{'':24}" + "".join(f"{step:>18}" for step in STEPS))
        for name, own in of.items():
            cells = [f"{own[step]:10,.0f} ({own[step] / of['folder'][step]:4.2f})" for step in STEPS]
            print(f"{name:24}" + "".join(f"{cell:>18}" for cell in cells))
    if asked.json:
        asked.json.write_text(json.dumps({**machine(), "rates": found}, indent=2))


if __name__ == "__main__":
    main()
