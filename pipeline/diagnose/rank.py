"""Which backbone? Transferability on a sample of the training rows, beside the accuracies of past runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.engines.registry import check_engine
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.records.run_folder import read_run
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.wording import TRANSFERABILITY
from frostline.pipeline.settings.models import RankSettings
from frostline.pipeline.steps.features import LazyFeatures, extract_missing
from frostline.stages.backbones import fingerprint
from frostline.stages.datasets import Dataset
from frostline.stages.datasets.sampling import train_size
from frostline.stages.diagnostics.transferability import RankAgreement, Transferability, measured, transferability
from frostline.stages.errors import FrostlineError, counted
from frostline.stages.heads import LinearHead
from frostline.stages.store.key import FeatureKey
from frostline.stages.targets.registry import main_score

log = logging.getLogger("frostline")


@dataclass(frozen=True)
class RankedBackbone:
    """One backbone: its scores, the numbers of rows computed for them and left out, and what past runs measured.

    ``accuracy``: of the newest run of this dataset through this backbone, None where there is none.
    """

    backbone: str
    width: int
    computed: int
    quarantined: int
    scores: Transferability
    accuracy: float | None


@dataclass(frozen=True)
class BackboneRanking:
    """Backbones by LogME, the best first. ``agreement``: of each score with the measured accuracies."""

    dataset: str
    rows: int
    of: int
    backbones: tuple[RankedBackbone, ...]
    agreement: dict[str, RankAgreement | None]


def rank(names: Sequence[str], settings: RankSettings) -> BackboneRanking:
    """Return the backbones by their scores on ``settings.samples`` training rows; no other row is extracted.

    ``names``: backbones, each as NAME or NAME=WEIGHTS; without any, that of the settings. The
    sample is stratified, drawn by content, and cached as a split of its own, from which a larger sample and the
    whole dataset take their rows. Raises what ``extract`` does.
    """
    asked = [_asked(name, settings) for name in names or [settings.backbone]]
    check_engine(settings.engine)
    for one in asked:  # a name that is wrong is said before the first network runs
        fingerprint(one.request())
    whole = open_inputs(asked[0]).dataset
    sample = _sample(whole, settings)
    found = [_ranked(one, whole, sample) for one in asked]
    return BackboneRanking(
        whole.name,
        len(sample.train),
        len(whole.train),
        tuple(sorted(found, key=lambda ranked: -ranked.scores.logme)),
        {name: _agreement(name, found) for name in TRANSFERABILITY},
    )


def _asked(name: str, settings: RankSettings) -> RankSettings:
    backbone, _, weights = name.partition("=")
    given: dict[str, Any] = {"backbone": backbone, "views": ("plain",), **({"weights": weights} if weights else {})}
    return RankSettings(**{**settings.model_dump(exclude_unset=True), **given})


def _sample(whole: Dataset, settings: RankSettings) -> Dataset:
    train = whole.train
    asked = train.targets
    drawn = train_size(asked.values, train.digests, len(asked.names), settings.samples, settings.seed)
    if drawn.all():  # the same key as the training split's, so it must be that
        return whole
    return Dataset(whole.name, train.take(np.flatnonzero(drawn), "sample"), whole.test, whole.notes)


def _ranked(settings: RankSettings, whole: Dataset, sample: Dataset) -> RankedBackbone:
    plan = make_plan(open_inputs(settings, sample), ("train",))
    (done,) = extract_missing(plan)
    features = LazyFeatures(plan).train[0]
    scores = transferability(features.X, features.y, _source_probabilities(plan, features.X))
    key = replace(plan.key("train", "plain"), dataset=whole.train.content)
    accuracy = _newest(_accuracies(plan.workspace.runs, key))
    return RankedBackbone(
        settings.backbone, features.X.shape[1], done.computed, len(done.quarantined), scores, accuracy
    )


def _source_probabilities(plan: Plan, X: NDArray[Any]) -> NDArray[np.float64] | None:
    from frostline.stages.backbones.describe.source_classifier import source_classifier

    found = source_classifier(plan.settings.request(), plan.spec.layer)
    if found is None:
        log.info("%s: no LEEP and NCE, its features are not the input of one linear layer", plan.settings.backbone)
        return None
    weight, bias = found
    return LinearHead(weight, bias, tuple(map(str, range(len(bias))))).confidence(X)


def _accuracies(runs: Path, key: FeatureKey) -> Iterator[tuple[str, float]]:
    """Yield when and what past runs measured on features like a key's; how exactly they were computed doesn't count."""
    wanted = _identity(key.fields())
    for path in runs.glob("*/run.json"):
        try:
            found = read_run(path).record
        except FrostlineError:
            log.warning("%s is no report of a run; it is passed over", path)
            continue
        for probe in found.probes:
            same = any(e.split == "train" and _identity(e.key) == wanted for e in probe.features)
            if same and probe.evaluation:
                yield found.made, main_score(probe.evaluation.scores).value


def _identity(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in fields.items() if n not in ("precision", "dtype", "view", "decoder")}


def _newest(found: Iterator[tuple[str, float]]) -> float | None:
    latest = max(found, default=None, key=lambda run: run[0])
    return latest[1] if latest else None


def _agreement(name: str, found: Sequence[RankedBackbone]) -> RankAgreement | None:
    pairs = [(getattr(one.scores, name), one.accuracy) for one in found]
    both = [pair for pair in pairs if None not in pair]
    return measured(*zip(*both, strict=True)) if both else None


def ranking_json(ranking: BackboneRanking) -> dict[str, Any]:
    """Return a ranking as JSON values."""
    return asdict(ranking)


def ranking_table(ranking: BackboneRanking) -> str:
    """Return a ranking for a terminal."""
    shown = [n for n in TRANSFERABILITY if any(getattr(one.scores, n) is not None for one in ranking.backbones)]
    columns = ("backbone", "width", *(TRANSFERABILITY[n] for n in shown), "accuracy measured")
    rows = tuple(_cells(one, shown) for one in ranking.backbones)
    lines = aligned(Table("", columns, "<" + ">" * len(columns[1:]), rows))
    head = f"{ranking.dataset}: {ranking.rows:,} of {counted(ranking.of, 'training sample')}; by LogME, the best first"
    return "\n".join([head, "", *lines, "", *_trust(ranking)])


def _cells(one: RankedBackbone, shown: Sequence[str]) -> tuple[str, ...]:
    values = [getattr(one.scores, n) for n in shown]
    scores = ["none" if value is None else f"{value:.3f}" for value in values]
    accuracy = "none" if one.accuracy is None else f"{100 * one.accuracy:.1f} %"
    return (one.backbone, f"{one.width:,}", *scores, accuracy)


def _trust(ranking: BackboneRanking) -> list[str]:
    """Return how far to trust the scores, one line each."""
    known = sum(one.accuracy is not None for one in ranking.backbones)
    if known < 3:
        runs = "no run" if not known else "a run" if known == 1 else "runs"
        what = f"{runs} of {counted(known, 'backbone')}" if known else runs
        return [f"- {what} on this dataset so far: from three on, how well each score ordered them stands here"]
    return [
        f"- {TRANSFERABILITY[name]}: Kendall's τ {found.kendall:.2f}, Spearman's ρ {found.spearman:.2f} "
        f"with the accuracies of {found.n} backbones"
        for name, found in ranking.agreement.items()
        if found
    ]
