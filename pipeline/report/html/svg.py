"""Figures as inline SVG: no fonts, colours or sizes of their own, so that the page's style sheet rules them.

Colours are drawn as placeholders and become CSS variables; text stays text, in the page's font; nothing in
the output depends on time or chance.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup, escape

from frostline.stages.errors import printable

INK, MUTED, LINE, ACCENT, WARM, PAPER = (f"#0101{i:02d}" for i in range(1, 7))
_VARIABLES = dict(
    zip((INK, MUTED, LINE, ACCENT, WARM, PAPER), ("ink", "muted", "line", "accent", "warm", "paper"), strict=True)
)
HUES = tuple(f"#0102{i:02d}" for i in range(10))
_VARIABLES |= {colour: f"hue-{i}" for i, colour in enumerate(HUES)}
_LONGEST = 20
_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
}
# What an SVG file needs and a page that holds it does not, or holds only once.
_DROPPED = re.compile(
    r"<style type=.*?</style>|(?<=<g) id=\"[^\"]*\"|"
    r"font-family: 'DejaVu Sans'[^;\"<>]*;?",
    re.DOTALL,
)
_OPENING = re.compile(r"<svg [^>]*viewBox=\"([^\"]*)\"[^>]*>")
_COLOUR = re.compile(f"(?<=: )(?:{'|'.join(_VARIABLES)})")


def short(text: str, longest: int = _LONGEST) -> str:
    """Return a name as a figure shows it: printable, and its middle left out if it is long."""
    shown = printable(text)
    return shown if len(shown) <= longest else f"{shown[: longest - 6]}…{shown[-5:]}"


def shortened(names: Sequence[str], longest: int = _LONGEST) -> list[str]:
    """Return names as a figure shows them together: without a common beginning and end where they would look alike."""
    shown = [short(name, longest) for name in names]
    if len(set(shown)) == len(set(names)):
        return shown
    start = _alike(names)
    end = _alike([name[start:][::-1] for name in names])
    cores = [f"{'…' * bool(start)}{name[start : len(name) - end]}{'…' * bool(end)}" for name in names]
    return [short(core, longest) for core in cores]


def _alike(names: Sequence[str]) -> int:
    """Return with how many equal characters all names begin."""
    columns = enumerate(zip(*names, strict=False))
    return next((i for i, column in columns if len(set(column)) > 1), min(map(len, names)))


def figure(name: str, alt: str, size: tuple[float, float], draw: Callable[[Any], None]) -> Markup:
    """Return what ``draw`` puts on a pair of axes as an ``<svg>`` element.

    ``name``: makes the ids inside differ from those of the page's other figures. ``alt``: what the figure says, for
    those who can't see it. ``size``: width and height in inches of 72 pixels.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it announces that it looks for fonts
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # the reader's own matplotlibrc must not change a page
        parameters: Any = matplotlib.rcParams
        parameters.update(_STYLE, **{"svg.hashsalt": name})
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # the browser has fonts of its own
        made = Figure(figsize=size, facecolor="none")
        FigureCanvasSVG(made)
        draw(made.add_subplot())
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        made.savefig(file, format="svg", metadata=nothing, bbox_inches="tight", pad_inches=0.04)
    return _inline(file.getvalue(), alt)


def _inline(svg: str, alt: str) -> Markup:
    """Return an SVG file as an element of a page."""
    body = _DROPPED.sub("", svg[svg.index("<svg") :])
    body = _COLOUR.sub(lambda found: f"var(--{_VARIABLES[found[0]]})", body)
    view = _OPENING.match(body)
    assert view is not None
    width = 1.35 * float(view[1].split()[2])
    opening = (
        f'<svg viewBox="{view[1]}" role="img" aria-label="{escape(printable(alt))}" style="max-width:{width:.0f}px">'
    )
    return Markup(opening + re.sub(r"\s*\n\s*", "\n", body[view.end() :]).strip())
