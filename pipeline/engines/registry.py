"""The door of engines, and which of them a setting means."""

from __future__ import annotations

from frostline.pipeline.engines.base import Engine
from frostline.pipeline.plan.machine import devices_of
from frostline.stages.errors import unknown_name
from frostline.stages.plugins import Door

AUTO = "auto"
ENGINES: Door[Engine] = Door(
    "engine",
    "frostline.engines",
    {
        "local": "frostline.pipeline.engines.local:fill",
        "processes": "frostline.pipeline.engines.processes:fill",
    },
    callable,
)


def check_engine(name: str) -> None:
    """Raise ConfigError with the nearest names if there is no such engine; none is loaded."""
    if name != AUTO and name not in ENGINES:
        raise unknown_name("engine", name, [AUTO, *ENGINES.names()])


def engine_for(name: str, device: str) -> Engine:
    """Return the engine of a setting; ``auto`` means a process for each of several GPUs, else this process.

    Raises ConfigError: no such engine, no such device, an engine that can't be loaded.
    """
    if name == AUTO:
        name = "processes" if len(devices_of(device)) > 1 else "local"
    return ENGINES.load(name)
