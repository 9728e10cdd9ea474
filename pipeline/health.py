"""What is wrong with a dataset: the findings on its cached features, by the samples' names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from pipeline.config import ExtractSettings
from pipeline.features import cached, check_quarantined
from pipeline.plan import Plan
from stages.errors import counted, listing, printable
from stages.evaluate import predictions
from stages.fit import fit
from stages.heads import head_spec
from stages.health import (
    Balance,
    Copies,
    LabelIssues,
    NearDuplicates,
    Pair,
    Shift,
    Values,
    balance,
    copies,
    label_issues,
    near_duplicates,
    out_of_fold,
    shift,
    strength,
    values,
)
from stages.metrics import Score, bootstrap, means
from stages.store import Bad, Features, load, open_set

_SHOWN = 10


@dataclass(frozen=True)
class Leak:
    """Test samples that are in train, as copies or near duplicates, and the accuracy with and without them.

    ``rows``: of test. The head is a logistic regression with one C, fitted on all of train.
    ``without`` is None where no test sample is left.
    """

    rows: tuple[int, ...]
    accuracy: Score
    without: Score | None


@dataclass(frozen=True, eq=False)
class Findings:
    """All that is found; rows are those of ``train`` and ``test``, whose rows are finite."""

    dataset: str
    backbone: str
    train: Features
    test: Features
    quarantined: dict[str, tuple[Bad, ...]]
    not_finite: dict[str, tuple[str, ...]]
    values: dict[str, Values]
    copies: tuple[Copies, ...]
    near: NearDuplicates
    balance: Balance
    labels: LabelIssues
    shift: Shift | None
    leak: Leak


def health(settings: ExtractSettings) -> Findings:
    """Return what is wrong with the settings' dataset as their backbone sees it, in its plain view.

    Nothing is extracted. Raises StoreError if the features of a split are not cached.
    """
    plan = Plan(settings, may_load=False)
    there = {split: cached(plan.need(split, "plain")) for split in ("train", "test")}
    check_quarantined(plan, there.values())
    loaded = {split: replace(load(open_set(done.folder)), split=split) for split, done in there.items()}
    odd = {split: values(features.X) for split, features in loaded.items()}
    train, test = (_finite(features, odd[split]) for split, features in loaded.items())
    same, near = copies(train, test), near_duplicates(train, test)
    probabilities = out_of_fold(train.X, train.y, train.digests, len(train.classes), seed=settings.seed)
    return Findings(
        plan.dataset.name,
        there["train"].key.backbone.name,
        train,
        test,
        {split: features.quarantined for split, features in there.items()},
        {split: tuple(loaded[split].ids[row] for row in found.not_finite) for split, found in odd.items()},
        {"train": values(train.X), "test": values(test.X)},
        same,
        near,
        balance(train.y, len(train.classes)),
        label_issues(probabilities, train.y),
        shift(train, test, seed=settings.seed),
        _leak(train, test, same, near, settings.seed),
    )


def _finite(features: Features, found: Values) -> Features:
    if not found.not_finite:
        return features
    mask = np.ones(len(features), bool)
    mask[list(found.not_finite)] = False
    return features.take(mask.tolist())


def _leak(train: Features, test: Features, same: Iterable[Copies], near: NearDuplicates, seed: int) -> Leak:
    rows = {row for group in same if group.leaks for row in group.test} | {pair.row for pair in near.across}
    head, _ = fit([train], head_spec("logreg", (strength(train.X),), seed=seed))
    right = predictions(head, [test]).right
    kept = right[[row not in rows for row in range(len(test))]]
    accuracy = bootstrap([means([right])], len(right), seed)[0][0]
    without = bootstrap([means([kept])], len(kept), seed)[0][0] if len(kept) else None
    return Leak(tuple(sorted(rows)), accuracy, without)


def findings_json(found: Findings) -> dict[str, Any]:
    """Return the findings as JSON values, rows by the samples' names."""
    train, test, classes = found.train.ids, found.test.ids, found.train.classes
    ids = {"train": train, "test": test}
    issues = zip(*asdict(found.labels).values(), strict=True)
    return {
        "dataset": found.dataset,
        "backbone": found.backbone,
        "rows": {"train": len(train), "test": len(test)},
        "quarantined": {split: [asdict(bad) for bad in several] for split, several in found.quarantined.items()},
        "not_finite": {split: list(names) for split, names in found.not_finite.items()},
        "dead_dimensions": list(found.values["train"].dead),
        "constant_dimensions": list(found.values["train"].constant),
        "outlying_lengths": {split: _outliers(ids[split], odd) for split, odd in found.values.items()},
        "copies": [_copies_json(group, train, test) for group in found.copies],
        "near_duplicates": {
            "train": [_pair(pair, train, train) for pair in found.near.train],
            "test": [_pair(pair, test, test) for pair in found.near.test],
            "across": [_pair(pair, test, train) for pair in found.near.across],
            "typical_distance": found.near.typical,
        },
        "rows_by_class": dict(zip(classes, found.balance.counts, strict=True)),
        "label_issues": [
            {"id": train[row], "given": classes[given], "suggested": classes[likelier], "margin": margin}
            for row, given, likelier, margin in issues
        ],
        "shift": asdict(found.shift) if found.shift else None,
        "leak": {**asdict(found.leak), "rows": [test[row] for row in found.leak.rows]},
    }


