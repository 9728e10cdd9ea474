"""The connection to a Ray cluster."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from frostline.stages.errors import ConfigError

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray will do from its next version on
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # what it says of a dead node goes to stdout, where answers are
}
_CLUSTER = re.compile(r"(?:ray://)?(?:\[([^\]/]+)\]|([^:/\s\[\]]+)):(\d{1,5})")
_NAMED = ("", "auto", "local")  # Ray itself looks for these clusters
_ANSWER_SECONDS = 5.0
_TOKEN = re.compile("authenticat|auth token|AuthToken", re.IGNORECASE)


def check_address(address: str) -> None:
    """Raise ConfigError if Ray is not installed, or nothing answers at the address of a cluster (or RAY_ADDRESS)."""
    if find_spec("ray") is None:
        raise _not_installed("not found")
    asked = address or os.environ.get("RAY_ADDRESS", "")
    if asked in _NAMED:
        return
    found = _CLUSTER.fullmatch(asked)
    if not found or int(found[3]) > 65535:
        raise ConfigError(f"Ray address {asked!r}; expected HOST:PORT, such as --engine ray:10.0.0.1:6379, or auto")
    try:
        socket.create_connection((found[1] or found[2], int(found[3])), _ANSWER_SECONDS).close()
    except (OSError, UnicodeError) as error:
        raise _no_cluster(asked, str(error)) from error


def ray_module() -> ModuleType:
    """Return the package. Raises ConfigError without it."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise _not_installed(error) from error
    return ray


def connect(address: str) -> bool:
    """Connect to the cluster at an address, see docs/scale.md; return whether that was not so before.

    Without an address: the cluster of RAY_ADDRESS or of ``ray start`` on this machine; where there is none, one of
    this machine alone, which ends with this process. Raises ConfigError if there is no cluster there.
    """
    ray = ray_module()
    if ray.is_initialized():
        return _same_cluster(address)
    how = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.WARNING}
    with _own_signals(), _quiet_token_warnings():
        try:
            ray.init(address=address or None, **how)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError, ImportError) as error:
            raise _not_connected(address, str(error).strip() or type(error).__name__) from error
    return True


def _same_cluster(address: str) -> bool:
    """Return False: a connection that is there serves. Raises ConfigError if it is known to be to another cluster."""
    joined = str(ray_module().get_runtime_context().gcs_address)
    if _CLUSTER.fullmatch(address) and not address.startswith("ray://") and _place(address) != _place(joined):
        raise ConfigError(
            f"this process is connected to the Ray cluster at {joined}, not {address}; call ray.shutdown() first"
        )
    return False


def _place(address: str) -> tuple[str, str]:
    """Return the machine and port of an address."""
    host, _, port = address.rpartition(":")
    with suppress(OSError, UnicodeError):
        host = socket.gethostbyname(host.strip("[]"))
    from ray.util import get_node_ip_address

    return get_node_ip_address() if host.startswith("127.") else host, port


def _not_connected(address: str, why: str) -> ConfigError:
    """Return the error for a failed connection. Ray does not say it in one where a token is missing, only on stderr."""
    if not _TOKEN.search(why) and address in _NAMED:
        return _no_cluster(address, why.splitlines()[0])
    return ConfigError(
        f"the Ray cluster at {address or 'this machine'} can't be joined ({why.splitlines()[0]}); authentication is "
        "the usual reason: give this machine the token of the head (its ~/.ray/auth_token, or RAY_AUTH_TOKEN or "
        "RAY_AUTH_TOKEN_PATH) and set RAY_AUTH_MODE=token. The versions of Ray and Python must also be the same"
    )


def _no_cluster(address: str, why: str) -> ConfigError:
    return ConfigError(
        f"no Ray cluster at {address or 'this machine'} ({why}); start one with `ray start --head`, and give its "
        "address as --engine ray:HOST:PORT, or give none"
    )


def _not_installed(why: object) -> ConfigError:
    return ConfigError(f"--engine ray needs the package ray ({why}); install it with pip install 'frostline[ray]'")


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
def _quiet_token_warnings() -> Iterator[None]:
    """Leave out what Ray says of the token that it makes for a cluster of this machine alone."""
    noisy = logging.getLogger("ray._private.authentication.authentication_token_setup")
    before = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        yield
    finally:
        noisy.setLevel(before)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Put back what Ray does to SIGTERM: a command ends by its own rules."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
