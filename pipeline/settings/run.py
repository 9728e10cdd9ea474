"""Everything that a run takes: heads, a baseline, and training sets drawn at several sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, Unpack

from pydantic import ConfigDict, Field, model_validator

from frostline.pipeline.settings.heads import HeadSettings
from frostline.pipeline.settings.parsing import Shots, TrainSizes
from frostline.stages.errors import ConfigError
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.targets.registry import TARGETS

if TYPE_CHECKING:
    from frostline.pipeline.settings.keywords import RunKeywords


class Settings(HeadSettings):
    """Everything that ``run`` takes: one field for each setting of the command."""

    model_config = ConfigDict(title="run")

    if TYPE_CHECKING:

        def __init__(self, **given: Unpack[RunKeywords]) -> None: ...

    baseline: Literal["auto", "pixels", "tfidf", "spectrum", "none"] = Field(
        default="auto",
        description="also fit the heads on raw pixels, TF-IDF of texts or the mean spectrum of recordings; auto: for "
        "digits, and for up to 20,000 training texts or recordings",
    )
    shots: Shots = Field(
        default=(),
        description="numbers of training samples per class or label, for example 1,4,16",
        json_schema_extra={"metavar": "N,N,…", "default": "all", "brief": "training samples per class: 1,4,16"},
    )
    train_sizes: TrainSizes = Field(
        default=(),
        description="numbers of training samples in total, for example 100,1000,all",
        json_schema_extra={"metavar": "N,N,…", "default": "all"},
    )
    draws: int = Field(default=10, ge=1, le=1000, description="number of random repeats per training-set size")

    @model_validator(mode="after")
    def _check_draws(self) -> Settings:
        if self.shots and self.train_sizes:
            raise ValueError("--shots and --train-sizes can't be combined; give one of them")
        few = [name for name in self.head if name in PROTOCOLS and PROTOCOLS[name].shots]
        if few and self.train_sizes:
            raise ValueError(
                f"--train-sizes can't be combined with {few[0]}, which draws samples of each class; give --shots, or "
                "neither"
            )
        if "draws" in self.model_fields_set and not (self.shots or self.train_sizes or few):
            raise ValueError("expected --shots or --train-sizes with --draws, got neither")
        return self

    def suited(self, kind: str) -> Self:
        """Return the settings for a kind of target; see ``HeadSettings``. Raises ConfigError for shots of amounts."""
        own = super().suited(kind)
        draws = [draw for name in own.head if (draw := own.draw(name))]
        if not TARGETS.load(kind).countable and any(draw.unit == "shots" for draw in draws):
            raise ConfigError(
                f"expected --train-sizes for a {kind} target, got shots: it has no classes to draw samples of"
            )
        return own

    def draw(self, name: str, modality: str = "") -> Draw | None:
        """Return how much of the training rows of a modality a head is fitted on, None for all of them."""
        if name in PROTOCOLS and PROTOCOLS[name].shots:
            sizes, times = PROTOCOLS[name].amount(self.dataset, modality)
            times = self.draws if "draws" in self.model_fields_set else times
            return Draw("shots", self.shots or sizes, times, PROTOCOLS[name].published)
        if self.shots or self.train_sizes:
            return Draw("shots" if self.shots else "samples", self.shots or self.train_sizes, self.draws)
        return None


class Draw(NamedTuple):
    """Sizes of training sets, samples per class or label (``shots``) or in all (``samples``), each drawn ``times``.

    ``published``: whose draws these are, see ``PUBLISHED_DRAWS``; empty for Frostline's own.
    """

    unit: Literal["shots", "samples"]
    sizes: tuple[int | Literal["all"], ...]
    times: int
    published: str = ""

    @property
    def fields(self) -> tuple[Any, ...]:
        """What digests have of it."""
        return tuple(self) if self.published else tuple(self)[:3]
