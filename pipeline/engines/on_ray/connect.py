"""The connection to a Ray cluster."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from frostline.stages.errors import ConfigError

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray will do, says its warning
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # what it says of a dead node goes to stdout, where answers are
}


def ray_module() -> ModuleType:
    """Return the package. Raises ConfigError without it."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            f"--engine ray needs the package ray ({error}); install it with pip install 'frostline[ray]'"
        ) from error
    return ray


def connect(address: str) -> bool:
    """Connect to the cluster at an address, see docs/scale.md; return whether that was not so before.

    Without an address: the cluster of RAY_ADDRESS or of ``ray start`` on this machine; where there is none, one of
    this machine alone, which ends with this process. Raises ConfigError if there is no cluster there.
    """
    ray = ray_module()
    if ray.is_initialized():
        return False
    how = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.WARNING}
    with _own_signals():
        try:
            ray.init(address=address or None, **how)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError, ImportError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ConfigError(
                f"no Ray cluster at {address or 'this machine'} ({reason}); start one with `ray start --head`, and "
                "give its address as --engine ray:HOST:PORT, or give none"
            ) from error
    return True


def wait(told: Sequence[Any], seconds: float) -> list[Any]:
    """Return which of what is awaited has ended, after at most that many seconds: at least one, if any has."""
    ray = ray_module()
    try:
        done, _ = ray.wait(list(told), num_returns=1, timeout=seconds)
        return list(ray.wait(list(told), num_returns=len(told), timeout=0)[0]) if done else []
    except SystemError as error:  # Ray's compiled code wraps what the handler of a signal raises
        raise _first_cause(error) from None


def _first_cause(error: BaseException) -> BaseException:
    while isinstance(error, SystemError) and error.__cause__ is not None:
        error = error.__cause__
    return error


@contextmanager
def _own_signals() -> Iterator[None]:
    """Put back what Ray does to SIGTERM: a command ends by its own rules."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
