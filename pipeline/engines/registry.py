"""The door of engines, and which of them a setting means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from typing import cast

from frostline.pipeline.engines.base import CellEngine, CheckedEngine, Engine, ToldEngine
from frostline.pipeline.plan.machine import devices_of
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.plugins import Door

AUTO = "auto"
ENGINES: Door[Engine | ToldEngine] = Door(
    "engine",
    "frostline.engines",
    {
        "local": "frostline.pipeline.engines.local:fill",
        "processes": "frostline.pipeline.engines.processes:fill",
        "array": "frostline.pipeline.engines.array:ENGINE",
        "ray": "frostline.pipeline.engines.on_ray.engine:ENGINE",
    },
    callable,
)


def name_of(setting: str) -> str:
    """Return the name of an engine, without what stands after the first colon."""
    return setting.partition(":")[0]


def check_engine_name(setting: str) -> None:
    """Raise ConfigError with the nearest names if there is no such engine, or one that takes no argument has one.

    None is loaded but that one, and only with an argument.
    """
    name, colon, argument = setting.partition(":")
    if name != AUTO and name not in ENGINES:
        raise unknown_name("engine", name, [AUTO, *ENGINES.names()])
    if colon:
        _told(name, argument)


def check_engine(setting: str) -> None:
    """Do the same, and have the engine look at its argument and at what it needs: before anything is read.

    Raises ConfigError.
    """
    check_engine_name(setting)
    name, _, argument = setting.partition(":")
    engine = None if name == AUTO else ENGINES.load(name)
    if isinstance(engine, CheckedEngine):
        engine.check(argument)


def engine_for(setting: str, device: str) -> Engine:
    """Return the engine of a setting; ``auto`` means a process for each of several GPUs, else this process.

    Raises ConfigError: no such engine, no such device, an engine that can't be loaded or takes no argument.
    """
    name, colon, argument = setting.partition(":")
    if colon:
        return _told(name, argument)
    if name == AUTO:
        name = "processes" if len(devices_of(device)) > 1 else "local"
    return _told(name, "") if _takes_more(name) else cast(Engine, ENGINES.load(name))


def cell_fitter(setting: str, work: str) -> Callable[[Sequence[str]], Sequence[str]] | None:
    """Return what has heads of a bench fitted on other machines, if the engine of a setting does that.

    That is ``fit_cells(work, cells, argument)`` of the engine; see ``CellEngine``.
    """
    name, _, argument = setting.partition(":")
    engine = None if name == AUTO else ENGINES.load(name)
    return partial(engine.fit_cells, work, argument=argument) if isinstance(engine, CellEngine) else None


def _told(name: str, argument: str) -> Engine:
    if name == AUTO or not _takes_more(name):
        raise ConfigError(f"engine {name!r} takes nothing after its name; expected {name}, got {name}:{argument}")
    return partial(cast(ToldEngine, ENGINES.load(name)), argument=argument)


def _takes_more(name: str) -> bool:
    return "argument" in signature(ENGINES.load(name)).parameters
