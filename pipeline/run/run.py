"""The stages in order: extract, fit, evaluate, and ``run`` for all of them. Finished work is skipped."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version

from frostline.pipeline.diagnose.health import check_if_small
from frostline.pipeline.diagnose.leaks import leak_notes
from frostline.pipeline.engines.registry import check_engine, check_engine_name
from frostline.pipeline.plan.inputs import Inputs, open_inputs
from frostline.pipeline.plan.lookup import required_sets
from frostline.pipeline.plan.machine import now
from frostline.pipeline.plan.make import cached_plan, make_plan
from frostline.pipeline.plan.plan import SPLITS, Plan
from frostline.pipeline.plan.preview import Preview, preview
from frostline.pipeline.plan.resolve import resolve_remembered
from frostline.pipeline.records.headline import candidates, headline
from frostline.pipeline.records.run import Extracted, Fitted, Probe, Report, predictions_name, to_file
from frostline.pipeline.records.run_record import SplitRows
from frostline.pipeline.run.baseline import baseline_settings
from frostline.pipeline.settings import (
    ExtractSettings,
    HeadSettings,
    Settings,
)
from frostline.pipeline.steps.enough import check_enough, suited_to
from frostline.pipeline.steps.features import (
    LazyFeatures,
    cached,
    drop,
    extract_missing,
    mended,
    requests_of,
    truncation_notes,
    unsteady_notes,
)
from frostline.pipeline.steps.heads import cached_head, fit_head, name_of
from frostline.pipeline.steps.subsets import drawn_curve
from frostline.pipeline.steps.targets import keep_targets, target_digests
from frostline.stages.backbones.families.fingerprint import versions_of
from frostline.stages.datasets import Dataset, duplicates
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.evaluate import predictions, score
from frostline.stages.heads import HeadSpec, check_options, spec_fields
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.metrics import predictions_csv
from frostline.stages.metrics.compare import Comparison, compare
from frostline.stages.records.sealed import digest
from frostline.stages.store import make_folder, write_atomic

log = logging.getLogger("frostline")
_VERSIONS = ("frostline", "torch", "torchvision", "scikit-learn", "numpy", "h5py")


def extract(settings: ExtractSettings, dataset: Dataset | None = None) -> tuple[Extracted, ...]:
    """Compute every missing or damaged feature, and return the cached feature sets.

    ``dataset``: the dataset of the settings, if it is already open. Raises DataError if more than ``max_bad`` samples
    can't be used; the others are cached.
    """
    check_engine(settings.engine)
    plan = make_plan(open_inputs(settings, dataset))
    for existing in [request.existing for request in required_sets(plan) if request.existing]:
        for damaged in existing.damaged():
            drop(existing, damaged)
    return extract_missing(plan)


def fit(settings: HeadSettings, dataset: Dataset | None = None) -> tuple[Fitted, ...]:
    """Fit every head on cached training features. Raises StoreError if they are not cached."""
    _whole(settings)
    plan = cached_plan(open_inputs(settings, dataset))
    own, loaded = suited_to(settings, plan.dataset), LazyFeatures(plan)
    return tuple(fit_head(plan, own.spec(name), loaded) for name in own.head)


def evaluate(settings: HeadSettings, dataset: Dataset | None = None) -> tuple[Probe, ...]:
    """Score every fitted head on cached test features. Raises StoreError if a head or features are missing."""
    _whole(settings)
    plan = cached_plan(open_inputs(settings, dataset))
    own = suited_to(settings, plan.dataset)
    features, loaded = tuple(map(cached, requests_of(plan, "test"))), LazyFeatures(plan)
    return tuple(
        _scored(Probe(features, name, fitted=_there(plan, own.spec(name))), settings.seed, loaded) for name in own.head
    )


def _whole(settings: HeadSettings) -> None:
    """Raise ConfigError for heads that are not fitted on all training rows, and for mistakes in settings."""
    few = [name for name in settings.head if name in PROTOCOLS and PROTOCOLS[name].shots]
    if few:
        raise ConfigError(f"{few[0]} draws random training subsets; use `frostline run`, which scores each of them")
    check_engine_name(settings.engine)  # nothing is extracted
    _check(settings)


def _check(settings: HeadSettings) -> None:
    """Raise ConfigError for a mistake in a head, before anything is read."""
    for name in settings.head:
        settings.spec(name)


def _there(plan: Plan, spec: HeadSpec) -> Fitted:
    found = cached_head(plan, spec)
    if found is None:
        raise StoreError(
            f"no {spec.kind} head has been fitted with these settings; run `frostline fit` with the same settings first"
        )
    return found


def run(settings: Settings, dataset: Dataset | None = None) -> Report:
    """Extract, fit and evaluate as far as needed, write ``run.json`` and ``report.html``, and return the report.

    ``dataset``: the dataset of the settings, if it is already open. If the files can't be written, for example on a
    read-only disk, the report is returned anyway and its ``unwritten`` says why.
    """
    return run_opened(open_run(settings, dataset=dataset))


def run_opened(opened: Opened) -> Report:
    """Return what ``run`` does, of settings whose inputs are open."""
    settings = opened.settings
    inputs, *baseline = opened.inputs
    plan = _ready(inputs, settings)
    probes = _probes(plan, settings)
    probes += tuple(probe for other in baseline for probe in _probes(_ready(other, settings), settings))
    train, test = plan.dataset.splits
    leaks = leak_notes(check_if_small(plan), probes, settings.seed)
    folder = plan.workspace.runs / f"{name_of(plan, '-'.join(settings.head))}-{_digest(plan, probes, settings)}"
    files = {
        predictions_name(one.backbone, one.head): predictions_csv(one.predictions).encode(errors="surrogateescape")
        for one in probes
        if one.predictions is not None
    }
    report = Report(
        plan.dataset.name,
        train.targets.names,
        SplitRows(train=len(train), test=len(test)),
        _notes(plan, probes, leaks),
        duplicates(plan.dataset),
        probes,
        _compared(probes),
        settings.model_dump(mode="json", exclude={"engine"}),
        {**{name: version(name) for name in _VERSIONS}, **versions_of(plan.resolved.inputs.request)},
        now(),
        folder / "run.json",
        {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        target_digests(plan),
        plan.kind,
    )
    try:
        keep_targets(plan, SPLITS)
        _write(report, files)
    except StoreError as error:
        return replace(report, files={}, unwritten=str(error))
    _write_page(report, plan)
    return report


def _notes(plan: Plan, probes: tuple[Probe, ...], leaks: tuple[str, ...]) -> tuple[str, ...]:
    done = [done for probe in probes for done in probe.features]
    return (*plan.dataset.notes, *leaks, *unsteady_notes(done), *truncation_notes(done))


def _compared(probes: tuple[Probe, ...]) -> Comparison | None:
    """Return how the scored heads differ, if there are two or more and their test samples are the same."""
    answers = {probe.name: probe.predictions for probe in probes if probe.predictions}
    if len(answers) < 2 or len({one.ids for one in answers.values()}) > 1:
        return None
    first = headline(candidates(probes)[probes[0].backbone])
    return compare(list(answers.values()), list(answers), reference=first.name, chosen_here=first.by == "test")


def _write(report: Report, files: Mapping[str, bytes]) -> None:
    make_folder(report.path.parent)
    for name, data in files.items():
        write_atomic(report.path.with_name(name), data)
    write_atomic(report.path, to_file(report))


def _write_page(report: Report, plan: Plan) -> None:
    """Write ``report.html``. The run's numbers are safe by then: whatever keeps the page from being made is told."""
    from frostline.pipeline.report.html import write_page

    try:
        write_page(report.path.parent, dataset=plan.dataset, compared=report.comparison)
    except Exception as error:
        log.warning("could not write the page of %s (%s: %s)", report.path.parent, type(error).__name__, error)