def _outliers(ids: tuple[str, ...], odd: Values) -> list[dict[str, Any]]:
    return [{"id": ids[row], "z": z} for row, z in zip(odd.outliers, odd.distances, strict=True)]


def _copies_json(group: Copies, train: tuple[str, ...], test: tuple[str, ...]) -> dict[str, Any]:
    rows = {"train": [train[row] for row in group.train], "test": [test[row] for row in group.test]}
    return {**rows, "conflicting": group.conflicting}


def _pair(pair: Pair, ids: tuple[str, ...], others: tuple[str, ...]) -> dict[str, Any]:
    return {"id": ids[pair.row], "nearest": others[pair.nearest], "distance": pair.distance}


def findings_table(found: Findings) -> str:
    """Return the findings for a terminal: how many of each, and the first by name."""
    first = (
        f"{found.dataset} through {found.backbone}: {len(found.train):,} training and {len(found.test):,} test samples"
    )
    sections = [*_numbers(found), *_duplicates(found), _issues(found)]
    blocks = [f"{title}\n{listing(names, _SHOWN)}" if names else title for title, names in sections]
    return "\n".join([first, "", *blocks, *_scores(found)])


Section = tuple[str, list[str]]


def _numbers(found: Findings) -> list[Section]:
    """Return what is odd about the features' values, each with the names of its samples."""
    odd, width = found.values["train"], found.train.X.shape[1]
    left_out = [f"{printable(bad.id)}: {bad.reason}" for several in found.quarantined.values() for bad in several]
    not_finite = [printable(name) for names in found.not_finite.values() for name in names]
    far = [
        f"{printable(features.ids[row])}: {z:.0f} deviations from the median"
        for features, split in ((found.train, "train"), (found.test, "test"))
        for row, z in zip(found.values[split].outliers, found.values[split].distances, strict=True)
    ]
    counts = found.balance.counts
    most, least = found.train.classes[int(np.argmax(counts))], found.train.classes[int(np.argmin(counts))]
    return [
        (f"{counted(len(left_out), 'sample')} quarantined", left_out),
        (f"{counted(len(not_finite), 'sample')} with NaN or infinite features", not_finite),
        (f"{len(odd.dead):,} of {width:,} dimensions zero throughout, {len(odd.constant):,} otherwise constant", []),
        (f"{counted(len(far), 'sample')} of outlying length", far),
        (
            f"{found.balance.ratio:.1f} times as many training samples of {printable(most)} ({max(counts):,}) "
            f"as of {printable(least)} ({min(counts):,})",
            [],
        ),
    ]


def _duplicates(found: Findings) -> list[Section]:
    """Return copies and near duplicates, each with its samples' names."""
    train, test, near = found.train.ids, found.test.ids, found.near
    named = [
        (" = ".join(printable(name) for name in [*map(train.__getitem__, g.train), *map(test.__getitem__, g.test)]), g)
        for g in found.copies
    ]
    leaks = [name for name, group in named if group.leaks]
    within = [name for name, group in named if not group.leaks]
    conflicts = [name for name, group in named if group.conflicting]
    parts = (("in test of train", near.across, test, train), ("in train", near.train, train, train))
    return [
        (f"{counted(len(leaks), 'image')} both in train and in test", leaks),
        (f"{counted(len(within), 'image')} more than once in one split", within),
        (f"{counted(len(conflicts), 'image')} under different labels", conflicts),
        *(
            (
                f"{counted(len(pairs), 'near duplicate')} {where}",
                [f"{printable(ids[p.row])} ≈ {printable(others[p.nearest])}" for p in pairs],
            )
            for where, pairs, ids, others in (*parts, ("in test", near.test, test, test))
        ),
    ]


def _issues(found: Findings) -> Section:
    classes, labels = found.train.classes, found.labels
    names = [
        f"{printable(found.train.ids[row])}: {printable(classes[given])}, likelier {printable(classes[likelier])} "
        f"(margin {margin:.2f})"
        for row, given, likelier, margin in zip(*asdict(labels).values(), strict=True)
    ]
    return f"{counted(len(names), 'training label')} that the other samples speak against, the worst first", names


def _scores(found: Findings) -> list[str]:
    shifted, leak = found.shift, found.leak
    lines = ["too few samples to tell whether test differs from train"]
    if shifted:
        told = "test differs from train" if shifted.found else "no difference between train and test is seen"
        interval = f"{shifted.auroc:.3f} [{shifted.low:.3f}, {shifted.high:.3f}]"
        lines = [f"{told}: a classifier tells them apart with an AUROC of {interval}, 0.5 is chance"]
    score = f"test accuracy {_percent(leak.accuracy)}"
    if leak.rows and leak.without:
        score += f"; {_percent(leak.without)} without the {counted(len(leak.rows), 'sample')} that train has"
    return [*lines, f"{score} (one logistic regression, nothing chosen)"]


def _percent(score: Score) -> str:
    return f"{100 * score.value:.1f} % [{100 * score.low:.1f}, {100 * score.high:.1f}]"
