"""The findings on a dataset in plain words: what was looked for, what was found, and in which samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from frostline.pipeline.records.findings import CopiesOf, Findings
from frostline.pipeline.report.wording import percent
from frostline.stages.errors import counted, listing, printable

_SHOWN = 10
_UNEVEN = 10.0


@dataclass(frozen=True)
class Check:
    """``sought``: what was looked for, as a heading. ``found``: a phrase. ``names``: of samples, the worst first.

    ``sound``: whether there is nothing to look after.
    """

    sought: str
    found: str
    names: tuple[str, ...] = ()
    sound: bool = True


def checks(found: Findings) -> tuple[Check, ...]:
    """Return every check of the data with what it found."""
    first = (*_values(found), _balance(found), *_copies(found), *_near(found))
    return (*first, _labels(found), _shift(found), *([_score(found)] if found.leak.rows else []))


def findings_table(found: Findings) -> str:
    """Return the findings for a terminal: how many of each, and the first by name."""
    rows = found.rows
    first = f"{found.dataset} through {found.backbone}: {rows['train']:,} training and {rows['test']:,} test samples"
    blocks = [[printable(one.found), *([listing(one.names, _SHOWN)] if one.names else [])] for one in checks(found)]
    return "\n".join([printable(first), "", *(line for block in blocks for line in block)])


def _values(found: Findings) -> Iterable[Check]:
    """Yield what is odd about the features' values."""
    left_out = [f"{bad.id}: {bad.reason}" for several in found.quarantined.values() for bad in several]
    yield _counted("Unreadable samples", left_out, "sample", "quarantined")
    not_finite = [name for names in found.not_finite.values() for name in names]
    yield _counted("NaN and infinity", not_finite, "sample", "with NaN or infinite features")
    dead, constant = len(found.dead_dimensions), len(found.constant_dimensions)
    phrase = f"{dead:,} of {found.width:,} dimensions zero throughout, {constant:,} otherwise constant"
    yield Check("Dead dimensions", phrase, sound=not dead + constant)
    far = [f"{one.id}: {one.z:.0f} deviations from the median" for s in found.outlying_lengths.values() for one in s]
    yield _counted("Outliers", far, "sample", "of outlying length")


def _balance(found: Findings) -> Check:
    counts = found.rows_by_class
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if counts[largest] == counts[smallest]:
        return Check("Class balance", f"every class has {counted(counts[largest], 'training sample')}")
    ratio = counts[largest] / counts[smallest] if counts[smallest] else float("inf")
    more, fewer = (f"{name} ({counts[name]:,})" for name in (largest, smallest))
    phrase = f"{ratio:.1f} times as many training samples of {more} as of {fewer}"
    return Check("Class balance", phrase, sound=ratio < _UNEVEN)


def _copies(found: Findings) -> Iterable[Check]:
    """Yield what is there more than once, to the byte."""
    leaks, others = ([_equal(one) for one in found.copies if one.leaks is leaking] for leaking in (True, False))
    yield _counted("Copies across the splits", leaks, "image", "both in train and in test")
    yield _counted("Copies within a split", others, "image", "more than once in one split")
    conflicts = [_equal(one) for one in found.copies if one.conflicting]
    yield _counted("Conflicting labels", conflicts, "image", "under different labels")


def _equal(one: CopiesOf) -> str:
    names = [*one.train, *one.test]
    rest = [f"{len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return " = ".join([*names[:_SHOWN], *rest])


def _near(found: Findings) -> Iterable[Check]:
    """Yield what a backbone hardly tells apart."""
    near = found.near_duplicates
    parts = (
        ("Near duplicates across the splits", "in test of train", near.across),
        ("Near duplicates within train", "in train", near.train),
        ("Near duplicates within test", "in test", near.test),
    )
    for sought, where, pairs in parts:
        yield _counted(sought, [f"{pair.id} ≈ {pair.nearest}" for pair in pairs], "near duplicate", where)


def _labels(found: Findings) -> Check:
    names = [f"{one.id}: {one.given}, likelier {one.suggested} (margin {one.margin:.2f})" for one in found.label_issues]
    phrase = "that the other samples speak against, the worst first"
    return _counted("Label errors", names, "training label", phrase)


def _shift(found: Findings) -> Check:
    shift, sought = found.shift, "Shift between train and test"
    if shift is None:
        return Check(sought, "too few samples to tell whether test differs from train")
    verdict = "test differs from train" if shift.found else "no difference between train and test is seen"
    interval = f"{shift.auroc:.3f} [{shift.low:.3f}, {shift.high:.3f}]"
    phrase = f"{verdict}: a classifier tells them apart with an AUROC of {interval}, 0.5 is chance"
    return Check(sought, phrase, sound=not shift.found)


def _score(found: Findings) -> Check:
    leak = found.leak
    phrase = f"test accuracy {percent(leak.accuracy)}"
    if leak.without:
        phrase += f"; {percent(leak.without)} without the {counted(len(leak.rows), 'sample')} that train has"
    return Check("What the copies are worth", f"{phrase} (one logistic regression, nothing chosen)", sound=False)


def _counted(sought: str, names: Sequence[str], noun: str, what: str) -> Check:
    return Check(sought, f"{counted(len(names), noun)} {what}", tuple(names), sound=not names)
