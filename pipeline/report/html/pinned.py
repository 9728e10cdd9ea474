"""Settings that do a run again elsewhere: what was found out on the first samples is pinned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from frostline.pipeline.records.run_record import KeyRecord


def pinned(settings: Mapping[str, Any], key: KeyRecord) -> dict[str, Any]:
    """Return settings with the precision and the decoding that the features of this key were made with.

    Left to themselves they follow the processor, and with it the features do.
    """
    how = {"precision": key.precision}
    if key.decoder.startswith("Pillow"):
        how["decode"] = "scaled" if "JPEG scaled" in key.decoder else "full"
    return {**settings, **{name: value for name, value in how.items() if settings.get(name, "auto") == "auto"}}
