"""What a head says of a block of samples, as the columns of a table, by the kind of its target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.serve.answers import MULTI_LABEL, REGRESSION, thresholds
from frostline.stages.heads import Head
from frostline.stages.heads.scaling import target_of
from frostline.stages.serve.table_file import Column

Values = NDArray[np.float64]


def columns_of(
    head: Head, ids: Sequence[str], values: Values, problems: Sequence[str], top: int | None
) -> list[Column]:
    """Return ``id``, what is predicted as in ``predictions_as_csv``, and ``problem``, for n samples.

    ``values``: decision values, float64 (n, names of the head); ``problems``: why a sample was left out, or nothing.
    """
    bad = np.array([bool(problem) for problem in problems], bool)
    said = list(_said(head, np.where(bad[:, None], 0.0, values), ~bad, top))
    return [Column("id", ids), *_apart(said), Column("problem", problems, there=bad)]


def _said(head: Head, values: Values, there: NDArray[np.bool_], top: int | None) -> Iterator[Column]:
    kind = target_of(head)
    if kind == REGRESSION:
        for at, name in enumerate(head.classes):
            yield Column(name, np.ascontiguousarray(values[:, at]), there, ".9g")
        return
    if kind == MULTI_LABEL:
        order, above = _ranked(values), values > np.array(thresholds(head))
        labels = [[head.classes[at] for at in row if above[n, at]] for n, row in enumerate(order.tolist())]
        yield Column("labels", labels, there)
    if kind == MULTI_LABEL and not top:
        for name, at in sorted((name, at) for at, name in enumerate(head.classes)):
            yield Column(name, np.ascontiguousarray(values[:, at]), there)
        return
    yield from _by_rank(head, values, there, top or 1)


def _by_rank(head: Head, values: Values, there: NDArray[np.bool_], top: int) -> Iterator[Column]:
    order = _ranked(values)
    named, form = ("probability", ".6f") if head.probabilistic else ("decision", ".9g")
    rows = np.arange(len(values))
    for rank in range(min(top, len(head.classes))):
        number, at = f"_{rank + 1}" if rank else "", order[:, rank]
        yield Column(f"label{number}", [head.classes[place] for place in at.tolist()], there)
        yield Column(f"{named}{number}", values[rows, at], there, form)


def _ranked(values: Values) -> NDArray[np.int64]:
    order: NDArray[np.int64] = np.argsort(-values, axis=1, kind="stable")
    return order


def _apart(columns: Sequence[Column]) -> list[Column]:
    """Return the columns, those renamed that have the name of another one: a class may be called ``id``."""
    taken, found = {"id", "problem"}, []
    for column in columns:
        name = column.name
        while name in taken:
            name += "_"
        taken.add(name)
        found.append(Column(name, column.values, column.there, column.form))
    return found
