"""Answers for samples as JSON, as CSV and for a terminal, by the kind of the head's target."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from frostline.pipeline.serve.answers import MULTI_LABEL, REGRESSION, SINGLE_LABEL, Prediction
from frostline.stages.errors import printable
from frostline.stages.metrics.predictions import harmless

SEPARATOR = ";"


def predictions_as_json(answers: Sequence[Prediction], top: int | None) -> list[dict[str, Any]]:
    """Return the answers as JSON values.

    A class's ``label`` and ``classes`` (the likeliest, or ``top`` of them, with what ``values`` says); the predicted
    ``labels`` and ``classes`` (all labels, or ``top`` of them); or ``outputs``, the values by name.
    """
    return [{"path": str(a.path), **_document(a, top, _value(answers)), "fault": a.problem} for a in answers]


def _document(a: Prediction, top: int | None, value: str) -> dict[str, Any]:
    if a.kind == REGRESSION:
        return {"outputs": a.outputs}
    said = {"label": a.label} if a.kind == SINGLE_LABEL else {"labels": list(a.labels)}
    return {**said, "classes": [list(c) for c in _first(a, top)], "values": value}


def predictions_as_csv(answers: Sequence[Prediction], top: int | None) -> str:
    """Return the answers as CSV.

    Of single labels: ``path``, ``label``, ``probability`` or ``decision``, the next ones with a number, ``fault``. Of
    several labels: ``path``, ``labels`` (those predicted, separated by ``;``), a column for each label, ``fault``; with
    ``top`` the likeliest labels in columns as those of classes instead. Of numbers: ``path``, a column for each output,
    ``fault``. What a spreadsheet would take for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    kind = answers[0].kind if answers else SINGLE_LABEL
    rows = _by_name(answers) if kind == REGRESSION or (kind == MULTI_LABEL and not top) else _by_rank(answers, top or 1)
    labels = ["labels"] if kind == MULTI_LABEL else []
    writer.writerow(["path", *labels, *next(rows), "fault"])
    for a, cells in zip(answers, rows, strict=True):
        predicted = [SEPARATOR.join(map(harmless, a.labels))] * len(labels)
        writer.writerow([harmless(str(a.path)), *predicted, *cells, a.problem or ""])
    return text.getvalue().rstrip("\n")


def _by_rank(answers: Sequence[Prediction], top: int) -> Iterator[list[str]]:
    """Yield the header, then each answer's likeliest names, each with its value."""
    top = min(top, max((len(a.classes) for a in answers), default=0) or top)
    numbers = ["", *[f"_{i}" for i in range(2, top + 1)]]
    yield [f"{name}{n}" for n in numbers for name in ("label", _value(answers))]
    for a in answers:
        cells = [cell for label, p in a.classes[:top] for cell in (harmless(label), f"{p:.6f}")]
        yield cells + [""] * (2 * top - len(cells))


def _by_name(answers: Sequence[Prediction]) -> Iterator[list[str]]:
    """Yield the names, in the head's order if it predicts numbers and else sorted, then each answer's values."""
    names = next((tuple(name for name, _ in a.classes) for a in answers if a.classes), ())
    form = ".9g"
    if answers[0].kind == MULTI_LABEL:
        names, form = tuple(sorted(names)), ".6f"
    yield [harmless(name) for name in names]
    for a in answers:
        found = dict(a.classes)
        yield [f"{found[name]:{form}}" if found else "" for name in names]


def predictions_table(answers: Sequence[Prediction], top: int | None) -> str:
    """Return the answers for a terminal; of several labels those predicted, or ``top``, the others in brackets."""
    names = [printable(str(a.path)) for a in answers]
    width = min(60, max(map(len, names)))
    share = _value(answers) == "probability"
    lines = []
    for name, a in zip(names, answers, strict=True):
        found = f"left out: {a.problem}" if a.problem else _said(a, top, share=share)
        lines.append(f"{name:{width}}  {found}")
    return "\n".join(lines)


def _said(a: Prediction, top: int | None, *, share: bool) -> str:
    if a.kind == REGRESSION:
        return "   ".join(f"{printable(name)} {value:.6g}" for name, value in a.classes)
    shown = [c for c in a.classes if c[0] in a.labels] if a.kind == MULTI_LABEL and not top else _first(a, top)
    cells = [
        (
            label in a.labels or a.kind == SINGLE_LABEL,
            f"{printable(label)} {f'{100 * p:.1f} %' if share else f'{p:.3g}'}",
        )
        for label, p in shown
    ]
    return "   ".join(text if predicted else f"({text})" for predicted, text in cells) or "no label"


def _first(a: Prediction, top: int | None) -> tuple[tuple[str, float], ...]:
    """Return the ``top`` likeliest names, by default one class or all labels."""
    return a.classes[: top or (1 if a.kind == SINGLE_LABEL else None)]


def _value(answers: Sequence[Prediction]) -> str:
    return "probability" if all(a.probabilistic for a in answers) else "decision"
