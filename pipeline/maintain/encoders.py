"""What encoders can be named: by family, with what is known of each before it is loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from frostline.pipeline.report.table import Table, aligned
from frostline.stages.backbones.families.base import Encoder
from frostline.stages.backbones.families.registry import FAMILIES, blamed, check_installed, full_name
from frostline.stages.errors import ConfigError, counted, listing

log = logging.getLogger("frostline")
DESCRIBED = 60
"""How many names are described; of more, the names alone are listed: each may take a second."""
_WEIGHTS = {True: "here", False: "to be downloaded", None: ""}


@dataclass(frozen=True)
class Named:
    """A name for ``--backbone``, and what is known of it."""

    name: str
    known: Encoder


def list_encoders(pattern: str = "") -> list[Named]:
    """Return the encoders whose names match: all that contain the pattern, or that it fits where it has * or ?.

    A family's prefix asks that family alone. Families whose libraries are not installed are named in the log. Raises
    ConfigError where nothing matches.
    """
    prefix, colon, rest = pattern.partition(":")
    asked = [prefix] if colon and prefix in FAMILIES else list(FAMILIES.names())
    own = rest if colon and prefix in FAMILIES else pattern
    missing: list[str] = []
    found = [(family, name) for family in asked for name in _names(family, missing) if _matches(name, own)]
    if not found:
        raise _none_matches(pattern, missing)
    described = len(found) <= DESCRIBED
    return [
        Named(full_name(f"{family}:{name}"), _known(family, name) if described else Encoder()) for family, name in found
    ]


def encoders_json(found: Sequence[Named]) -> list[dict[str, Any]]:
    """Return the encoders as JSON values."""
    return [{"name": one.name, **asdict(one.known)} for one in found]


def encoders_table(found: Sequence[Named]) -> str:
    """Return the encoders for a terminal."""
    table = Table("", ("encoder", "width", "images", "licence", "weights"), "<>><<", tuple(map(_cells, found)))
    more = [f"Width, size, licence and weights are shown for patterns with at most {DESCRIBED} matches, as vit_b."]
    return "\n".join([*aligned(table), counted(len(found), "encoder"), *(more if len(found) > DESCRIBED else [])])


def _none_matches(pattern: str, missing: Sequence[str]) -> ConfigError:
    """Return what to say where nothing matches. ``missing``: why families could not be asked."""
    if missing:
        return ConfigError(
            f"no installed encoder matches {pattern!r}; these families were not searched, because they are not "
            "installed:\n" + listing(missing, len(missing))
        )
    return ConfigError(f"no encoder matches {pattern!r}; expected part of a name, such as dinov2 or timm:vit_*")


def _names(prefix: str, missing: list[str]) -> Iterator[str]:
    """Yield a family's names; where it can't be asked, none, and ``missing`` has why."""
    try:
        family = FAMILIES.load(prefix)
        check_installed(f"{prefix}:", family)
        with blamed(f"{prefix}:"):
            yield from family.names()
    except ConfigError as error:
        log.info("note: %s", error)
        missing.append(str(error))


def _known(prefix: str, name: str) -> Encoder:
    with blamed(f"{prefix}:"):
        return FAMILIES.load(prefix).describe(name)


def _matches(name: str, pattern: str) -> bool:
    name, pattern = name.lower(), pattern.lower()
    return fnmatchcase(name, pattern) if set(pattern) & set("*?") else pattern in name


def _cells(one: Named) -> tuple[str, ...]:
    known = one.known
    size = f"{known.size[0]} × {known.size[1]}" if known.size else ""
    return one.name, f"{known.width:,}" if known.width else "", size, known.licence, _WEIGHTS[known.here]
