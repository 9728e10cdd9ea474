"""The learning curve: accuracy against training size, and what more labels would buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.score import Spread, spread

RESAMPLES = 2000
_LEAST = 3
_MODEL = 0.2
_WIDE = 10.0  # points: so wide an interval around no gain predicts nothing
_DECAYS = np.geomspace(0.02, 2, 160)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """Error = a + b n^-c. ``a`` is what more rows of the same kind never mend."""

    a: float
    b: float
    c: float


@dataclass(frozen=True)
class Forecast:
    """The gain over the mean accuracy measured at the largest size, and both together; each with its 95 % interval."""

    size: int
    accuracy: tuple[float, float, float]
    gain: tuple[float, float, float]


@dataclass(frozen=True)
class LearningCurve:
    """Accuracies measured, by ascending size, and a forecast where there can be one; ``sentence`` says it in words."""

    sizes: tuple[int, ...]
    accuracies: tuple[Spread, ...]
    forecast: Forecast | None
    sentence: str


def learning_curve(
    sizes: Sequence[int],
    accuracies: Sequence[Sequence[float]],
    *,
    factor: float = 2.0,
    seed: int = 0,
    pool: int | None = None,
) -> LearningCurve:
    """Return the curve of accuracies, 0 to 1, of the draws of each training size, and its forecast.

    Error = a + b n^-c with a, b and c not negative (Rosenfeld et al., ICLR 2020, arXiv:1909.12673; Viering and
    Loog, "The shape of learning curves", TPAMI 2022), by least squares. A size weighs as its draws times the square
    of its rows: what comes next is like what came last, and few rows often follow another law. The gain is the
    law's, and is added to the last mean measured.

    The intervals are for what as many draws would show at the larger size, 95 % of a parametric bootstrap. Every mean
    is drawn again around itself: its variance falls as 1/sqrt(n), for most of what varies are the test rows near a
    boundary; it is pooled over the sizes, which weigh as above, and itself drawn again, as few draws demand. So is the
    mean to come. Added to that is the law's own error, normal: by how much it misses the last step measured, and a
    fifth of the gain, for no residual shows how a curve bends beyond its points.

    ``pool``: of how many rows the draws were taken, None where each had rows of its own. Draws of n of N rows share
    some: their variance is 1 - n/N of what that of others would be (Cochran, "Sampling techniques", 1977, 2.6), and
    n/N of it their mean keeps, however many they are.

    There is no forecast with fewer than three sizes, or where no size has two draws of less than the pool. Raises
    ValueError for sizes that are not positive or repeat or are more than the pool, sizes without draws, or accuracies
    outside 0 to 1.
    """
    order = np.argsort(sizes, kind="stable").tolist()
    drawn = [np.asarray(accuracies[i], np.float64) for i in order]
    n = np.asarray(sizes, np.float64)[order]
    overlap = n / pool if pool else np.zeros(len(n))
    _check(n, drawn, overlap)
    measured = tuple(n.astype(int).tolist()), tuple(spread(values.tolist()) for values in drawn)
    noise = _pooled(n, drawn, overlap)
    if len(n) < _LEAST or noise is None:
        return LearningCurve(*measured, None, _why_not(len(n)))
    forecast = _forecast(n, drawn, noise, overlap, factor, seed)
    return LearningCurve(*measured, forecast, _sentence(int(n[-1]), factor, forecast))


def _check(n: Floats, drawn: list[Floats], overlap: Floats) -> None:
    if (overlap > 1).any():
        raise ValueError(
            f"sizes {n.tolist()} exceed the pool; expected the number of rows that the subsets were drawn from"
        )
    if (n <= 0).any() or len(np.unique(n)) < len(n) or not all(map(len, drawn)):
        raise ValueError(f"sizes {n.tolist()} with {[len(d) for d in drawn]} draws; expected each positive size once")
    values = np.concatenate(drawn) if drawn else np.zeros(0)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("an accuracy is not between 0 and 1; expected fractions, not percentages")


def _pooled(n: Floats, drawn: list[Floats], overlap: Floats) -> tuple[float, float] | None:
    """Return the variance between single draws of rows of their own at the largest size, and its degrees of freedom.

    None where no size has two draws that can differ.
    """
    freedom = np.array([len(values) - 1 if part < 1 else 0 for values, part in zip(drawn, overlap, strict=True)])
    if not freedom.any():
        return None
    own = freedom > 0
    within = np.array([float(values.var(ddof=1)) for values, used in zip(drawn, own, strict=True) if used])
    ratio, freedom = n[own] / n[-1], freedom[own]
    shares = freedom * ratio**2 / (freedom * ratio**2).sum()
    variance = float(shares @ (within / (1 - overlap[own]) * np.sqrt(ratio)))
    return variance, float(1 / (shares**2 / freedom).sum())


def _forecast(
    n: Floats, drawn: list[Floats], noise: tuple[float, float], overlap: Floats, factor: float, seed: int
) -> Forecast:
    draws = np.array([len(values) for values in drawn], np.float64)
    errors = np.array([1 - values.mean() for values in drawn])
    rng, (variance, freedom) = np.random.default_rng(seed), noise
    scale = np.sqrt(freedom / rng.chisquare(freedom, (RESAMPLES, 1)))
    deviations = scale * np.sqrt(variance * np.sqrt(n[-1] / n) * ((1 - overlap) / draws + overlap))
    resampled = errors + deviations * rng.normal(size=deviations.shape)
    a, b, c = power_laws(n, np.vstack([errors, resampled]), draws * (n / n[-1]) ** 2)
    gains = b * (n[-1] ** -c - (factor * n[-1]) ** -c)
    law = PowerLaw(float(a[0]), float(b[0]), float(c[0]))
    own = np.hypot(_missed(law, n, errors), _MODEL * gains[0])
    gains[1:] += own * rng.normal(size=RESAMPLES) + deviations[:, -1] * rng.normal(size=RESAMPLES)
    now = float(1 - errors[-1])
    gain, low, high = _interval(np.clip(gains, -now, 1 - now))
    return Forecast(round(factor * n[-1]), (now + gain, now + low, now + high), (gain, low, high))


def _missed(law: PowerLaw, n: Floats, errors: Floats) -> float:
    """Return how far the last step of the errors measured is from the law's."""
    return abs(float(np.diff(errors - law.b * n**-law.c)[-1]))


