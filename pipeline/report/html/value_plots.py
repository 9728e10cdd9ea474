"""What pages draw of predicted numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from frostline.pipeline.report.html.formatting import amount
from frostline.pipeline.report.html.plots import WIDTH
from frostline.pipeline.report.html.svg import ACCENT, INK, MUTED, WARM, figure, short

Array = NDArray[np.float64]
_SINGLE, _CELLS = 1500, 36  # points that are drawn one by one; hexagons across
_SHADES = (("o", 2.2, 0.5), ("v", 2.8, 0.55), ("^", 3.4, 0.7), ("s", 3.6, 0.85), ("D", 4.2, 0.9))


def predicted_against_true(name: str, true: Array, predicted: Array) -> Markup:
    """Return predictions (n,) over true values (n,), and the line on which they are equal."""
    low, high = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    pad = 0.03 * (high - low) or 1.0

    def draw(axes: Any) -> None:
        axes.plot([low, high], [low, high], color=MUTED, lw=1, ls=(0, (4, 3)))
        _points(axes, true, predicted, (low, high, low, high))
        limits = (low - pad, high + pad)
        axes.set(xlim=limits, ylim=limits, aspect="equal", xlabel=f"{short(name)}, true", ylabel="predicted")
        axes.grid()

    alt = (
        f"Predicted against true {name} of {len(true):,} test samples: predictions from {amount(predicted.min())} to "
        f"{amount(predicted.max())}, true values from {amount(true.min())} to {amount(true.max())}"
    )
    return figure(f"predicted {name}", alt, (WIDTH, 3.9), draw)


def residuals(name: str, true: Array, predicted: Array) -> Markup:
    """Return true less predicted values (n,) over the predictions, and the line of none."""
    left = true - predicted

    def draw(axes: Any) -> None:
        axes.axhline(0, color=MUTED, lw=1, ls=(0, (4, 3)))
        _points(axes, predicted, left)
        axes.set(xlabel=f"{short(name)}, predicted", ylabel="true minus predicted")
        axes.grid()

    low, high = np.quantile(left, (0.25, 0.75)).tolist()
    alt = f"Residuals of {name} against predictions: half of them lie between {amount(low)} and {amount(high)}"
    return figure(f"residuals {name}", alt, (WIDTH, 3.9), draw)


def value_map(points: Array, values: Array, name: str) -> Markup:
    """Return a map (n, 2) of samples by their values (n,), in up to five classes of equal size.

    The larger the values, the stronger the marks. Equal values are in one class.
    """
    ends = np.unique(np.quantile(values, np.linspace(0, 1, len(_SHADES) + 1)))
    own = np.clip(np.searchsorted(ends, values, side="right") - 1, 0, max(0, len(ends) - 2))
    larger = 1.7 if len(values) < 500 else 1.0

    def draw(axes: Any) -> None:
        for place, shade in enumerate(_SHADES[1 - len(ends) :]):
            marker, size, alpha = shade
            label = f" {amount(ends[place])} – {amount(ends[min(place + 1, len(ends) - 1)])}"
            colour = WARM if shade is _SHADES[-1] else ACCENT
            axes.plot(*points[own == place].T, marker, color=colour, ms=larger * size, mew=0, alpha=alpha, label=label)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        legend = axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=5, handletextpad=0.2, title=short(name))
        legend.get_title().set_color(INK)

    alt = f"Map of {len(values):,} test samples by {name}, from {amount(values.min())} to {amount(values.max())}"
    return figure("map", alt, (2.1 * WIDTH, 6.0), draw)


def _points(axes: Any, x: Array, y: Array, extent: tuple[float, float, float, float] | None = None) -> None:
    """Draw points one by one, or many of them as hexagons over an extent, the fuller the stronger."""
    if len(x) <= _SINGLE:
        axes.plot(x, y, "o", color=ACCENT, ms=4, mew=0, alpha=0.6 if len(x) < 500 else 0.35)
        return
    cells = axes.hexbin(x, y, gridsize=_CELLS, mincnt=1, linewidths=0, extent=extent)
    strength = _strengths(cells.get_array())
    cells.set_array(None)
    cells.set(facecolor=ACCENT, alpha=strength)


def _strengths(counts: Sequence[float]) -> Array:
    """Return opacities by the logarithm of counts, from 0.15 to 1."""
    logs = np.log1p(np.asarray(counts, float))
    strengths: Array = 0.15 + 0.85 * logs / logs.max()
    return strengths
