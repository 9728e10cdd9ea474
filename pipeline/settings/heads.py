"""Settings that name the heads and how each is chosen."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Self, Unpack

from pydantic import ConfigDict, Field, field_validator, model_validator

from frostline.pipeline.settings.extraction import ExtractSettings
from frostline.pipeline.settings.parsing import GivenFolds, GivenGrid, Grid, Names, Params
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.heads import HEADS, HeadSpec, head_kind, head_spec
from frostline.stages.heads.kinds import Number, heads_for
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.heads.spec import ClassWeight, Scaling
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

if TYPE_CHECKING:
    from frostline.pipeline.settings.keywords import HeadKeywords

_LARGER = tuple(10 ** (i / 2) for i in range(9, 13))
_CHOOSING = {"hold_out", "folds", "criterion", "per_label"}


class HeadSettings(ExtractSettings):
    """Everything that ``fit`` and ``evaluate`` take: dataset, backbone, heads, and how each head is chosen."""

    model_config = ConfigDict(title="head")

    if TYPE_CHECKING:

        def __init__(self, **given: Unpack[HeadKeywords]) -> None: ...

    head: Names = Field(
        default=("logreg",),
        description=f"{', '.join(HEADS.names())}, a scikit-learn module:Class or file.py:factory, "
        f"or a published protocol: {', '.join(PROTOCOLS)}",
        json_schema_extra={
            "metavar": "NAME,…",
            "brief": "logreg, ridge, knn, …, or a protocol: dinov2-logreg, …",
        },
    )
    grid: GivenGrid = Field(
        default=None,
        description="values of the head's hyperparameter to try, for example C=0.1,1,10; one value fixes it",
        json_schema_extra={"metavar": "NAME=X,X,…", "default": "the head's own"},
    )
    head_params: Params = Field(
        default={},
        description="other options of the head",
        json_schema_extra={"metavar": "NAME=VALUE,…"},
    )
    hold_out: float = Field(
        default=0.1, gt=0, lt=1, description="fraction of the training rows used to choose the hyperparameter"
    )
    folds: GivenFolds = Field(
        default="auto",
        description="cross-validate with N stratified folds; loo: leave-one-out; 0: hold out a fraction; auto: five "
        "folds, repeated if rows are few, or a hold-out of 10,000 rows or more",
        json_schema_extra={"metavar": "{auto,N,loo,0}"},
    )
    scaling: Scaling = Field(
        default="none", description="standardize: each feature to mean 0, variance 1; l2: rows to length 1"
    )
    class_weight: ClassWeight = Field(default="none", description="balanced: every class has the same weight")
    criterion: str = Field(
        default="",
        description="how held-out rows choose the hyperparameter: by the usual rule (the most regularised value "
        "within half a standard error of the lowest log-loss; ridge and svm: the middle one within that of the lowest "
        "error rate) or by balanced_accuracy; for regression by " + ", ".join(TARGETS.load("regression").criteria),
        json_schema_extra={"metavar": "NAME", "default": "the usual rule; for regression by r2"},
        exclude_if=operator.not_,  # records and digests of before know no such setting
    )
    per_label: bool = Field(
        default=False,
        description="choose the hyperparameter separately for each label of a multi-label target",
        exclude_if=operator.not_,
    )

    @field_validator("class_weight", mode="before")
    @classmethod
    def _no_weight(cls, given: Any) -> Any:
        return "none" if given is None else given

    @model_validator(mode="before")
    @classmethod
    def _held_out(cls, given: Any) -> Any:
        """A share that is named is held out, however many rows there are."""
        return {"folds": 0, **given} if isinstance(given, dict) and "hold_out" in given else given

    @model_validator(mode="after")
    def _check_heads(self) -> HeadSettings:
        if isinstance(self.folds, int) and not (self.folds == 0 or 2 <= self.folds <= 100):
            raise ValueError(f"expected --folds 2 to 100, auto, loo, or 0 to hold out a fraction, got {self.folds}")
        if self.folds and "hold_out" in self.model_fields_set:
            raise ValueError("--hold-out and --folds can't be combined: they are two ways to choose; give one of them")
        if self.folds == "loo" and (self.scaling == "standardize" or len(self.views) > 1):
            raise ValueError(
                "--folds loo can't be combined with --scaling standardize or several views, which use every row; "
                "expected a number of folds"
            )
        own = [f"--{n.replace('_', '-')}" for n in ("grid", "head_params") if n in self.model_fields_set]
        if own and len(self.head) > 1:
            raise ValueError(f"expected one head with {' and '.join(own)}, got {', '.join(self.head)}")
        fixed = self.model_fields_set & {*_CHOOSING, "grid", "head_params", "scaling", "class_weight"}
        protocols = [name for name in self.head if name in PROTOCOLS]
        if fixed and protocols:
            fixed -= {"folds"} if "hold_out" in fixed else set()
            said = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(fixed))
            raise ValueError(f"expected no {said} with {protocols[0]}: the protocol fixes them")
        return self

    def suited(self, kind: str) -> Self:
        """Return the settings for a kind of target: with its usual head where none is named.

        Raises ConfigError for heads that are not for it, with those that are, and for ways to choose that are of other
        kinds.
        """
        target = TARGETS.load(kind)
        given = self.model_fields_set
        usual: dict[str, Any] = {} if "head" in given else {"head": (target.usual_head,)}
        if self.criterion and target.chosen_by(self.criterion) and self.criterion == target.criteria[0]:
            usual["criterion"] = ""
        if self.per_label and not target.per_name:
            raise ConfigError(f"expected a multi-label target for --per-label, got {kind}")
        own = self.model_copy(update=usual)
        for name in own.head:
            if kind not in head_kind(own.spec(name).kind).accepts:
                raise ConfigError(f"head {name} with a {kind} target; expected one of {', '.join(heads_for(kind))}")
        return own

    def beside(self, backbone: str) -> Self:
        """Return the settings for the same heads on another backbone's features, such as a baseline's."""
        return self.model_copy(update={"backbone": backbone})

    def _usual_grid(self, name: str) -> tuple[Number, ...] | None:
        """Return another grid than the head's own: weights of words are small, so that C must be larger."""
        return (*head_kind(name).grid, *_LARGER) if name == "logreg" and self.backbone.startswith("tfidf:") else None

    def spec(self, name: str) -> HeadSpec:
        """Return the spec of one of the heads. Raises ConfigError for names and values that can't be."""
        if name in PROTOCOLS:
            return PROTOCOLS[name].spec(self.seed, self.dataset)
        if ":" not in name and name not in HEADS:
            raise unknown_name("head", name, [*HEADS.names(), *PROTOCOLS, "module:Class", "file.py:factory"])
        grid = self.grid or Grid(None, ())
        chosen = sorted(self.model_fields_set & _CHOOSING, reverse=True)
        if len(grid.values) == 1 and chosen:
            said = chosen[0].replace("_", "-")
            raise ConfigError(f"expected several values of --grid with --{said}, got one; there is nothing to choose")
        how: dict[str, Any] = {n: getattr(self, n) for n in (*_CHOOSING, "scaling", "class_weight", "seed")}
        how |= {"parameter": grid.parameter, "options": self.head_params}
        target = next(iter(head_kind(name).accepts), DEFAULT)  # whether it suits the dataset's is not known here
        return head_spec(name, grid.values or self._usual_grid(name), target=target, **how)
