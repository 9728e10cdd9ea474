"""Pages written: one HTML file each, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.html.evidence import evidence_of
from pipeline.html.record import RUN, read_run
from pipeline.report import PAGE
from stages.datasets import Dataset
from stages.errors import ConfigError, FrostlineError, StoreError, printable
from stages.store import make_folder, write_atomic

COMPARISON = "comparison.html"


def write_page(folder: Path, out: Path | None = None, dataset: Dataset | None = None) -> Path:
    """Write the page of the run in a folder, by default beside its run.json, and return where it is.

    ``dataset``: the run's, if it is at hand. Of the samples and features that are gone the
    page says so. Raises ConfigError if no run is there, StoreError if its record is damaged.
    """
    from pipeline.html.story import MAPPED, story

    run = read_run(folder)
    context = _told(run.folder / RUN, lambda: story(run, evidence_of(run, dataset, MAPPED)))
    return _write(out or run.folder / PAGE, "run.html", context)


def write_comparison(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Write one page that compares several runs, by default in the current folder, and return where it is.

    Raises ConfigError if there is nothing to compare, DataError if the runs were tested on other samples.
    """
    from pipeline.html.comparison import comparison

    runs = list({run.folder.resolve(): run for run in map(read_run, folders)}.values())
    context = _told(" and ".join(str(run.folder / RUN) for run in runs), lambda: comparison(runs))
    return _write(out or Path(COMPARISON), "comparison.html", context)


def page_for(folders: Sequence[Path], out: Path | None = None) -> Path:
    """Write the page of one run, or the comparison of several."""
    if out is not None and out.is_dir():
        raise ConfigError(f"{out} is a folder; wanted the name of a file for the page")
    return write_page(folders[0], out) if len(folders) == 1 else write_comparison(folders, out)


def _told(where: object, tell: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a page says. Raises StoreError if a run.json has its parts but not what belongs into them."""
    try:
        return tell()
    except FrostlineError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise StoreError(
            f"{where} is not as this version of frostline writes it ({type(error).__name__}: {error}); "
            "`frostline run` with the same settings writes it again"
        ) from error


def _write(path: Path, template: str, context: dict[str, Any]) -> Path:
    make_folder(path.parent)
    write_atomic(path, _render(template, context).encode())
    return path


def _render(template: str, context: dict[str, Any]) -> str:
    """Return a template filled in; all text is escaped, and what can't be seen in it written out."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pipeline.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["n"] = lambda value: f"{value:,}"
    return environment.get_template(template).render(context)
