"""What goes wrong with a request, told as DataError. Nothing of credentials, nor of a query, is in an error."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.pool import Unanswered
from frostline.stages.errors import DataError, printable, shortened

log = logging.getLogger("frostline")
LATE_SECONDS = 5.0
_ASKED: set[str] = set()  # buckets whose first answer came, or was said to be late
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL", "GOOGLE_ENDPOINT"),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODES = {
    "PreconditionError": "412",
    "FileNotFoundError": "404",
    "NotFoundError": "404",
    "PermissionDeniedError": "403",
    "UnauthenticatedError": "401",
}
_METADATA = ("169.254.169.254", "169.254.170.2", "metadata.google.internal")
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a public bucket",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=true for a public bucket",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_SKIP_SIGNATURE=true",
}


class NoObject(DataError):
    """There is no such object."""


class NoAccess(DataError):
    """An object may not be seen; of some buckets, one that is not there."""


@contextmanager
def told(address: Address, done: str = "read") -> Iterator[None]:
    """Raise what obstore raises as DataError, in our words; ``done``: what should have been done to the object."""
    try:
        with _first_answer(address):
            yield
    except DataError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("obstore", "builtins")) or isinstance(error, TypeError):
            raise
        raise _said(address, error, done) from None


@contextmanager
def _first_answer(address: Address) -> Iterator[None]:
    """Say, once for each bucket, that its first answer takes long: requests are tried again for minutes."""
    if address.top in _ASKED:
        yield
        return
    late = threading.Timer(LATE_SECONDS, _say_late, [address])
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
        _ASKED.add(address.top)


def _say_late(address: Address) -> None:
    if address.top not in _ASKED:
        _ASKED.add(address.top)
        log.warning("no answer for %s%s yet; still trying, Ctrl-C ends this", address.top, _from_endpoint(address))


def _from_endpoint(address: Address) -> str:
    """Return which server is asked, if the environment says that: its host alone, nothing of credentials."""
    named = next(filter(None, map(os.environ.get, _ENDPOINTS.get(address.scheme, ()))), "")
    try:
        host = urlsplit(named).netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return f" from {host}" if host else ""


def _said(address: Address, error: Exception, done: str) -> DataError:
    """Return what went wrong with a request, and what to do."""
    whole, kind = str(error), type(error).__name__
    status = _STATUS.search(whole)
    code = status[1] if status else _CODES.get(kind, "")
    if "NoSuchBucket" in whole or "ContainerNotFound" in whole:
        return DataError(f"no bucket {address.top}; check its name, and the endpoint in the environment")
    if code == "412":
        return changed(address)
    if code == "404":
        return NoObject(f"no object {address.shown}; check the bucket and the key")
    if code in ("401", "403"):
        return _refused(address, whole)
    return _impossible(address, whole, kind, done) or _unanswered(address, whole, code, done)


def _impossible(address: Address, whole: str, kind: str, done: str) -> DataError | None:
    """Return the error for what no second try helps, None for anything else."""
    if "builder error" in whole:
        return DataError(f"{address.top}: its endpoint in the environment is http://; AWS_ALLOW_HTTP=true allows that")
    if kind in ("NotSupportedError", "NotImplementedError") and done != "read":
        return DataError(f"{address.shown} can't be {done}: the server does not support that")
    if kind == "NotSupportedError":
        return DataError(f"{address.shown}: the server gives no parts of files (206); download the file first")
    return None


def _refused(address: Address, whole: str) -> DataError:
    wanted = _CREDENTIALS.get(address.scheme, "a signed address that is still valid")
    if any(host in whole for host in _METADATA):
        return NoAccess(f"no credentials for {address.top}; expected in the environment: {wanted}")
    return NoAccess(f"{address.shown}: access is refused; expected {wanted}")


def _unanswered(address: Address, whole: str, code: str, done: str) -> DataError:
    if any(host in whole for host in _METADATA):
        return _refused(address, whole)
    cause = f"the server answers {code}" if code else _first_line(whole, address)
    return Unanswered(f"{address.shown} can't be {done}: {cause}; run again when it answers, what is done is kept")


def _first_line(whole: str, address: Address) -> str:
    """Return why a request failed, by obstore, without addresses: they may hold a signature."""
    line = whole.partition("\n")[0]
    if "error sending request" in line or "operation timed out" in line:
        return f"no answer{_from_endpoint(address)}, tried again and again"
    return shortened(printable(re.sub(r"\w+://\S+", "…", line)), 200)


def changed(address: Address) -> DataError:
    """Return the error for an object that is not any more what it was."""
    return DataError(f"{address.shown} changed while it was being used; leave it alone and run again")
