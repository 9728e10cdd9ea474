"""Call a user's factory: ``file.py:factory`` or ``pkg.module:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.user_code.locate import factory_file


def call_factory(name: str, arguments: Mapping[str, Any] | None = None) -> Any:
    """Return what a factory, or a class, returns when it is called with named arguments.

    A file can import what lies next to it, as a script can; a module is looked for in the
    current folder, too. Raises ConfigError: no such file, module or function; whatever the
    code raises.
    """
    file = factory_file(name)
    place = name.rpartition(":")[0]
    with _importable(file if place.endswith(".py") else None):
        try:
            return _function(name, file)(**(arguments or {}))
        except ConfigError:
            raise
        except Exception as error:  # the user's code may raise anything
            raise ConfigError(f"{name} raised {type(error).__name__}: {error}") from error


def _function(name: str, file: Path) -> Callable[..., Any]:
    place, _, attribute = name.rpartition(":")
    module = _run(file) if place.endswith(".py") else importlib.import_module(place)
    if not callable(getattr(module, attribute, None)):
        functions = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise unknown_name(f"factory in {place}", attribute, functions)
    return cast(Callable[..., Any], getattr(module, attribute))


def _run(file: Path) -> ModuleType:
    """Run a source file as a module; registered, because dataclasses look their module up."""
    name = f"_frostline_factory_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _importable(file: Path | None) -> Iterator[None]:
    """Let imports find what lies next to a file first, or what lies in the current folder last."""
    folder = str(file.absolute().parent if file else Path.cwd())
    sys.path.insert(0 if file else len(sys.path), folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
