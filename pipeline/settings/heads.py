"""Settings that name the heads and how each is chosen."""

from __future__ import annotations

import operator
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from frostline.pipeline.settings.extraction import ExtractSettings
from frostline.pipeline.settings.parsing import GivenFolds, GivenGrid, Grid, Names, Params
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.heads import HEADS, HeadSpec, head_kind, head_spec
from frostline.stages.heads.kinds import heads_for
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.heads.spec import ClassWeight, Scaling
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

FEW_GROUPS = 20  # held out
FEW_HELD = 200  # rows held out: a score of many labels, or a correlation, of fewer says little
_CHOOSING = {"hold_out", "folds", "criterion", "per_label"}


class HeadSettings(ExtractSettings):
    """Which classifiers, and how each is chosen."""

    model_config = ConfigDict(title="head")

    head: Names = Field(
        default=("logreg",),
        description=f"{', '.join(HEADS.names())}, a scikit-learn module:Class or file.py:factory, "
        f"or a published protocol: {', '.join(PROTOCOLS)}; several by commas",
    )
    grid: GivenGrid = Field(
        default=None,
        description="values of its parameter to choose from, or one to take: C=0.1,1,10 (default: the head's own)",
    )
    head_params: Params = Field(default={}, description="what else the head is given: NAME=VALUE,NAME=VALUE")
    hold_out: float = Field(default=0.1, gt=0, lt=1, description="share of the training rows that chooses")
    folds: GivenFolds = Field(
        default=0, description="choose by so many folds, or loo: each row by all others; 0: hold out a share"
    )
    scaling: Scaling = Field(default="none", description="of each feature, or of each row (l2)")
    class_weight: ClassWeight = Field(default="none", description="balanced: every class counts the same")
    criterion: str = Field(
        default="",
        description="the score by which heads for numbers are chosen: "
        f"{', '.join(TARGETS.load('regression').criteria)} (default: r2)",
        exclude_if=operator.not_,  # records and digests of before know no such setting
    )
    per_label: bool = Field(
        default=False,
        description="the value of the parameter chosen for each label of a multi-label target by itself",
        exclude_if=operator.not_,
    )

    @model_validator(mode="after")
    def _check_heads(self) -> HeadSettings:
        if self.folds != "loo" and not (self.folds == 0 or 2 <= self.folds <= 100):
            raise ValueError(f"folds {self.folds}; wanted 2 to 100, loo, or 0 to hold out a share")
        if self.folds and "hold_out" in self.model_fields_set:
            raise ValueError("hold-out and folds; wanted one of them, they are two ways to choose")
        if self.folds == "loo" and (self.scaling == "standardize" or len(self.views) > 1):
            raise ValueError(
                "folds loo with standardised features or several views, which know every row; wanted a number"
            )
        own = [f"--{n.replace('_', '-')}" for n in ("grid", "head_params") if n in self.model_fields_set]
        if own and len(self.head) > 1:
            raise ValueError(f"{' and '.join(own)} with {len(self.head)} heads; wanted one head with them")
        fixed = self.model_fields_set & {*_CHOOSING, "grid", "head_params", "scaling", "class_weight"}
        protocols = [name for name in self.head if name in PROTOCOLS]
        if fixed and protocols:
            raise ValueError(f"{', '.join(sorted(fixed))} with {protocols[0]}; a protocol fixes them, wanted none")
        return self

    def suited(self, kind: str, rows: int, groups: int = 0) -> Self:
        """Return the settings for a kind of target: with its usual head where none is named.

        Numbers and several labels are chosen by folds, unless told otherwise, where a hold-out of the training
        ``rows`` would be fewer than 200; anything in ``groups``, where it would be fewer than 20 of those. Raises
        ConfigError for heads that are not for it, with those that are, and for ways to choose that are of other kinds.
        """
        target = TARGETS.load(kind)
        given = self.model_fields_set
        usual: dict[str, Any] = {} if "head" in given else {"head": (target.usual_head,)}
        few = kind != DEFAULT and self.hold_out * rows < FEW_HELD
        few_groups = bool(groups) and self.hold_out * groups < FEW_GROUPS
        if (few or few_groups) and not given & {"folds", "hold_out"} and not (self.grid and len(self.grid.values) == 1):
            usual["folds"] = min(5, groups or 5)
        if self.criterion and target.chosen_by(self.criterion) and self.criterion == target.criteria[0]:
            usual["criterion"] = ""
        if self.per_label and not target.per_name:
            raise ConfigError(f"per-label with a {kind} target; wanted for multi-label targets only")
        own = self.model_copy(update=usual)
        for name in own.head:
            if kind not in head_kind(own.spec(name).kind).accepts:
                raise ConfigError(f"head {name} with a {kind} target; expected one of {', '.join(heads_for(kind))}")
        return own

    def spec(self, name: str) -> HeadSpec:
        """Return the spec of one of the heads. Raises ConfigError for names and values that can't be."""
        if name in PROTOCOLS:
            return PROTOCOLS[name].spec(self.seed)
        if ":" not in name and name not in HEADS:
            raise unknown_name("head", name, [*HEADS.names(), *PROTOCOLS, "module:Class", "file.py:factory"])
        grid = self.grid or Grid(None, ())
        chosen = sorted(self.model_fields_set & _CHOOSING)
        if len(grid.values) == 1 and chosen:
            raise ConfigError(f"{chosen[0].replace('_', '-')} with one value of --grid; there is nothing to choose")
        how: dict[str, Any] = {n: getattr(self, n) for n in (*_CHOOSING, "scaling", "class_weight", "seed")}
        how |= {"parameter": grid.parameter, "options": self.head_params}
        target = next(iter(head_kind(name).accepts), DEFAULT)  # whether it suits the dataset's is not known here
        return head_spec(name, grid.values or None, target=target, **how)
