"""A blob as a file that pyarrow reads: by its path, or by ranges."""

from __future__ import annotations

import io
import os
from importlib.util import find_spec
from typing import Any

from frostline.stages.datasets.containers.blob import Blob, LocalBlob
from frostline.stages.errors import ConfigError


class BlobFile(io.RawIOBase):
    """Bytes that are read by position, as a file."""

    def __init__(self, blob: Blob) -> None:
        self._blob, self._at = blob, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._blob.size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes from here on, or fewer at the end. Raises DataError where they can't be read."""
        left = max(0, self._blob.size - self._at)
        data = self._blob.read(self._at, left if size < 0 else min(size, left))
        self._at += len(data)
        return data


def opened(blob: Blob) -> Any:
    """Return what ``pyarrow`` can read a blob from. Raises ConfigError if pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise ConfigError(f"{blob.name} needs pyarrow; `pip install 'frostline[parquet]'`")
    import pyarrow

    return str(blob.path) if isinstance(blob, LocalBlob) else pyarrow.PythonFile(BlobFile(blob), "r")
