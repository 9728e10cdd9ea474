"""JSON values read back as the dataclasses that they were written from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

Record = TypeVar("Record")


def validated(kind: type[Record], fields: Mapping[str, Any]) -> Record:
    """Return the dataclass whose ``asdict`` was stored as JSON.

    A field that is absent has its default, one that is unknown is ignored.

    Raises ValueError that names the first field which is not what the dataclass wants.

    >>> from frostline.stages.metrics import Score
    >>> validated(Score, {"value": 0.5, "low": 0, "high": 1, "resamples": 0, "later": True})
    Score(value=0.5, low=0.0, high=1.0, resamples=0)
    """
    try:
        record: Record = _adapter(cast(Hashable, kind)).validate_python(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from error
    return record


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
