"""Which backbone? Transferability on a sample of the training rows, with the accuracies of past runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.diagnose.past_runs import Measured, one_for_each, past_heads
from frostline.pipeline.engines.registry import check_engine
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.verdicts import uncovered
from frostline.pipeline.report.wording import NOUNS, TRANSFERABILITY, listed, value_of
from frostline.pipeline.settings import RankSettings
from frostline.pipeline.steps.features import LazyFeatures, extract_missing
from frostline.stages.backbones import fingerprint
from frostline.stages.backbones.families.registry import full_name
from frostline.stages.datasets import Dataset
from frostline.stages.datasets.draws import train_size
from frostline.stages.diagnostics.transferability import (
    FEW,
    RankAgreement,
    Transferability,
    measured,
    transferability_of,
)
from frostline.stages.diagnostics.transferability_intervals import Intervals, saturated, transferability_intervals
from frostline.stages.errors import counted
from frostline.stages.heads import LinearHead
from frostline.stages.targets.base import DEFAULT, Target
from frostline.stages.targets.registry import TARGETS

log = logging.getLogger("frostline")
_NO_NETWORKS = ("pixels", "vectors", "spectrum", "tfidf")
_OF_NETWORKS = ("layer", "pool")  # what is asked of the networks ranked beside those has no meaning for them


@dataclass(frozen=True)
class RankedBackbone:
    """One backbone: its scores, the numbers of rows computed for them and left out, and what past runs measured.

    ``accuracy``: of the newest run of this target through this backbone with ``head``, of other kinds than single
    labels its main score; None where there is no run. That is one head for all backbones where there is one, see
    ``one_for_each``. ``intervals``: of each score, 95 %, see ``transferability_intervals``.
    """

    backbone: str
    width: int
    computed: int
    quarantined: int
    scores: Transferability
    accuracy: float | None
    intervals: Intervals = field(default_factory=dict)
    head: str = ""


@dataclass(frozen=True)
class BackboneRanking:
    """Backbones by LogME, the best first. ``agreement``: of each score with the measured accuracies.

    ``kind``: of target; of others than single labels there is LogME alone. ``grouped``: samples come in groups, which
    are left out whole.
    """

    dataset: str
    rows: int
    of: int
    backbones: tuple[RankedBackbone, ...]
    agreement: dict[str, RankAgreement | None]
    kind: str = DEFAULT
    grouped: bool = False

    @property
    def target(self) -> Target:
        """The kind of target."""
        return TARGETS.load(self.kind)


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
    found = _beside_runs([_ranked(one, whole, sample) for one in asked], whole.train.targets.kind)
    return BackboneRanking(
        whole.name,
        len(sample.train),
        len(whole.train),
        tuple(sorted(found, key=lambda ranked: -ranked.scores.logme)),
        {name: _agreement(name, found) for name in TRANSFERABILITY},
        whole.train.targets.kind,
        whole.train.targets.groups is not None,
    )


def _beside_runs(found: Sequence[tuple[RankedBackbone, tuple[Measured, ...]]], kind: str) -> list[RankedBackbone]:
    """Return the backbones with what past runs measured."""
    runs = one_for_each([own for _, own in found], kind)
    both = zip(found, runs, strict=True)
    return [replace(one, accuracy=run.score, head=run.head) if run else one for (one, _), run in both]


def _asked(name: str, settings: RankSettings) -> RankSettings:
    backbone, _, weights = name.partition("=")
    given: dict[str, Any] = {"backbone": backbone, "views": ("plain",), **({"weights": weights} if weights else {})}
    if full_name(backbone).partition(":")[0] in _NO_NETWORKS:
        given |= dict.fromkeys(_OF_NETWORKS)
    return RankSettings(**{**settings.model_dump(exclude_unset=True), **given})


def _sample(whole: Dataset, settings: RankSettings) -> Dataset:
    train = whole.train
    drawn = train_size(train.targets, train.digests, settings.samples, settings.seed)
    if drawn.all():  # the same key as the training split's, so it must be that
        return whole
    return Dataset(whole.name, train.take(np.flatnonzero(drawn), "sample"), whole.test, whole.notes)


def _ranked(settings: RankSettings, whole: Dataset, sample: Dataset) -> tuple[RankedBackbone, tuple[Measured, ...]]:
    """Return a backbone's scores, and what past runs measured of it."""
    plan = make_plan(open_inputs(settings, sample), ("train",))
    (done,) = extract_missing(plan)
    features = LazyFeatures(plan).train[0]
    source = _source_probabilities(plan, features.X) if plan.kind == DEFAULT else None
    scores = transferability_of(features.X, features.targets, source)
    intervals = transferability_intervals(features.X, features.targets, features.digests, scores, source, settings.seed)
    key = replace(plan.key("train", "plain"), dataset=whole.train.content)
    rows = done.computed, len(done.quarantined)
    ranked = RankedBackbone(settings.backbone, features.X.shape[1], *rows, scores, None, intervals)
    return ranked, past_heads(plan.workspace.runs, key, whole.train)


