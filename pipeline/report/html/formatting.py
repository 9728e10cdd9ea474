"""Numbers and settings as text."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from frostline.pipeline.report.html.score_names import CALIBRATED, score_names
from frostline.pipeline.report.wording import unbroken
from frostline.pipeline.settings import Settings, load_settings
from frostline.stages.datasets import in_memory
from frostline.stages.errors import printable
from frostline.stages.evaluate import Evaluation
from frostline.stages.metrics import Score
from frostline.stages.metrics.score import TOO_FEW
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

_FLAG = re.compile(r"--[a-z]+(?:-[a-z]+)*")
_QUOTED = re.compile(r"`([^`]+)`")
_SHARES = (
    *("accuracy", "f1", "ece", "map", "map_11_point", "macro_auroc", "micro_auroc", "f1_at_thresholds"),
    *("lrap", "hamming_loss", "average_precision"),
)
_IN_UNITS = ("mae", "rmse")


@dataclass(frozen=True)
class ScoreRow:
    """One score as text."""

    title: str
    meaning: str
    value: str
    interval: str


def score_rows(scores: Mapping[str, Score], kind: str = DEFAULT) -> list[ScoreRow]:
    """Return one row per score that is there; those after temperature scaling where it changes something."""
    rows = []
    tempered = {name: score for name, score in scores.items() if name.endswith(CALIBRATED)}
    unchanged = all(
        math.isclose(score.value, scores[name.removesuffix(CALIBRATED)].value, rel_tol=1e-6)
        for name, score in tempered.items()
    )
    for suffix, remark in (("", ""), *(() if unchanged else ((CALIBRATED, ", after temperature scaling"),))):
        for name, (title, meaning) in score_names(kind).items():
            if name + suffix in scores:
                rows.append(ScoreRow(title + remark, meaning, *valued(name, scores[name + suffix])))
    return rows


def valued(name: str, score: Score) -> tuple[str, str]:
    """Return a score and its interval, or why it has none: shares in per cent, errors in units of the target."""
    shares, ends = name.endswith(_SHARES), score.interval or ()
    value, *span = (f"{100 * n:.1f}" if shares else _plain(name, n) for n in (score.value, *ends))
    unit = " %" if shares else ""
    if not span:
        return value + unit, TOO_FEW
    return value + unit, f"{span[0]} {'to' if '−' in span[0] else '–'} {span[1]}{unit}"


def _plain(name: str, value: float) -> str:
    return amount(value) if name in _IN_UNITS else minus(f"{value:.3f}")


def claimed(interval: str, note: str = "") -> str:
    """Return an interval that ``valued`` gives as ``95 % interval 95.3 – 98.6 %``, and a note, or why there is none."""
    return interval if interval == TOO_FEW else ", ".join(filter(None, (f"95 % interval {interval}", note)))


def main_valued(found: Evaluation) -> tuple[str, str]:
    """Return the main score of an evaluation and its interval."""
    name = TARGETS.load(found.kind).main
    return valued(name, found.scores[name])


def main_share(value: float, *, shares: bool) -> str:
    """Return a main score alone: ``97.2 %``, or ``0.688`` if it is no share of one."""
    return f"{100 * value:.1f} %" if shares else minus(f"{value:.3f}")


def span(low: float, high: float, *, shares: bool) -> str:
    """Return the ends of main scores: ``97.2 – 98.0 %`` or ``−0.100 to 0.688``."""
    if shares:
        return f"{100 * low:.1f} – {100 * high:.1f} %"
    return minus(f"{low:.3f} {'to' if low < 0 else '–'} {high:.3f}")


def amount(value: float) -> str:
    """Return a number in units of the data: ``1,235``, ``12.3`` or ``0.0844``."""
    return minus(f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}")


def to_scale(value: float, scale: float) -> str:
    """Return a number to three digits of what it varies by, such as its standard deviation: ``0.214`` or ``1,235``."""
    if not scale > 0:
        return amount(value)
    decimals = 2 - math.floor(math.log10(scale))
    return minus(f"{value:,.{decimals}f}") if 0 <= decimals <= 9 else amount(value)


def minus(text: str) -> str:
    """Return a number's text with a minus sign for its hyphen."""
    return text.replace("-", "−")


def flags(text: str) -> Markup:
    """Return text in which no line ends within a flag such as ``--grid``, and what stands in backticks is code."""
    shown = str(escape(unbroken(printable(text))))
    return Markup(_FLAG.sub(r'<code class="flag">\g<0></code>', _QUOTED.sub(r"<code>\1</code>", shown)))


def share(part: int, whole: int) -> str:
    """Return ``12.3 %``."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def command(settings: Mapping[str, Any]) -> str:
    """Return the `frostline run` that has these settings, as run.json records them; nothing for objects of Python."""
    if in_memory(str(settings.get("dataset"))):
        return ""
    usual = load_settings(Settings).model_dump(mode="json")
    words = ["frostline", "run"]
    for name, value in sorted(settings.items()):
        if value != usual.get(name) and value is not None and name != "data_dir":
            words += [f"--{name.replace('_', '-')}", shlex.quote(_flag(name, value))]
    return " ".join(words)


def sized(value: int | tuple[int, ...]) -> str:
    """Return a size in pixels as ``224`` or ``224 × 224``."""
    return " × ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def moment(made: str) -> str:
    """Return ``2026-01-31 23:59 UTC`` of ``2026-01-31T23:59:59.123Z``."""
    return f"{made[:16].replace('T', ' ')} UTC"


def _flag(name: str, value: Any) -> str:
    """Return a setting's value as the command line takes it."""
    if name in ("resize", "crop") and isinstance(value, list):
        return "x".join(map(str, value))
    if name == "grid":
        parameter, values = value
        return (f"{parameter}=" if parameter else "") + ",".join(f"{v:g}" if v < 1e6 else repr(v) for v in values)
    if isinstance(value, dict):
        return ",".join(f"{n}={_scalar(v)}" for n, v in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _scalar(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
