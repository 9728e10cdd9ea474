"""What past runs measured of a backbone's features, by one head for all backbones where there is one."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from frostline.pipeline.records.headline import Candidate, headline
from frostline.pipeline.records.run_folder import read_run
from frostline.pipeline.records.run_record import RunRecord
from frostline.stages.datasets import Samples
from frostline.stages.errors import FrostlineError
from frostline.stages.store.key import FeatureKey
from frostline.stages.targets.registry import TARGETS, main_score

log = logging.getLogger("frostline")


class Measured(NamedTuple):
    """A head's main score in a run that was made then; ``usual``: its grid was that of its kind."""

    made: str
    usual: bool
    candidate: Candidate

    @property
    def head(self) -> str:
        return self.candidate.name

    @property
    def score(self) -> float:
        own = self.candidate.evaluation
        return main_score(own.scores, own.kind).value


def past_heads(runs: Path, key: FeatureKey, train: Samples) -> tuple[Measured, ...]:
    """Return what runs of these targets measured on features like a key's, the newest of each head and sort of grid.

    How exactly the features were computed doesn't count.
    """
    newest: dict[tuple[str, bool], Measured] = {}
    for one in sorted(_heads(runs, key, train), key=lambda found: found.made):
        newest[one.head, one.usual] = one
    return tuple(newest.values())


def one_for_each(found: Sequence[Sequence[Measured]], kind: str) -> list[Measured | None]:
    """Return for each backbone the head that stands for it, None where nothing was measured.

    That is one head with its usual grid for all backbones that were measured, the kind of target's usual head if there
    are several; else each backbone's own best on held-out training samples, or on test samples for want of these.
    """
    usual = [{one.head: one for one in own if one.usual} for own in found]
    known = [set(heads) for heads, own in zip(usual, found, strict=True) if own]
    shared = set.intersection(*known) if known else set()
    if shared:
        first = TARGETS.load(kind).usual_head
        head = first if first in shared else min(shared)
        return [heads.get(head) for heads in usual]
    return [_best(own) if own else None for own in found]


def _best(own: Sequence[Measured]) -> Measured:
    numbered = [one.candidate._replace(name=str(i)) for i, one in enumerate(own)]
    picked = headline(numbered)
    if picked.by == "order":
        return max(own, key=lambda one: one.score)
    return own[int(picked.name)]


def _heads(runs: Path, key: FeatureKey, train: Samples) -> Iterator[Measured]:
    wanted = _identity(key.fields())
    for record in _records(runs):
        if record.targets.get("train", train.target_digest) != train.target_digest:
            continue
        for probe in record.probes:
            same = any(e.split == "train" and _identity(e.key) == wanted for e in probe.features)
            if same and probe.evaluation and probe.head:
                candidate = Candidate(probe.name, probe.head.selection, probe.evaluation)
                yield Measured(record.made, not record.settings.get("grid"), candidate)


def _records(runs: Path) -> Iterator[RunRecord]:
    for path in runs.glob("*/run.json"):
        try:
            yield read_run(path).record
        except FrostlineError:
            log.warning("%s is not a report of a run; it is skipped", path)


def _identity(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in fields.items() if n not in ("precision", "dtype", "view", "decoder")}
