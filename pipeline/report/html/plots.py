"""What the pages draw. Every function returns one figure; nothing is told by colour alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from frostline.pipeline.records.curve import Curve
from frostline.pipeline.report.html.formatting import main_share
from frostline.pipeline.report.html.svg import ACCENT, HUES, INK, LINE, MUTED, PAPER, WARM, figure, short, shortened
from frostline.pipeline.report.wording import HEADINGS, PERCENT, number, unit_of
from frostline.stages.fit.selection import Selection
from frostline.stages.metrics import Bin, ClassScore, Score

WIDTH = 4.6
_MARKERS = "os^Dv<P>Xp"


def main_scores(
    names: Sequence[str], scores: Sequence[Score], title: str, marks: Sequence[str], band: Score, *, shares: bool
) -> Markup:
    """Return each head's main score, called ``title``, and its 95 % interval, one line each, in the order given.

    ``marks``: of each head ``first``; ``apart``, a hollow mark; or nothing. ``band``: the interval of the first.
    """
    factor, values = 100 if shares else 1, [main_share(one.value, shares=shares) for one in scores]

    def draw(axes: Any) -> None:
        for row, score in enumerate(scores):
            ends = [factor * end for end in score.interval or ()]
            axes.plot(ends, [row] * len(ends), color=ACCENT, lw=2, solid_capstyle="butt")
            hollow = {"mfc": PAPER, "mew": 1.4} if marks[row] == "apart" else {}
            axes.plot(factor * score.value, row, "o", color=ACCENT, ms=5, **hollow)
            if marks[row] == "first" and band.interval:
                axes.axvspan(*(factor * end for end in band.interval), color=ACCENT, alpha=0.12, lw=0, zorder=0)
        rows(axes, shortened(names, 44))
        axes.set_xlabel(f"{title}{' in %' if shares else ''}, with its 95 % interval")
        axes.grid(axis="x")

    said = "; ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
    alt = f"{title.capitalize() if title.islower() else title} of each head: {said}"
    return figure("accuracies", alt, (WIDTH, 0.7 + 0.25 * len(names)), draw)


def class_recalls(scores: Sequence[ClassScore]) -> Markup:
    """Return recall (bar, with its interval) and precision (diamond) of each class, in the order given."""
    recalls = [100 * one.recall.value for one in scores]

    def draw(axes: Any) -> None:
        places = range(len(scores))
        axes.barh(places, recalls, height=0.62, facecolor="none", edgecolor=ACCENT, hatch="////", lw=0.8)
        for row, one in enumerate(scores):
            ends = [100 * end for end in one.recall.interval or ()]
            axes.plot(ends, [row] * len(ends), color=INK, lw=1.3)
            axes.plot(100 * one.precision.value, row, "D", color=WARM, ms=4.5, mec=INK, mew=0.5)
            axes.annotate(f"{recalls[row]:.0f}", (104, row), va="center", ha="left", color=INK, annotation_clip=False)
        rows(axes, shortened([one.name for one in scores]))
        axes.set(xlim=(0, 102), xlabel="bar: recall in %, line: 95 % interval, diamond: precision")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    first, last = scores[0], scores[-1]
    alt = f"Recall by class, from {first.name} {recalls[0]:.0f} % to {last.name} {recalls[-1]:.0f} %"
    return figure("classes", alt, (WIDTH, 0.7 + 0.24 * len(scores)), draw)


def reliability_diagram(bins: Sequence[Bin], calibrated: Sequence[Bin]) -> Markup:
    """Return accuracy by confidence, as given and after temperature scaling; the area tells a bin's rows."""

    def draw(axes: Any) -> None:
        axes.plot([0, 100], [0, 100], color=MUTED, lw=1, ls=(0, (4, 3)))
        for found, colour, marker, label in (
            (calibrated, WARM, "D", "after temperature scaling"),
            (bins, ACCENT, "o", "as given by the head"),
        ):
            if found:
                x, y = [100 * one.confidence for one in found], [100 * one.accuracy for one in found]
                area = np.array([one.rows for one in found], float)
                axes.plot(x, y, color=colour, lw=0.8, alpha=0.5, ls="-" if marker == "o" else ":")
                axes.scatter(
                    x, y, 12 + 90 * area / area.max(), colour, marker=marker, lw=0.6, edgecolors=INK, label=label
                )
        axes.set(xlim=(0, 102), ylim=(0, 102), xlabel="confidence in %", ylabel="correct in %", aspect="equal")
        if calibrated:
            legend = axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, handletextpad=0.2)
            for handle in legend.legend_handles:
                handle.set_sizes([26])
        axes.grid()

    worst = max(bins, key=lambda one: one.rows)
    alt = (
        f"Reliability: of the {worst.rows:,} samples in the fullest bin, predicted with "
        f"{100 * worst.confidence:.0f} % confidence, {100 * worst.accuracy:.0f} % are correct"
    )
    return figure("reliability", alt, (WIDTH, 3.9), draw)


def held_out(found: Selection) -> tuple[str, Sequence[float]]:
    """Return by what a parameter was chosen, and its value on held-out rows for each of the grid."""
    title = HEADINGS.get(found.by_score, found.by_score)
    if found.by_score in PERCENT:
        return ("correct" if found.by_score == "accuracy" else title) + " in %", [100 * value for value in found.shown]
    return title, found.shown


