"""What is wrong with a dataset: looked for in its cached features, and remembered."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import look_up
from frostline.pipeline.plan.make import cached_plan
from frostline.pipeline.plan.plan import SPLITS, Plan
from frostline.pipeline.records.findings import (
    CopiesOf,
    Findings,
    Issue,
    Leak,
    Near,
    NearPairs,
    Outlier,
    memory,
    read_findings,
    write_findings,
)
from frostline.pipeline.records.run import Extracted
from frostline.pipeline.settings.models import ExtractSettings
from frostline.pipeline.steps.features import cached, check_quarantined
from frostline.pipeline.steps.targets import target_digests
from frostline.stages.diagnostics import (
    Copies,
    DuplicatePair,
    LabelIssues,
    NearDuplicates,
    Values,
    copies,
    find_near_duplicates,
    label_issues,
    out_of_fold,
    shift,
    strength,
    values,
)
from frostline.stages.evaluate import predictions
from frostline.stages.fit import fit
from frostline.stages.heads import head_spec
from frostline.stages.metrics import bootstrap, means
from frostline.stages.store import Features, load, open_set

log = logging.getLogger("frostline")
_QUICK = 4_000_000
Ids = tuple[str, ...]


def health(settings: ExtractSettings) -> Findings:
    """Return what is wrong with the settings' dataset as their backbone sees it, in its plain view.

    Nothing is extracted; what was found in these features before is remembered. Raises StoreError if the
    features of a split are not cached.
    """
    return _findings(cached_plan(open_inputs(settings)))


def check_if_small(plan: Plan) -> Findings | None:
    """Look at a small dataset's features, so that a run on them can say what is wrong; return what was found.

    Small: up to four million values, which take some seconds; the time grows with the square of the rows. No
    failure is raised, but told.
    """
    if "plain" not in plan.settings.views:
        return None
    if plan.width * sum(len(samples) for samples in plan.dataset.splits) > _QUICK:
        return None
    try:
        return _findings(plan)
    except Exception as error:  # the run's numbers are safe by then
        log.warning("the health of the data was not looked at (%s: %s)", type(error).__name__, error)
        return None


def _findings(plan: Plan) -> Findings:
    there = {split: cached(look_up(plan, split, "plain")) for split in SPLITS}
    check_quarantined(plan, there.values())
    known = [*(done.key.digest for done in there.values()), *target_digests(plan).values()]
    path = memory(plan.workspace.root, known, plan.settings.seed)
    found = read_findings(path)
    if found is None:
        found = _look(plan, there)
        write_findings(path, found)
    return found


def _look(plan: Plan, there: dict[str, Extracted]) -> Findings:
    """Return what is wrong with features that are there; of odd rows, only that they are."""
    seed = plan.settings.seed
    loaded = {
        split: replace(load(open_set(done.folder), plan.samples(split).targets), split=split)
        for split, done in there.items()
    }
    odd = {split: values(features.X) for split, features in loaded.items()}
    train, test = (_finite(features, odd[split]) for split, features in loaded.items())
    ids, classes = {"train": train.ids, "test": test.ids}, train.classes
    numbers = {"train": values(train.X), "test": values(test.X)}
    same, near = copies(train, test), find_near_duplicates(train, test)
    probabilities = out_of_fold(train.X, train.y, train.digests, len(classes), seed=seed)
    return Findings(
        dataset=plan.dataset.name,
        backbone=there["train"].key.backbone.name,
        rows={split: len(names) for split, names in ids.items()},
        width=train.X.shape[1],
        quarantined={split: done.quarantined for split, done in there.items()},
        not_finite={split: tuple(loaded[split].ids[row] for row in found.not_finite) for split, found in odd.items()},
        dead_dimensions=numbers["train"].dead,
        constant_dimensions=numbers["train"].constant,
        outlying_lengths={split: _outliers(ids[split], found) for split, found in numbers.items()},
        copies=tuple(_named(one, train.ids, test.ids) for one in same),
        near_duplicates=_named_pairs(near, train.ids, test.ids),
        rows_by_class=dict(zip(classes, np.bincount(train.y, minlength=len(classes)).tolist(), strict=True)),
        label_issues=_issues(label_issues(probabilities, train.y), train.ids, classes),
        shift=shift(train, test, seed=seed),
        leak=_leak(train, test, same, near, seed),
    )


def _finite(features: Features, found: Values) -> Features:
    if not found.not_finite:
        return features
    mask = np.ones(len(features), bool)
    mask[list(found.not_finite)] = False
    return features.masked(mask)


def _leak(train: Features, test: Features, same: Iterable[Copies], near: NearDuplicates, seed: int) -> Leak:
    rows = {row for group in same if group.leaks for row in group.test} | {pair.row for pair in near.across}
    head, _ = fit([train], head_spec("logreg", (strength(train.X),), seed=seed))
    right = predictions(head, [test]).right
    kept = right[[row not in rows for row in range(len(test))]]
    accuracy = bootstrap([means([right])], len(right), seed)[0][0]
    without = bootstrap([means([kept])], len(kept), seed)[0][0] if len(kept) else None
    return Leak(tuple(test.ids[row] for row in sorted(rows)), accuracy, without)


def _outliers(ids: Ids, odd: Values) -> tuple[Outlier, ...]:
    return tuple(Outlier(ids[row], z) for row, z in zip(odd.outliers, odd.distances, strict=True))


def _named(group: Copies, train: Ids, test: Ids) -> CopiesOf:
    return CopiesOf(
        train=tuple(train[row] for row in group.train),
        test=tuple(test[row] for row in group.test),
        conflicting=group.conflicting,
    )


def _named_pairs(near: NearDuplicates, train: Ids, test: Ids) -> NearPairs:
    def named(pairs: Iterable[DuplicatePair], ids: Ids, others: Ids) -> tuple[Near, ...]:
        return tuple(Near(id=ids[pair.row], nearest=others[pair.nearest], distance=pair.distance) for pair in pairs)

    return NearPairs(
        train=named(near.train, train, train),
        test=named(near.test, test, test),
        across=named(near.across, test, train),
        typical_distance=near.typical,
    )


def _issues(found: LabelIssues, ids: Ids, classes: Ids) -> tuple[Issue, ...]:
    columns = zip(found.rows, found.given, found.suggested, found.probability, found.margin, strict=True)
    return tuple(
        Issue(id=ids[row], given=classes[given], suggested=classes[other], probability=probability, margin=margin)
        for row, given, other, probability, margin in columns
    )
