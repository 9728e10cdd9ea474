"""The stages in order, doing what is missing: extract, fit, evaluate, and all of them."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline.config import BackboneSettings, DatasetSettings, ExtractSettings, HeadSettings, Settings
from pipeline.plan import Need, Plan, check_bad, cores
from pipeline.report import Extracted, Fitted, Probe, Report, to_json
from stages import evaluate as scoring
from stages import fit as fitting
from stages.datasets import duplicates
from stages.errors import DamagedShard, StoreError, counted
from stages.extract import Extraction
from stages.extract import extract as run_backbone
from stages.heads import head_files, read_head
from stages.specs import digest
from stages.store import Features, FeatureSet, load, make_folder, open_set, plain, write_atomic

log = logging.getLogger("frostline")


def extract(settings: ExtractSettings) -> tuple[Extracted, ...]:
    """Compute every feature that is missing or damaged, and return what is cached now.

    Raises DataError if more than ``max_bad`` samples can't be used; all others are cached.
    """
    plan = Plan(settings)
    for need in plan.needs():
        if need.found is not None:
            for damaged in need.found.damaged():
                _drop(need.found, damaged)
    return _extract(plan)


def fit(settings: HeadSettings) -> Fitted:
    """Fit the head on cached training features. Raises StoreError if they are not there."""
    return _fit(Plan(settings), settings)


def evaluate(settings: HeadSettings) -> Probe:
    """Score the fitted head on cached test features. Raises StoreError if either is not there."""
    plan = Plan(settings)
    folder = _head_folder(plan, settings)
    if not (folder / "head.json").exists():
        raise StoreError(f"no head in {folder}; `frostline fit` with the same settings makes it")
    fitted = _fit(plan, settings)
    features = tuple(_cached(plan.need("test", view)) for view in settings.views)
    return Probe(features, fitted, _evaluate(plan, fitted))


def run(settings: Settings) -> Report:
    """Do what is missing of extract, fit and evaluate, write ``run.json``, and return it all."""
    plan = Plan(settings)
    others = [Plan(_pixels(settings), plan.dataset)] if _wants_baseline(settings) else []
    probes = tuple(_probe(each, settings) for each in (plan, *others))
    train, test = plan.dataset.splits
    folder = plan.workspace.runs / _name(plan, settings, [probe.evaluation.features for probe in probes])
    report = Report(
        plan.dataset.name,
        train.classes,
        {"train": len(train), "test": len(test)},
        plan.dataset.notes,
        duplicates(plan.dataset),
        probes,
        settings.model_dump(mode="json"),
        {name: version(name) for name in ("frostline", "torch", "torchvision", "scikit-learn", "numpy", "h5py")},
        time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        folder / "run.json",
    )
    make_folder(folder)
    write_atomic(report.path, to_json(report).encode())
    return report


def _probe(plan: Plan, settings: Settings) -> Probe:
    """Do all stages for one backbone; a damaged shard met on the way is made anew."""
    met: set[str] = set()
    while True:
        try:
            features = _extract(plan)
            fitted = _fit(plan, settings)
            return Probe(features, fitted, _evaluate(plan, fitted))
        except DamagedShard as damaged:
            if damaged.path in met:
                raise
            met.add(damaged.path)
            _drop(open_set(Path(damaged.path).parents[1]), damaged)


def _extract(plan: Plan) -> tuple[Extracted, ...]:
    done = tuple(_extract_one(plan, need) for need in plan.needs())
    bad = [f"{b.id}: {b.reason}" for e in done if e.key.view == "plain" for b in e.quarantined]
    check_bad(bad, plan.settings.max_bad)
    return done


def _extract_one(plan: Plan, need: Need) -> Extracted:
    x = need.samples
    if need.complete:
        log.info("%s %s (%s): %s cached", x.dataset, x.split, need.key.view, counted(len(x), "row"))
        return _cached(need)
    computed = need.rows_to_compute
    log.info("%s %s (%s): %s to compute", x.dataset, x.split, need.key.view, counted(computed, "row"))
    for change in need.changes:
        log.info("  not the cached features: %s", change)
    started = time.perf_counter()
    features = plan.begin(need)
    _run_backbone(plan, need, features)
    seconds = time.perf_counter() - started
    if computed:
        features.keep_speed(computed / seconds)
    return _described(need, features, computed, seconds)


def _run_backbone(plan: Plan, need: Need, features: FeatureSet) -> None:
    s = plan.settings
    workers = s.workers or cores()
    bar = tqdm(total=need.missing_rows, desc=need.samples.split, unit=" images", disable=None, smoothing=0.05)
    with bar:
        run_backbone(
            Extraction(
                need.samples, plan.backbone, features, need.key.view, s.batch_size, workers, need.known, bar.update
            )
        )


def _cached(need: Need) -> Extracted:
    if need.found is None or not need.complete:
        x = need.samples
        why = "; ".join(need.changes) or "never computed"
        raise StoreError(
            f"the features of {x.dataset} {x.split} ({need.key.view}) are not cached ({why}); "
            f"`frostline extract` with the same settings makes them"
        )
    return _described(need, need.found, 0, 0.0)


def _described(need: Need, features: FeatureSet, computed: int, seconds: float) -> Extracted:
    bad = tuple(features.quarantined())
    return Extracted(
        need.samples.split, need.key, features.folder, len(need.samples), need.width, bad, computed, seconds
    )


def _fit(plan: Plan, settings: HeadSettings) -> Fitted:
    folder = _head_folder(plan, settings)
    if (folder / "head.json").exists():
        head, record = read_head(folder)
        return Fitted(head, folder, record["selection"], record["seconds"], cached=True)
    views = _load(plan, "train")
    started = time.perf_counter()
    head, selection = fitting.fit(views, _head_spec(settings))
    seconds = round(time.perf_counter() - started, 3)
    record = {"features": [v.key for v in views], "selection": asdict(selection), "seconds": seconds}
    make_folder(folder)
    for name, data in head_files(head, {**record, "spec": asdict(_head_spec(settings))}).items():
        write_atomic(folder / name, data)
    return Fitted(head, folder, asdict(selection), seconds, cached=False)


def _evaluate(plan: Plan, fitted: Fitted) -> scoring.Evaluation:
    return scoring.evaluate(fitted.head, _load(plan, "test"), seed=plan.settings.seed)


def _load(plan: Plan, split: str) -> list[Features]:
    needs = [plan.need(split, view) for view in plan.settings.views]
    for need in needs:
        _cached(need)
    return [load(need.found) for need in needs if need.found is not None]


def _head_spec(settings: HeadSettings) -> fitting.HeadSpec:
    return fitting.HeadSpec(tuple(sorted(settings.C)), settings.hold_out, settings.seed, settings.head)


def _head_folder(plan: Plan, settings: HeadSettings) -> Path:
    keys = [plan.key("train", view).digest for view in settings.views]
    return plan.workspace.heads / _name(plan, settings, [keys, asdict(_head_spec(settings))])


def _name(plan: Plan, settings: HeadSettings, content: Any) -> str:
    backbone = plan.resolved.spec.short_name
    return f"{plain(plan.dataset.name)}-{plain(backbone)}-{settings.head}-{digest(content)[:12]}"


def _drop(features: FeatureSet, damaged: DamagedShard) -> None:
    log.warning("%s; computing that shard anew", damaged)
    features.drop(damaged.shard)


def _wants_baseline(settings: Settings) -> bool:
    chosen = settings.baseline == "pixels" or (settings.baseline == "auto" and settings.dataset == "digits")
    return chosen and settings.backbone != "pixels"


def _pixels(settings: Settings) -> Settings:
    """Return the same settings for plain pixels: every backbone setting but the views at its default."""
    own = set(BackboneSettings.model_fields) - set(DatasetSettings.model_fields) - {"views"}
    return Settings(**{**settings.model_dump(exclude=own), "backbone": "pixels"})
