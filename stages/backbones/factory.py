"""Call a user's factory: ``file.py:factory`` or ``pkg.module:factory``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from torch import nn

from stages.backbones.sources import factory_file
from stages.errors import ConfigError, unknown_name


def made_by_factory(name: str) -> nn.Module:
    """Return the network that a factory returns, called without arguments at seed 0.

    A file can import what lies beside it, as a script can; a module is looked for in the
    current folder, too. A new network is wanted at each call: it is frozen, and rebuilt.
    Raises ConfigError: no such file, module or function; whatever the code raises; not a
    network.
    """
    file = factory_file(name)
    place = name.rpartition(":")[0]
    with _importable(file if place.endswith(".py") else None), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            model = _function(name, file)()
        except ConfigError:
            raise
        except Exception as error:  # the user's code may raise anything
            raise ConfigError(f"the backbone {name} raised {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{name} returned a {type(model).__name__}; wanted a torch.nn.Module")
    return model


def _function(name: str, file: Path) -> Callable[[], Any]:
    place, _, attribute = name.rpartition(":")
    module = _run(file) if place.endswith(".py") else importlib.import_module(place)
    if not callable(getattr(module, attribute, None)):
        functions = [n for n, value in vars(module).items() if callable(value) and not n.startswith("_")]
        raise unknown_name(f"factory in {place}", attribute, functions)
    return cast(Callable[[], Any], getattr(module, attribute))


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
    """Let imports find what lies beside a file first, or what lies in the current folder last."""
    folder = str(file.absolute().parent if file else Path.cwd())
    sys.path.insert(0 if file else len(sys.path), folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