def _digest(plan: Plan, probes: tuple[Probe, ...], settings: Settings) -> str:
    """Return what tells this run's answers from another's."""
    keys = [e.key.digest for probe in probes for e in probe.features]
    draws = {name: settings.draw(name, plan.dataset.train.modality) for name in settings.head}
    heads = [[spec_fields(settings.spec(name)), draw.fields if draw else None] for name, draw in draws.items()]
    return digest([keys, list(target_digests(plan).values()), heads, settings.seed])[:12]


def preview_extract(settings: ExtractSettings) -> Preview:
    """Return what ``extract`` would do, as far as that is known without a network."""
    check_engine(settings.engine)
    return _preview(open_inputs(settings))


def preview_run(settings: Settings) -> tuple[Settings, list[Preview]]:
    """Return settings suited to their dataset, and what ``run`` would do: its backbone's, then its baseline's.

    The latter as far as it is known without a network.
    """
    opened = open_run(settings, learn=False)
    return opened.settings, [_preview(inputs) for inputs in opened.inputs]


def _preview(inputs: Inputs) -> Preview:
    return preview(inputs, resolve_remembered(inputs))


@dataclass(frozen=True, eq=False)
class Opened:
    """A run's settings, suited to their dataset, and what they name: ``inputs``, then its baseline's."""

    settings: Settings
    inputs: tuple[Inputs, ...]


def open_run(settings: Settings, *, learn: bool = True, dataset: Dataset | None = None) -> Opened:
    """Return what settings name, opened; whatever is wrong with it is said before a network is loaded.

    ``learn``: whether a vocabulary may be learned, and written, for a baseline; ``dataset``: see ``run``.
    """
    _check(settings)
    check_engine(settings.engine)
    inputs = open_inputs(settings, dataset)
    settings = suited_to(settings, inputs.dataset)
    check_enough(settings, inputs.dataset.train)
    beside = baseline_settings(settings, inputs, learn=learn)
    baseline = (open_inputs(beside, inputs.dataset),) if beside else ()
    return Opened(settings, (inputs, *baseline))


def _ready(inputs: Inputs, settings: Settings) -> Plan:
    """Return a plan, the options of its heads checked before any network is loaded; a cached head needs no solver."""
    if settings.head_params and not _preview(inputs).complete:
        for name in settings.head:
            check_options(settings.spec(name), inputs.dataset.train.targets.kind)
    return make_plan(inputs)


def _probes(plan: Plan, settings: Settings) -> tuple[Probe, ...]:
    """Do all stages for one backbone; a damaged shard met on the way is made again."""

    def work() -> tuple[Probe, ...]:
        features, loaded = extract_missing(plan), LazyFeatures(plan)
        return tuple(_probe(plan, Probe(features, name), settings, loaded) for name in settings.head)

    return mended(work)


def _probe(plan: Plan, probe: Probe, settings: Settings, loaded: LazyFeatures) -> Probe:
    spec = settings.beside(plan.settings.backbone).spec(probe.head)
    draw = settings.draw(probe.head, plan.dataset.train.modality)
    if draw:
        return replace(probe, curve=drawn_curve(spec, draw, loaded))
    return _scored(replace(probe, fitted=fit_head(plan, spec, loaded)), settings.seed, loaded)


def _scored(probe: Probe, seed: int, loaded: LazyFeatures) -> Probe:
    assert probe.fitted is not None
    answers = predictions(probe.fitted.head, loaded.test)
    chosen = probe.fitted.selection
    evaluation = score(answers, seed=seed, temperature=chosen.temperature, thresholds=chosen.thresholds)
    return replace(probe, evaluation=evaluation, predictions=answers)