def _source_probabilities(plan: Plan, X: NDArray[Any]) -> NDArray[np.float64] | None:
    from frostline.stages.backbones.describe.source_classifier import source_classifier

    found = source_classifier(plan.resolved.inputs.request, plan.spec.layer)
    if found is None:
        log.info(
            "%s: LEEP and NCE are not available, because its features are not the input of a single linear layer",
            plan.settings.backbone,
        )
        return None
    weight, bias = found
    return LinearHead(weight, bias, tuple(map(str, range(len(bias))))).decision_values(X)


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
    measured_score = f"{ranking.target.table[ranking.target.main]} measured"
    columns = ("backbone", "width", *(TRANSFERABILITY[n] for n in shown), measured_score)
    rows = tuple(_cells(one, shown, shares=ranking.target.as_shares) for one in ranking.backbones)
    lines = aligned(Table("", columns, "<" + ">" * len(columns[1:]), rows))
    head = (
        f"{ranking.dataset}: {ranking.rows:,} of {counted(ranking.of, 'training sample')}, sorted by LogME, best first"
    )
    return "\n".join([head, "", *lines, "", *_trust(ranking)])


def _cells(one: RankedBackbone, shown: Sequence[str], *, shares: bool) -> tuple[str, ...]:
    scores = [_score(getattr(one.scores, n), one.intervals.get(n)) for n in shown]
    result = "none" if one.accuracy is None else f"{value_of(one.accuracy, shares=shares)} ({one.head})"
    return (one.backbone, f"{one.width:,}", *scores, result)


def _score(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return "none"
    return f"{value:.3f}" if interval is None else f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _trust(ranking: BackboneRanking) -> list[str]:
    """Return which scores there are, and how far to trust them, one line each."""
    names = f"{NOUNS.get(ranking.kind, 'name')}s"
    alone = f"- for a {ranking.kind} target LogME, averaged over the {names}, is the only score available"
    intervals = (
        "- [ ]: 95 % interval, by leaving out each tenth of the samples once. All backbones use the same samples, so "
        "two scores can differ beyond chance although their intervals overlap"
    )
    said = [] if ranking.kind == DEFAULT else [alone]
    if any(one.intervals for one in ranking.backbones):
        said += [intervals, f"- {uncovered(grouped=ranking.grouped, drawn=True)}"]
    return [*said, *_saturated(ranking), *_agreements(ranking)]


def _saturated(ranking: BackboneRanking) -> list[str]:
    scored = [one for one in ranking.backbones if one.scores.h_score is not None]
    names = [one.backbone for one in scored if saturated(ranking.rows, one.width)]
    why = "close to the number of classes minus one for any data when there are few more rows than features"
    return [f"- no interval for the H-score of {listed(names)}: it is {why}"] if names else []


def _agreements(ranking: BackboneRanking) -> list[str]:
    known = sum(one.accuracy is not None for one in ranking.backbones)
    if known < 3:
        runs = "no run" if not known else "a run" if known == 1 else "runs"
        what = f"{runs} of {counted(known, 'backbone')}" if known else runs
        return [
            f"- {what} on this dataset so far. With 3 or more backbones, this shows how well each score predicted "
            "their order"
        ]
    results = "accuracies" if ranking.kind == DEFAULT else f"{ranking.target.table[ranking.target.main]}"
    lines = [
        f"- {TRANSFERABILITY[name]}: Kendall's τ {found.kendall:.2f}, Spearman's ρ {found.spearman:.2f} "
        f"with the {results} of {found.n} backbones"
        for name, found in ranking.agreement.items()
        if found
    ]
    if lines and known < FEW:
        lines.append(f"- with fewer than {FEW} backbones, even a perfect order can be chance")
    return lines
