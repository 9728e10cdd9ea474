"""Settings of one command from all their sources.

What is given on the command line wins over ``FROSTLINE_<NAME>`` in the environment, that
over the file, that over the defaults. An unknown name is an error with a hint.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from frostline.pipeline.settings.base import AnySettings
from frostline.pipeline.settings.extraction import PredictSettings, RankSettings
from frostline.pipeline.settings.run import Settings
from frostline.stages.buckets.cache import CACHE_VARIABLE
from frostline.stages.errors import ConfigError, unknown_name

PREFIX = "FROSTLINE_"

Model = TypeVar("Model", bound=AnySettings)


def load_settings(
    model: type[Model],
    given: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Model:
    """Return the settings of one command from all their sources.

    The file and the environment may hold any setting of Frostline, ``model`` takes its own.
    Raises ConfigError for unknown names, with a hint, and for values that can't be.
    """
    known = {*Settings.model_fields, *PredictSettings.model_fields, *RankSettings.model_fields}
    from_file = _read(file) if file else {}
    _check_no_matrix(file, from_file)
    settings = {n: v for n, v in (environ or {}).items() if n.startswith(PREFIX) and n != CACHE_VARIABLE}
    from_environ = {n.removeprefix(PREFIX).lower(): v for n, v in settings.items()}
    for where, source in (("setting in " + str(file), from_file), ("environment setting", from_environ)):
        for name in source:
            if name not in known:
                raise unknown_name(where, name, known)
    merged = {n: v for n, v in {**from_file, **from_environ}.items() if n in model.model_fields}
    return model.of_flags(**{**merged, **(given or {})})


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"can't read the settings file {file} ({why}); expected a TOML file") from error


def _check_no_matrix(file: Path | None, found: Mapping[str, Any]) -> None:
    """Raise ConfigError for the file of a bench: it has tables where a setting has values."""
    tables = [n for n in ("dataset", "backbone", "head") if isinstance(found.get(n), list) and _holds_tables(found[n])]
    if tables or "defaults" in found:
        what = ", ".join(f"[[{name}]]" for name in tables) or "[defaults]"
        raise ConfigError(f"{file} looks like a matrix, with {what}; `frostline bench {file}` runs it")


def _holds_tables(values: list[Any]) -> bool:
    return any(isinstance(value, dict) for value in values)
