"""What is wrong with a dataset: looked for in its cached features, and remembered."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from frostline.pipeline.diagnose.doubts import doubts_of, leak_of, odd_values_of, quick_head
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import look_up
from frostline.pipeline.plan.make import cached_plan
from frostline.pipeline.plan.plan import SPLITS, Plan
from frostline.pipeline.records.findings import Findings, Outlier, memory, read_findings, write_findings
from frostline.pipeline.records.run import Extracted
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.steps.features import cached, check_quarantined
from frostline.pipeline.steps.targets import target_digests
from frostline.stages.diagnostics import Values, copies, find_near_duplicates, shift, values
from frostline.stages.store import Features, load, open_set
from frostline.stages.targets.registry import TARGETS

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
        log.warning("the data was not checked (%s: %s)", type(error).__name__, error)
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
    ids = {"train": train.ids, "test": test.ids}
    numbers = {"train": values(train.X), "test": values(test.X)}
    same, near = copies(train, test), find_near_duplicates(train, test)
    head, spec = quick_head(train, seed)
    doubts, (odd_values, limit) = doubts_of(train, spec, seed), odd_values_of(train, spec, seed)
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
        copies=same,
        near_duplicates=near,
        rows_by_class=_rows_by_class(train),
        label_issues=doubts.issues,
        issues_expected=doubts.expected,
        agreement=doubts.agreement,
        shift=shift(train, test, seed=seed),
        leak=leak_of(test, head, same, near, seed),
        kind=train.targets.kind,
        odd_values=odd_values,
        limit=limit,
    )


def _rows_by_class(train: Features) -> dict[str, int]:
    """Return how many training rows each class, or label, has; nothing for numbers."""
    if not TARGETS.load(train.targets.kind).countable:
        return {}
    having = train.y == 1 if train.y.ndim > 1 else train.y[:, None] == np.arange(len(train.classes))
    return dict(zip(train.classes, having.sum(0).tolist(), strict=True))


def _finite(features: Features, found: Values) -> Features:
    if not found.not_finite:
        return features
    mask = np.ones(len(features), bool)
    mask[list(found.not_finite)] = False
    return features.masked(mask)


def _outliers(ids: Ids, odd: Values) -> tuple[Outlier, ...]:
    return tuple(Outlier(ids[row], z) for row, z in zip(odd.outliers, odd.distances, strict=True))
