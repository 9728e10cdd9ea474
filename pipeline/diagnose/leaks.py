"""What near duplicates across the split are worth: every head's score with and without them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from frostline.pipeline.records.findings import Findings
from frostline.pipeline.records.run import Probe
from frostline.pipeline.report.wording import with_interval
from frostline.stages.errors import counted
from frostline.stages.evaluate import score
from frostline.stages.targets.registry import TARGETS, main_score


def leak_notes(found: Findings | None, probes: Iterable[Probe], seed: int) -> tuple[str, ...]:
    """Return one line for each scored head, if test samples are near duplicates of training samples; else none."""
    if found is None or not found.near_duplicates.across:
        return ()
    near, leaked = len({pair.id for pair in found.near_duplicates.across}), set(found.leak.rows)
    tested = counted(found.rows["test"], "test sample")
    first = f"near duplicates: {near:,} of {tested} nearly lie in train (seen through {found.backbone})"
    first += "; if they are of one object, patient or video, keep them on one side: `frostline health` with the same"
    first += " settings and --write-groups FILE, then --group-file FILE"
    return tuple(f"{first}; {line}" for line in (_without(probe, leaked, seed) for probe in probes) if line)


def _without(probe: Probe, leaked: set[str], seed: int) -> str | None:
    answers, evaluation = probe.predictions, probe.evaluation
    if answers is None or evaluation is None:
        return None
    kept = np.array([name not in leaked for name in answers.ids], bool)
    left = answers.masked(kept)
    if not kept.any() or (left.groups is not None and len(np.unique(left.groups)) < 2):
        return f"{probe.name}: too few test samples are left without these"
    kind, shares = evaluation.kind, TARGETS.load(evaluation.kind).as_shares
    found = main_score(score(left, seed=seed).scores, kind)
    rest = f"{int(kept.sum()):,} that are left"
    whole = with_interval(main_score(evaluation.scores, kind), shares=shares)
    return f"{probe.name}: {with_interval(found, shares=shares)} on the {rest}, {whole} on all"
