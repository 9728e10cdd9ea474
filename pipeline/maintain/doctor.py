"""What is installed, what this machine has, where weights and data lie, and what to do about what is missing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

from frostline.pipeline.plan.machine import cores
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.wording import size
from frostline.stages.buckets.address import address_of, is_address
from frostline.stages.errors import ConfigError, DataError, StoreError
from frostline.stages.store.locks import Lock, locked
from frostline.stages.store.places.probe import check_creates

State = Literal["ok", "missing", "broken"]
_REQUIREMENT = re.compile(r"^([\w.-]+)[^;]*(?:;\s*extra == \"([\w-]+)\")?")
_SHOWN = ("torch", "torchvision", "numpy", "scikit-learn", "h5py", "pydantic")
_DEVELOPERS = ("test",)
_LITTLE = 1 << 30


class Finding(NamedTuple):
    """``found``: in words. ``state``: missing is what Frostline works without; ``advice``: what to do, if anything."""

    part: str
    name: str
    found: str
    state: State = "ok"
    advice: str = ""


def doctor(data_dir: Path) -> list[Finding]:
    """Return what there is, part by part; nothing is changed. torch is imported, which takes seconds."""
    return [*_packages(), *_extras(), *_machine(), *_weights(), *_data(data_dir)]


def doctor_json(found: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings as JSON values."""
    return {"broken": broken(found), "findings": [one._asdict() for one in found]}


def broken(found: Sequence[Finding]) -> bool:
    """Return whether something keeps Frostline from working."""
    return any(one.state == "broken" for one in found)


def doctor_text(found: Sequence[Finding]) -> str:
    """Return the findings for a terminal: each part under its name, then what to do."""
    marks = {"ok": "", "missing": "-", "broken": "BROKEN"}
    width = max(len(one.name) for one in found)
    lines = []
    for part in dict.fromkeys(one.part for one in found):
        rows = tuple((f"  {one.name}", one.found, marks[one.state]) for one in found if one.part == part)
        lines += [part, *aligned(Table("", ("", "", ""), "<<<", rows, widths=(width + 2,))), ""]
    todo = dict.fromkeys(f"- {one.advice}" for one in found if one.advice)
    return "\n".join([*lines, *(["what to do", *todo] if todo else ["Nothing is missing."])])


def _packages() -> Iterator[Finding]:
    yield Finding("packages", "frostline", f"{version('frostline')}, Python {platform.python_version()}")
    for name, wanted, extra in _requirements():
        if extra:
            continue
        found = _version(name)
        if found is None:
            yield Finding("packages", name, "not installed", "broken", f"pip install '{wanted}': Frostline needs it")
        elif name in _SHOWN:
            yield Finding("packages", name, found)


def _extras() -> Iterator[Finding]:
    by_extra: dict[str, dict[str, str]] = {}
    for name, wanted, extra in _requirements():
        if extra and extra not in _DEVELOPERS:
            by_extra.setdefault(extra, {})[name] = wanted
    for extra, packages in by_extra.items():
        versions = {name: _version(name) for name in packages}
        text = ", ".join(f"{name} {found or 'not installed'}" for name, found in versions.items())
        if all(versions.values()):
            yield Finding("extras", extra, text)
        else:
            lacking = " ".join(f"'{packages[name]}'" for name, there in versions.items() if not there)
            yield Finding("extras", extra, text, "missing", f"for {extra}: pip install {lacking}")


def _requirements() -> Iterator[tuple[str, str, str]]:
    """Yield each package that Frostline names, as it is wanted, and the extra that it is for, empty for the base."""
    for line in requires("frostline") or []:
        if found := _REQUIREMENT.match(line):
            yield found[1], line.partition(";")[0].strip(), found[2] or ""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _machine() -> Iterator[Finding]:
    yield Finding("machine", "system", f"{platform.system()} {platform.machine()}, {cores()} CPU cores to use")
    try:
        yield from _of_torch()
    except Exception as error:  # a broken install may raise anything
        text = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        yield Finding("machine", "torch", text, "broken", "torch can't be imported: reinstall torch and torchvision")


def _of_torch() -> Iterator[Finding]:
    import torch

    from frostline.stages.backbones.calibrate.precision import fastest_precision

    omp = os.environ.get("OMP_NUM_THREADS")
    yield Finding("machine", "threads", f"{torch.get_num_threads()}" + (f" (OMP_NUM_THREADS={omp})" if omp else ""))
    yield Finding("machine", "bf16 on CPU", "yes" if fastest_precision("cpu") == "bf16" else "no, fp32 is used")
    if not torch.cuda.is_available():
        yield Finding("machine", "GPU", "none that torch can use")
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        own = torch.cuda.get_device_properties(i)
        bf16 = "bf16" if fastest_precision(f"cuda:{i}") == "bf16" else "no bf16"
        yield Finding("machine", f"cuda:{i}", f"{own.name}, {size(own.total_memory)}, {bf16}")


def _weights() -> Iterator[Finding]:
    from frostline.stages.backbones.families.huggingface.folder import cached_names, hub_cache

    home = Path(os.environ.get("TORCH_HOME", Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch"))).expanduser()
    files = list((home / "hub" / "checkpoints").glob("*.pth"))
    yield _place("torchvision", home / "hub" / "checkpoints", len(files), "TORCH_HOME")
    yield _place("Hugging Face", hub_cache(), len(list(cached_names())), "HF_HOME")


def _place(name: str, folder: Path, count: int, variable: str) -> Finding:
    given = "set" if variable in os.environ else "not set"
    return Finding("weights", name, f"{folder}, {count:,} here ({variable} is {given})")


def _data(folder: Path) -> Iterator[Finding]:
    """Yield what the workspace bears: space, and whether files and locks can be made there."""
    if is_address(folder):
        yield _bucket(folder)
        return
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    exists = "" if there == folder.absolute() else ", will be made"
    yield Finding("data folder", "path", f"{folder}{exists}")
    yield _tried("files", there, _written)
    yield _tried("locks", there, _locked)
    free = shutil.disk_usage(there).free
    advice = f"{size(free)} are free in {there}: name another place with --data-dir" if free < _LITTLE else ""
    yield Finding("data folder", "free space", size(free), "missing" if advice else "ok", advice)


def _bucket(place: Path) -> Finding:
    """Return whether shards can be committed in a bucket."""
    try:
        check_creates(address_of(place))
    except (ConfigError, DataError, StoreError) as error:
        return Finding("data folder", "bucket", f"{place} can't be used ({error})", "broken", "see docs/scale.md")
    return Finding("data folder", "bucket", f"{place}, creates an object only where there is none")


def _tried(name: str, folder: Path, attempt: Callable[[Path], str]) -> Finding:
    try:
        with tempfile.TemporaryDirectory(prefix=".frostline-", dir=folder) as inside:
            return Finding("data folder", name, attempt(Path(inside)))
    except (OSError, StoreError) as error:
        advice = f"{folder} can't be written: name another place with --data-dir"
        return Finding("data folder", name, f"can't be made ({error})", "broken", advice)


def _written(folder: Path) -> str:
    (folder / "file").write_bytes(b"written")
    return "can be written"


def _locked(folder: Path) -> str:
    with locked(folder / "lock", wait=False) as lock:
        return "work" if lock is Lock.HELD else "none on this file system: two commands may do the same work"
