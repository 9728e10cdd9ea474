"""The findings on a dataset in plain words: what was looked for, what was found, and in which samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from frostline.pipeline.records.findings import Findings
from frostline.pipeline.report.wording import with_interval
from frostline.stages.diagnostics import Copies
from frostline.stages.errors import counted, listing, printable
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

_SHOWN = 10
_UNEVEN = 10.0
SECOND_LOOK = "Labels worth a second look"


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
    first = (*_values(found), *_balance(found), *_copies(found), *_near(found))
    doubts = _odd_values(found) if found.limit is not None else _labels(found)
    return (*first, doubts, _shift(found), *([_score(found)] if found.leak.rows else []))


def findings_table(found: Findings) -> str:
    """Return the findings for a terminal: problems with the first samples by name, then in one line what is sound."""
    rows = found.rows
    first = f"{found.dataset} through {found.backbone}: {rows['train']:,} training and {rows['test']:,} test samples"
    every = checks(found)
    doubts = [one for one in every if not one.sound]
    blocks = [[printable(one.found), *([listing(one.names, _SHOWN)] if one.names else [])] for one in doubts]
    sound = [_within(one.sought) for one in every if one.sound]
    last = [f"no problem found: {', '.join(sound)}"] if sound else []
    return "\n".join([printable(first), "", *(line for block in blocks for line in block), *last])


def _within(heading: str) -> str:
    """Return a heading as it stands within a sentence."""
    return heading if heading.startswith("NaN") else heading[0].lower() + heading[1:]


def _values(found: Findings) -> Iterable[Check]:
    """Yield what is odd about the features' values."""
    left_out = [f"{bad.id}: {bad.reason}" for several in found.quarantined.values() for bad in several]
    yield _counted("Unreadable samples", left_out, "sample", "quarantined")
    not_finite = [name for names in found.not_finite.values() for name in names]
    yield _counted("NaN and infinity", not_finite, "sample", "with NaN or infinite features")
    dead, constant = len(found.dead_dimensions), len(found.constant_dimensions)
    phrase = f"{dead:,} of {found.width:,} features always zero, {constant:,} constant"
    yield Check("Dead features", phrase, sound=not dead + constant)
    far = [f"{one.id}: {one.z:.0f} deviations from the median" for s in found.outlying_lengths.values() for one in s]
    yield _counted("Outliers", far, "outlier", "(unusual feature norm)")


def _balance(found: Findings) -> Iterable[Check]:
    counts, sought = found.rows_by_class, "Class balance" if found.kind == DEFAULT else "Label balance"
    if not counts:
        return
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    every = "every class has" if found.kind == DEFAULT else "every label is on"
    if counts[largest] == counts[smallest]:
        yield Check(sought, f"{every} {counted(counts[largest], 'training sample')}")
        return
    ratio = counts[largest] / counts[smallest] if counts[smallest] else float("inf")
    more, fewer = (f"{name} ({counts[name]:,})" for name in (largest, smallest))
    word = "of" if found.kind == DEFAULT else "with"
    phrase = f"{ratio:.1f} times as many training samples {word} {more} as {word} {fewer}"
    yield Check(sought, phrase, sound=ratio < _UNEVEN)


def _copies(found: Findings) -> Iterable[Check]:
    """Yield what is there more than once, to the byte."""
    leaks, others = ([_equal(one) for one in found.copies if one.leaks is leaking] for leaking in (True, False))
    yield _counted("Copies across the splits", leaks, "sample", "both in train and in test")
    yield _counted("Copies within a split", others, "sample", "more than once in one split")
    conflicts = [_equal(one) for one in found.copies if one.conflicting]
    if found.kind == DEFAULT:
        yield _counted("Conflicting labels", conflicts, "sample", "under different labels")
    else:
        yield _counted("Conflicting targets", conflicts, "sample", "with different labels or numbers")


def _equal(one: Copies) -> str:
    names = [*one.train, *one.test]
    rest = [f"{len(names) - _SHOWN:,} more"] if len(names) > _SHOWN else []
    return " = ".join([*names[:_SHOWN], *rest])


def _near(found: Findings) -> Iterable[Check]:
    """Yield what a backbone hardly tells apart."""
    near = found.near_duplicates
    parts = (
        (
            "Near duplicates across the splits",
            "test sample",
            "of nearly the same features as a training sample",
            near.across,
        ),
        ("Near duplicates within train", "training sample", "of nearly the same features as another", near.train),
        ("Near duplicates within test", "test sample", "of nearly the same features as another", near.test),
    )
    for sought, noun, what, pairs in parts:
        yield _counted(sought, [f"{pair.id} ≈ {pair.nearest}" for pair in pairs], noun, what)


def _labels(found: Findings) -> Check:
    """Return the labels that are worth a second look, beside how many there would be if all were right."""
    names = tuple(f"{one.id}: {one.given}, rather {one.suggested}" for one in found.label_issues)
    phrase = f"{counted(len(names), 'training label')} worth a second look"
    expected, agreement = found.issues_expected, found.agreement
    if expected is None or agreement is None:
        return Check(SECOND_LOOK, phrase, names, sound=not names)
    count = f"about {expected:.0f}" if expected >= 1 else "fewer than one"
    beside = f"{count} expected if every label were right"
    judge = f"a head fitted without these samples agrees with {100 * agreement:.1f} % of the labels"
    return Check(SECOND_LOOK, f"{phrase}; {beside}; {judge}", names, sound=not names)


def _odd_values(found: Findings) -> Check:
    """Return the numbers that are worth a second look."""
    names = [
        f"{one.id}: {one.output} {one.given:g}, expected about {one.expected:.4g} ({one.z:.1f} deviations)"
        for one in found.odd_values
    ]
    phrase = f"worth a second look, more than {found.limit:.1f} robust deviations from what the others speak for"
    return _counted("Odd values", names, "training value", phrase)


def _shift(found: Findings) -> Check:
    shift, sought = found.shift, "Shift between train and test"
    if shift is None:
        return Check(sought, "too few samples to tell whether test differs from train")
    verdict = "test differs from train" if shift.found else "no difference between train and test is seen"
    interval = f"{shift.auroc:.3f} [{shift.low:.3f}, {shift.high:.3f}]"
    phrase = f"{verdict}: a classifier tells them apart with an AUROC of {interval}, 0.5 is chance"
    return Check(sought, phrase, sound=not shift.found)


def _score(found: Findings) -> Check:
    leak, target = found.leak, TARGETS.load(found.kind)
    phrase = f"test {target.table[target.main]} {with_interval(leak.accuracy, shares=target.as_shares)}"
    if leak.without:
        without = with_interval(leak.without, shares=target.as_shares)
        phrase += f"; {without} without the {counted(len(leak.rows), 'sample')} that train has"
    head = "one logistic regression, nothing chosen" if target.usual_head == "logreg" else f"one {target.usual_head}"
    return Check("What the copies are worth", f"{phrase} ({head})", sound=False)


def _counted(sought: str, names: Sequence[str], noun: str, what: str) -> Check:
    return Check(sought, f"{counted(len(names), noun)} {what}", tuple(names), sound=not names)