def power_laws(n: Floats, errors: Floats, weights: Floats) -> tuple[Floats, ...]:
    """Return a, b and c, float64 (r,) each, of the power laws nearest to r curves of errors, float64 (r, sizes).

    ``n`` and ``weights``: float64 (sizes,). The best of a grid of c.

    For one c the law is a line in n^-c. Where its best a is negative, a is 0; where b is, b is.
    """
    best = np.full((4, len(errors)), np.inf)  # loss, a, b, c
    share = weights / weights.sum()
    level = errors @ share
    for c in _DECAYS:
        x = n**-c
        middle = float(share @ x)
        b = np.maximum((errors - level[:, None]) @ (share * (x - middle)) / (share @ (x - middle) ** 2), 0)
        a = level - b * middle
        b = np.where(a < 0, errors @ (share * x) / (share @ x**2), b)
        a = np.maximum(a, 0)
        loss = (errors - a[:, None] - b[:, None] * x) ** 2 @ share
        better = loss < best[0]
        best[:, better] = np.stack([loss, a, b, np.full_like(a, c)])[:, better]
    return tuple(best[1:])


def _interval(values: Floats) -> tuple[float, float, float]:
    """Return the first value, and the 95 % interval of the rest, widened to hold it."""
    low, high = np.quantile(values[1:], (0.025, 0.975)).tolist()
    return float(values[0]), min(low, float(values[0])), max(high, float(values[0]))


def _why_not(sizes: int) -> str:
    if sizes < _LEAST:
        return f"No forecast: {sizes} of the {_LEAST} training-set sizes that a curve needs; measure more sizes."
    return (
        "No forecast: every size was drawn only once, so the uncertainty of a curve is unknown; draw each "
        "size several times."
    )


def _sentence(n: int, factor: float, forecast: Forecast) -> str:
    gain, low, high = (100 * value for value in forecast.gain)
    times = "Twice" if factor == 2 else f"{factor:g} times"
    if low < 0 < high and high - low > _WIDE:
        return (
            f"The gain of {times.lower()} as many labels ({forecast.size:,} instead of {n:,}) can't be predicted from "
            f"these draws (95 % interval {low:.1f} to {high:.1f} points of accuracy)."
        )
    return (
        f"{times} as many labels ({forecast.size:,} instead of {n:,}) would gain about {gain:.1f} points of accuracy "
        f"(95 % interval {low:.1f} to {high:.1f})."
    )