def selection(found: Selection) -> Markup:
    """Return the held-out score of every value of the grid, the chosen one marked."""
    grid, (title, scores) = found.grid, held_out(found)
    best = int(np.argmin(np.abs(np.array(grid, float) - found.value)))

    def draw(axes: Any) -> None:
        axes.plot(grid, scores, "o-", color=ACCENT, ms=3, lw=1, clip_on=False)
        axes.plot(grid[best], scores[best], "D", color=WARM, mec=INK, mew=0.7, ms=8, clip_on=False)
        axes.set(xlabel=f"{found.parameter} (diamond: chosen)", ylabel=f"{title}, validation")
        _limit(axes, title, scores)
        if min(grid) > 0:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
            axes.xaxis.set_minor_formatter(lambda *_: "")
            axes.set_xticks(_decades(grid))
        axes.grid()

    reached = f"{scores[best]:.1f} %" if found.by_score in PERCENT else f"{title} {scores[best]:.3g}"
    alt = f"Validation curve over {found.parameter}: {reached} at the chosen {number(found.value)}"
    return figure("selection", alt, (WIDTH, 2.6), draw)


def _limit(axes: Any, title: str, scores: Sequence[float]) -> None:
    """Keep the axis where something is to be seen: shares below 100 %, and R² not far below what the mean has."""
    low, high = axes.get_ylim()
    if title == HEADINGS["r2"]:
        axes.set_ylim(bottom=max(low, min(-0.2, max(scores) - 1)))
    elif title.endswith("%"):
        axes.set_ylim(top=min(high, 100))


def learning_curves(curves: Sequence[tuple[str, Curve]], title: str, *, shares: bool) -> Markup:
    """Return the main score, called ``title``, by the size of the training set: mean and draws."""
    factor = 100 if shares else 1

    def draw(axes: Any) -> None:
        for row, (name, curve) in enumerate(curves):
            colour, points = HUES[row % len(HUES)], curve.points
            sizes = [point.size for point in points]
            axes.plot(
                sizes,
                [factor * point.spread.mean for point in points],
                marker=_MARKERS[row % len(_MARKERS)],
                color=colour,
                lw=1.3,
                ms=5,
                label=f" {short(name, 34)}",
            )
            each = [(point.size, factor * value) for point in points for value in point.accuracy]
            axes.plot(*zip(*each, strict=True), "_", color=colour, ms=7, alpha=0.6)
        units = {unit_of(curve, "in all") for _, curve in curves}
        axes.set(
            xscale="log",
            xlabel=f"training samples {' or '.join(sorted(units))}",
            ylabel=f"{title} in %" if shares else title,
        )
        axes.set_xticks(sorted({point.size for _, curve in curves for point in curve.points}))
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
        axes.xaxis.set_minor_formatter(lambda *_: "")
        axes.legend(loc="best", handlelength=1.4)
        axes.grid()

    ends = [f"{name} {main_share(curve.points[-1].spread.mean, shares=shares)}" for name, curve in curves]
    return figure("curves", f"Learning curves, at their largest size: {'; '.join(ends)}", (WIDTH, 3.1), draw)


def scatter(points: NDArray[np.float64], y: NDArray[np.int64], classes: Sequence[str], max_named: int) -> Markup:
    """Return a map (n, 2) of samples: colour, shape and a name for each of the ``max_named`` commonest classes.

    A class's name stands at the median of its samples; samples of other classes are small and grey.
    """
    counts = np.bincount(y, minlength=len(classes))
    named = [int(c) for c in np.argsort(-counts, kind="stable")[:max_named] if counts[c]]

    def draw(axes: Any) -> None:
        others = ~np.isin(y, named)
        axes.plot(*points[others].T, ".", color=LINE, ms=3)
        called = dict(zip(sorted(named), shortened([classes[label] for label in sorted(named)]), strict=True))
        for place, label in enumerate(sorted(named)):
            marker, colour = _MARKERS[(place + place // 10) % 10], HUES[place % 10]
            shown = f" {called[label]}"  # matplotlib hides a label that begins with an underscore
            axes.plot(*points[y == label].T, marker, color=colour, ms=3.4, mew=0, alpha=0.75, label=shown)
        places = _apart(np.array([np.median(points[y == label], axis=0) for label in sorted(named)]), points)
        for label, at in zip(sorted(named), places, strict=True):
            axes.text(*at, called[label], ha="center", va="center", weight=600, size=11, color=INK)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, markerscale=2, handletextpad=0.2)

    alt = f"Map of {len(y):,} test samples, labelled: {', '.join(classes[label] for label in sorted(named))}"
    return figure("map", alt, (2.1 * WIDTH, 6.4), draw)


def _apart(places: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the places of labels (n, 2), from the lowest up, raised where one would cover another."""
    wide, high = np.ptp(points, axis=0) * (0.22, 0.05)
    placed: list[NDArray[np.float64]] = []
    moved = places.copy()
    for row in np.argsort(places[:, 1], kind="stable"):
        for x, y in sorted(map(tuple, placed), key=lambda at: at[1]):
            if abs(x - moved[row, 0]) < wide and abs(y - moved[row, 1]) < high:
                moved[row, 1] = y + high
        placed.append(moved[row])
    return moved


def rows(axes: Any, names: Sequence[str]) -> None:
    """Label the rows of a horizontal chart, the first one on top."""
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)


def _decades(grid: Sequence[float]) -> list[float]:
    """Return at most six powers of ten that lie on a grid's range; where there is none, its ends."""
    low, high = np.ceil(np.log10(min(grid)) - 1e-9), np.floor(np.log10(max(grid)) + 1e-9)
    if low >= high:
        return [min(grid), max(grid)]
    step = max(1, int(np.ceil((high - low) / 5)))
    return [10.0**k for k in range(int(low), int(high) + 1, step)]
