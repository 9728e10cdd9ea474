"""Which head, and how it is chosen: by name, without loading what it is made with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from math import log
from typing import Any, Literal

from frostline.stages.errors import ConfigError
from frostline.stages.heads.kinds import DINOV2_GRID, HEADS, TINY, Kind, Number, head_kind
from frostline.stages.records.sealed import digest
from frostline.stages.targets.base import DEFAULT
from frostline.stages.user_code.locate import code_digest

Scaling = Literal["none", "standardize", "l2"]
ClassWeight = Literal["none", "balanced"]
Folds = int | Literal["loo", "auto"]
Ties = Literal["", "first", "last", "coarse-to-fine"]
Rule = Literal["", "best", "stable"]
_LATER = ("criterion", "per_label", "ties", "epsilon", "validation", "rule")  # not recorded where empty
_SHARE = 0.1


@dataclass(frozen=True)
class HeadSpec:
    """A head: its kind, the values of its parameter, and how one of them is chosen.

    ``kind``: a name of ``HEADS``, or a scikit-learn estimator as ``module:Class`` or
    ``file.py:factory``. ``code``: the digest of the source of an estimator or of a distribution's solver.
    ``grid``: ascending values of ``parameter``; ``options``: what else the solver or the estimator is given, by name.

    Chosen on a share ``hold_out`` of the training rows, or by ``folds`` of them where that is
    not 0, each in turn (``loo``: every row by all others; ``auto``: as suits how many rows there are, see
    ``frostline.stages.fit.scheme``). ``rule``: ``stable`` takes, of the values that the rows can't tell apart, one that
    other rows would lead to as well; ``best`` the one that is right most often, as published protocols do; empty where
    there is nothing to choose. ``scaling``: ``standardize`` divides
    each feature, less its mean, by its deviation over the rows that are fitted on; ``l2``
    divides each row by its length. ``class_weight``: ``balanced`` weighs each class as much as
    any other. ``criterion``: the score by which a value is chosen, where the kind of target has several; empty for its
    usual one. ``per_label``: whether each label of a multi-label target has a value of its own. ``ties``: which of the
    values that are equally good is taken, where a published protocol says so: the first of the grid, the last, or
    what CLIP_benchmark's search ends at; empty for Frostline's own rule. ``epsilon``: added to each feature's
    deviation by ``standardize``. ``validation``: what the ids of the rows begin with that are held out, instead of a
    share. ``format`` goes up when the same spec comes to give other numbers, so that cached
    heads are not treated as new ones.
    """

    kind: str = "logreg"
    parameter: str = "C"
    grid: tuple[Number, ...] = DINOV2_GRID
    options: Mapping[str, Any] = field(default_factory=dict)
    hold_out: float = 0.1
    folds: Folds = 0
    scaling: Scaling = "none"
    class_weight: ClassWeight = "none"
    seed: int = 0
    code: str = ""
    format: int = 6
    criterion: str = ""
    per_label: bool = False
    ties: Ties = ""
    epsilon: float = 0.0
    validation: str = ""
    rule: Rule = ""

    def __post_init__(self) -> None:
        """Raise ConfigError for two rules at once: ``ties`` are of equally good values, ``stable`` asks no score."""
        if self.ties and self.rule == "stable":
            raise ConfigError(f"ties {self.ties!r} with the rule 'stable', which has no ties; expected the rule 'best'")

    @property
    def default(self) -> Number:
        """Of the grid, the value nearest to the kind's default: taken where there is nothing to choose by."""
        if ":" in self.kind:
            return self.grid[len(self.grid) // 2]
        wanted = log(max(head_kind(self.kind).default, TINY))
        return min(self.grid, key=lambda value: abs(log(max(value, TINY)) - wanted))


def spec_fields(spec: HeadSpec) -> dict[str, Any]:
    """Return a spec as it is recorded, and as the digests of heads have it.

    What came later is left out where it has its default, so that heads of before stay what they are.
    """
    fields = asdict(spec)
    return {name: value for name, value in fields.items() if value or name not in _LATER}


def head_spec(
    name: str,
    grid: Sequence[Number] | None = None,
    *,
    parameter: str | None = None,
    options: Mapping[str, Any] | None = None,
    folds: Folds | None = None,
    hold_out: float | None = None,
    target: str = DEFAULT,
    **more: Any,
) -> HeadSpec:
    """Return the spec of a head by name, its own parameter and grid where none are given.

    Neither ``folds`` nor ``hold_out``: the scheme follows the number of rows; ``folds`` 0 without it: a tenth is held
    out. Raises ConfigError: no such head; one that is not for the kind of ``target``; a parameter that is not what the
    head is chosen by; ``loo`` for a head that can't do it.
    """
    kind = head_kind(name)
    if target not in kind.accepts:
        able = ", ".join(other for other in HEADS.names() if _accepts(other, target)) or "none is installed"
        raise ConfigError(f"{name} is a head for {', '.join(kind.accepts)} targets; heads for {target} targets: {able}")
    own = (parameter or "") if ":" in name else kind.parameter
    if (grid is not None or parameter) and not own:
        raise ConfigError(_no_parameter(name))
    if parameter not in (None, own):
        raise ConfigError(f"{name} chooses {own}, not {parameter!r}; {_instead(kind, str(parameter), target)}")
    if folds == "loo" and not kind.exact:
        exact = ", ".join(_exact())
        raise ConfigError(f"folds loo with {name}; expected a number of folds. Leave-one-out is available for {exact}")
    values = _checked(name, kind, kind.grid if grid is None else grid)
    how: dict[str, Any] = {"rule": "stable", **_scheme(folds, hold_out), **more}
    if len(values) == 1:  # nothing is chosen
        how |= {"hold_out": 0.0, "folds": 0, "criterion": "", "per_label": False, "ties": "", "rule": ""}
    return HeadSpec(name, own, values, dict(options or {}), code=_code(name, kind), **how)


def _scheme(folds: Folds | None, hold_out: float | None) -> dict[str, Any]:
    """Return both as a spec has them; a share of rows counts where there are no folds."""
    if folds or (folds is None and hold_out is None):
        return {"folds": folds or "auto", "hold_out": 0.0}
    return {"folds": 0, "hold_out": hold_out or _SHARE}


def _accepts(name: str, target: str) -> bool:
    with suppress(ConfigError):
        return target in head_kind(name).accepts
    return False


def _exact() -> Iterator[str]:
    """Yield the heads with leave-one-out; those that can't be loaded have none."""
    for name in HEADS.names():
        with suppress(ConfigError):
            yield from [name] if head_kind(name).exact else []


def _code(name: str, kind: Kind) -> str:
    """Return what tells the code behind a name from any other; empty for Frostline's own, see ``HeadSpec.format``."""
    if name.startswith("sklearn."):
        return version("scikit-learn")
    if ":" in name:
        return code_digest(name)
    if kind.built_in:
        return ""
    found = sorted({code_digest(kind.place(target)) for target in kind.accepts})
    return found[0] if len(found) == 1 else digest(found)


def _instead(kind: Kind, parameter: str, target: str) -> str:
    options = kind.options(target)
    if parameter in options:
        return "set that parameter with --head-params"
    return f"it has no parameter {parameter!r}" + (f"; --head-params takes {', '.join(options)}" if options else "")


def _checked(name: str, kind: Kind, grid: Sequence[Number]) -> tuple[Number, ...]:
    if ":" in name or not kind.parameter:
        return tuple(sorted(set(grid)))
    bad = [value for value in grid if not kind.takes(value)]
    if bad:
        raise ConfigError(f"{kind.parameter} {', '.join(map(str, bad))} for {name}; expected {kind.numbers}")
    return tuple(sorted({int(value) if kind.whole else float(value) for value in grid}))


def _no_parameter(name: str) -> str:
    if ":" in name:
        return f"a grid for {name} without the name of a parameter; expected --grid NAME=VALUE,VALUE,…"
    return f"{name} has no parameter to choose; leave --grid out"
