"""What pages draw of many labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from frostline.pipeline.report.html.plots import WIDTH, rows
from frostline.pipeline.report.html.svg import ACCENT, INK, WARM, figure, shortened
from frostline.stages.metrics.multi_label import LabelScore


def label_bars(labels: Sequence[LabelScore]) -> Markup:
    """Return average precision (bar, with its interval) and prevalence (mark) of each label, in the order given.

    Every label is one that some test row has.
    """
    scores = [one.average_precision for one in labels if one.average_precision]
    shares = [100 * (one.prevalence or 0) for one in labels]

    def draw(axes: Any) -> None:
        places, values = range(len(scores)), [100 * score.value for score in scores]
        axes.barh(places, values, height=0.62, facecolor="none", edgecolor=ACCENT, hatch="////", lw=0.8)
        for row, score in enumerate(scores):
            ends = [100 * end for end in score.interval or ()]
            axes.plot(ends, [row] * len(ends), color=INK, lw=1.3)
            axes.plot([shares[row]] * 2, [row - 0.36, row + 0.36], color=WARM, lw=2.6, solid_capstyle="butt")
            axes.annotate(f"{values[row]:.0f}", (104, row), va="center", ha="left", color=INK, annotation_clip=False)
        rows(axes, shortened([one.name for one in labels]))
        axes.set(xlim=(0, 102), xlabel="average precision in %, and chance")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    first, last = labels[0], labels[-1]
    alt = (
        f"Average precision by label, from {first.name} {100 * scores[0].value:.0f} % "
        f"to {last.name} {100 * scores[-1].value:.0f} %"
    )
    return figure("labels", alt, (WIDTH, 0.7 + 0.24 * len(labels)), draw)
