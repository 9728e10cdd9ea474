"""Pages written: one HTML file each, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.pipeline.records.run import PAGE
from frostline.pipeline.report import wording
from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.artifacts import artifacts_of
from frostline.pipeline.report.html.record import Run, open_run
from frostline.pipeline.workspace import opened_folder
from frostline.stages.buckets.address import check_local
from frostline.stages.buckets.cache import named
from frostline.stages.datasets import Dataset
from frostline.stages.errors import ConfigError, DataError, listing, printable
from frostline.stages.metrics.compare import Comparison
from frostline.stages.progress import tell
from frostline.stages.store import make_folder, plain, write_atomic
from frostline.stages.targets.base import DEFAULT

if TYPE_CHECKING:
    from jinja2 import Environment

_PROGRESS = "writing the page"
COMPARISON = "comparison.html"


def write_page(
    folder: Path,
    out: Path | None = None,
    dataset: Dataset | None = None,
    compared: Comparison | None = None,
    *,
    all_pairs: bool = False,
) -> Path:
    """Write the page of the run in a folder, by default beside its run.json, and return where it is.

    ``dataset``: the run's, if it is at hand; ``compared``: its heads, if they were already; ``all_pairs``: every two
    heads are compared, not only the first with each other one. Of the samples
    and features that are gone the page says so. Raises ConfigError if no run is there, StoreError if its
    record is damaged.
    """
    from frostline.pipeline.report.html.run_page import MAPPED, run_page

    tell(_PROGRESS, "steps", 0, 3)
    run = open_run(opened_folder(folder))
    page = out or run.folder / PAGE
    artifacts = artifacts_of(run, dataset, MAPPED, page.parent.absolute())
    tell(_PROGRESS, "steps", 1, 3)
    shown = run_page(run, artifacts, compared, all_pairs=all_pairs)
    tell(_PROGRESS, "steps", 2, 3)
    written = _write(page, "run.html", shown)
    tell(_PROGRESS, "steps", 3, 3)
    return written


def write_comparison(folders: Sequence[Path], out: Path | None = None, *, all_pairs: bool = False) -> Path:
    """Write one page that compares several runs, by default in the current folder, and return where it is.

    Raises ConfigError if there is nothing to compare, DataError if the runs were tested on other samples or predict
    other things.
    """
    from frostline.pipeline.report.html.comparison import comparison

    runs = [open_run(opened_folder(folder)) for folder in folders]
    _check_datasets(runs)
    _check_targets(runs)
    return _write(out or Path(COMPARISON), "comparison.html", comparison(runs, all_pairs=all_pairs))


def page_for(folders: Sequence[Path], out: Path | None = None, *, all_pairs: bool = False) -> Path:
    """Write the page of one run, or the comparison of several; a run that is named twice counts once.

    ``all_pairs``: every two heads are compared.
    """
    if out is not None:
        check_local(out)
    if out is not None and out.is_dir():
        raise ConfigError(f"{out} is a folder; expected the name of a file for the page")
    here = map(opened_folder, folders)
    own = list({(path if path.is_dir() else path.parent).resolve(): path for path in here}.values())
    if len(own) == 1:
        return write_page(own[0], out, all_pairs=all_pairs)
    return write_comparison(own, out, all_pairs=all_pairs)


def _check_datasets(runs: Sequence[Run]) -> None:
    """Raise DataError that says which runs are of which dataset, if these are several."""
    folders: dict[str, list[str]] = {}
    for run in runs:
        folders.setdefault(run.record.dataset, []).append(run.folder.name)
    if len(folders) > 1:
        lines = [f"{name}: {', '.join(own)}" for name, own in folders.items()]
        largest = max(folders, key=lambda name: len(folders[name]))
        hint = f"{os.path.relpath(runs[0].folder.parent)}/{plain(largest)}-*"
        raise DataError(
            f"runs of {len(folders)} datasets can't be compared; name those of one, such as {hint}/\n{listing(lines)}"
        )


def _check_targets(runs: Sequence[Run]) -> None:
    """Raise DataError that says which runs predict what, if these are several things."""
    folders: dict[str, list[str]] = {}
    for run in runs:
        folders.setdefault(_predicted(run), []).append(run.folder.name)
    if len(folders) > 1:
        lines = [f"{what}: {', '.join(own)}" for what, own in folders.items()]
        raise DataError(
            f"runs that predict {len(folders)} different things can't be compared; expected runs of one target, name "
            f"those of one line\n{listing(lines)}"
        )


def _predicted(run: Run) -> str:
    """Return what a run predicts; classes are matched by name later, in whatever order."""
    record = run.record
    return record.kind if record.kind == DEFAULT else f"{record.kind} of {wording.listed(sorted(record.classes), 40)}"


def _write(path: Path, template: str, context: dict[str, Any]) -> Path:
    make_folder(path.parent)
    write_atomic(path, _render(template, context).encode())
    return named(path)


def _render(template: str, context: dict[str, Any]) -> str:
    """Return a template filled in; all text is escaped, and what can't be seen in it written out."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> Environment:
    """Return what templates are compiled in, once a process."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("frostline.pipeline.report.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: wording.unbroken(printable(value)) if type(value) is str else value,
    )
    environment.filters["n"] = lambda value: f"{value:,}"
    environment.filters["flags"] = formatting.flags
    return environment
