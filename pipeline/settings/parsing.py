"""What the values of settings may look like, from a command line, the environment or a TOML file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator

from frostline.stages.datasets.sources.csv_file import COLUMNS
from frostline.stages.heads.kinds import Number
from frostline.stages.heads.spec import Folds
from frostline.stages.modalities.image.spec import Size, View
from frostline.stages.records.sealed import canonical_json


def _size(value: Any) -> Any:
    if value is None or value == "none":
        return value
    parts = re.split("[x,]", value.lower()) if isinstance(value, str) else value
    try:
        sides = tuple(int(str(part)) for part in (parts if isinstance(parts, list | tuple) else [parts]))
    except ValueError:
        sides = ()
    if len(sides) not in (1, 2) or not all(0 < side <= 8192 for side in sides):
        raise ValueError("expected a number of pixels from 1 to 8192, HxW, or none")
    return sides if len(sides) == 2 else sides[0]


def _parts(value: Any) -> Sequence[Any]:
    """Return what is separated by commas, or listed, or one value alone."""
    if isinstance(value, str):
        return value.split(",")
    value = value.tolist() if hasattr(value, "tolist") else value  # an array, a number of numpy
    return value if isinstance(value, list | tuple) else [value]


def _numbers(value: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in _parts(value))
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ValueError("expected numbers, separated by commas")
    return numbers


def _channels(value: Any) -> Any:
    if value is None:
        return value
    numbers = _numbers(value)
    if len(numbers) not in (1, 3):
        raise ValueError(f"expected one number, or three for R,G,B, got {len(numbers)}")
    return numbers * 3 if len(numbers) == 1 else numbers


class Grid(NamedTuple):
    """Values of a head's parameter; ``parameter`` is None for the head's own."""

    parameter: str | None
    values: tuple[Number, ...]


_OF_GRID = "expected NAME=VALUE,VALUE, for example C=0.1,1,10, or the values alone"


def _grid(value: Any) -> Any:
    if value is None or isinstance(value, Grid):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        [(parameter, value)] = value.items()
    elif isinstance(value, str) and "=" in value:
        parameter, _, value = value.partition("=")
    else:
        parameter = None
    if parameter is not None and not str(parameter).isidentifier():
        raise ValueError(_OF_GRID)
    try:
        numbers = _numbers(value)
    except ValueError:
        raise ValueError(_OF_GRID) from None
    return Grid(parameter, tuple(int(n) if n.is_integer() and abs(n) < 2**53 else n for n in numbers))


def _params(value: Any) -> Any:
    if not isinstance(value, str):
        return _plain(value)
    pairs = [part.partition("=") for part in value.split(",")]
    if not all(name.isidentifier() and equals for name, equals, _ in pairs):
        raise ValueError("expected NAME=VALUE,NAME=VALUE, for example max_iter=500")
    return _plain({name: _scalar(text) for name, _, text in pairs})


_COLUMN_NAMES = f"expected COLUMN=NAME,COLUMN=NAME for the columns {', '.join(COLUMNS)}"


def _columns(value: Any) -> Any:
    pairs = [part.partition("=")[::2] for part in value.split(",")] if isinstance(value, str) else None
    found = value if pairs is None else dict(pairs)
    if not isinstance(found, Mapping) or not {*found} <= {*COLUMNS} or (pairs and len(pairs) > len(found)):
        raise ValueError(_COLUMN_NAMES)
    if not all(isinstance(name, str) and name for name in found.values()):
        raise ValueError(_COLUMN_NAMES)
    return dict(found)


def _plain(value: Any) -> Any:
    """Return what can stand in a record."""
    try:
        canonical_json(value)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("expected finite numbers, words, true or false, or lists of them") from None
    return value


def _scalar(text: str) -> Any:
    """Return a number, true, false or null as JSON has them, and anything else as text."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if found is None or isinstance(found, bool | int | float) else text


def _names(value: Any) -> Any:
    names = tuple(_parts(value))
    if not names or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise ValueError("expected one name, or several different ones separated by commas")
    return names


def _counts(value: Any) -> Any:
    parts = _parts(value)
    if not all(part == "all" or str(part).isdecimal() for part in parts):
        raise ValueError("expected different numbers from 1, separated by commas")
    counts: tuple[Any, ...] = tuple(part if part == "all" else int(str(part)) for part in parts)
    if any(count != "all" and count < 1 for count in counts) or len(set(counts)) < len(counts):
        raise ValueError("expected different numbers from 1, separated by commas")
    return counts


def _shots(value: Any) -> Any:
    counts = _counts(value)
    if "all" in counts:
        raise ValueError("expected numbers of samples per class; all is for --train-sizes")
    return counts


def _folds(value: Any) -> Any:
    if value in ("auto", "loo") or str(value).isdecimal():
        return value if value in ("auto", "loo") else int(str(value))
    raise ValueError("expected auto, a number of folds, loo, or 0 to hold out a fraction")


def _views(value: Any) -> tuple[View, ...]:
    parts = tuple(_parts(value))
    if parts not in (("plain",), ("plain", "hflip")):
        raise ValueError("expected plain, or plain,hflip")
    return parts


GivenSize = Annotated[Size | Literal["none"] | None, BeforeValidator(_size)]
Channels = Annotated[tuple[float, ...] | None, BeforeValidator(_channels)]
Views = Annotated[tuple[View, ...], BeforeValidator(_views)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
GivenGrid = Annotated[Grid | None, BeforeValidator(_grid)]
ColumnNames = Annotated[dict[str, str], BeforeValidator(_columns)]
Params = Annotated[dict[str, Any], BeforeValidator(_params)]
GivenFolds = Annotated[Folds, BeforeValidator(_folds)]
Shots = Annotated[tuple[int, ...], BeforeValidator(_shots)]
TrainSizes = Annotated[tuple[int | Literal["all"], ...], BeforeValidator(_counts)]
