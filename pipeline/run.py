"""The stages in order, doing what is missing: extract, fit, evaluate, and all of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from pipeline.config import BackboneSettings, DatasetSettings, ExtractSettings, HeadSettings, Settings
from pipeline.plan import Need, Plan, check_bad, now, pace
from pipeline.report import Extracted, Fitted, Probe, Report, to_json
from stages import evaluate as scoring
from stages import fit as fitting
from stages.datasets import duplicates
from stages.errors import DamagedShard, StoreError, counted
from stages.extract import Extraction
from stages.extract import extract as run_backbone
from stages.heads import head_files, read_head
from stages.specs import digest
from stages.store import Features, FeatureSet, common, load, make_folder, open_set, plain, write_atomic

if TYPE_CHECKING:
    from stages.backbones.backbone import Backbone

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
    return _fit(Plan(settings, may_load=False), settings)


def evaluate(settings: HeadSettings) -> Probe:
    """Score the fitted head on cached test features. Raises StoreError if either is not there."""
    plan = Plan(settings, may_load=False)
    fitted = cached_head(plan, settings)
    if fitted is None:
        raise StoreError("no head is fitted with these settings; `frostline fit` with the same ones makes it")
    features = tuple(map(_cached, _needs(plan, "test")))
    return Probe(features, fitted, _evaluate(plan, fitted))


def run(settings: Settings) -> Report:
    """Do what is missing of extract, fit and evaluate, write ``run.json``, and return it all."""
    plans = plans_of(settings)
    probes = tuple(_probe(plan, settings) for plan in plans)
    plan = plans[0]
    train, test = plan.dataset.splits
    content = [[probe.evaluation.features, probe.fitted.folder.name[-12:], settings.seed] for probe in probes]
    folder = plan.workspace.runs / f"{_name_of(plan, settings)}-{digest(content)[:12]}"
    report = Report(
        plan.dataset.name,
        train.classes,
        {"train": len(train), "test": len(test)},
        plan.dataset.notes,
        duplicates(plan.dataset),
        probes,
        settings.model_dump(mode="json"),
        {name: version(name) for name in ("frostline", "torch", "torchvision", "scikit-learn", "numpy", "h5py")},
        now(),
        folder / "run.json",
    )
    make_folder(folder)
    write_atomic(report.path, to_json(report).encode())
    return report


def plans_of(settings: Settings) -> list[Plan]:
    """Return the plan of a run: its backbone's, then its baseline's if there is one."""
    plan = Plan(settings)
    return [plan, Plan(_pixels(settings), plan.dataset)] if _wants_baseline(settings) else [plan]


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
    _check_quarantined(plan, done)
    return done


def _check_quarantined(plan: Plan, features: Iterable[Extracted]) -> None:
    bad = {(b.id, b.reason): None for e in features for b in e.quarantined}
    check_bad([f"{name}: {reason}" for name, reason in bad], plan.settings.max_bad)


def _extract_one(plan: Plan, need: Need) -> Extracted:
    x = need.samples
    if need.found is not None and need.complete:
        need.found.publish()
        log.info("%s %s (%s): %s cached", x.dataset, x.split, need.key.view, counted(len(x), "row"))
        return _cached(need)
    log.info("%s %s (%s): %s to compute", x.dataset, x.split, need.key.view, counted(need.rows_to_compute, "row"))
    for change in need.changes:
        log.info("  not the cached features: %s", change)
    features = plan.begin(need)
    backbone = plan.backbone
    started = time.perf_counter()
    computed = _run_backbone(plan, need, features, backbone)
    seconds = time.perf_counter() - started
    if computed:
        features.keep_speed(computed / seconds)
    return _described(need, features, computed, seconds)


def _run_backbone(plan: Plan, need: Need, features: FeatureSet, backbone: Backbone) -> int:
    ahead = 0 if backbone.device.type == "cpu" else 2
    batch_size, workers = pace(plan.settings, backbone)
    job = Extraction(need.samples, backbone, features, need.key.view, batch_size, workers, ahead, need.known)
    bar = tqdm(total=need.missing_rows, desc=need.samples.split, unit=" images", disable=None, smoothing=0.05)
    with bar:
        return run_backbone(replace(job, progress=bar.update))


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
    there = [_cached(need) for need in _needs(plan, "train") if need.complete]
    _check_quarantined(plan, there)
    found = cached_head(plan, settings)
    if found is not None:
        return found
    views = _load(plan, "train")
    quarantined = len({bad.row for e in there for bad in e.quarantined})
    started = time.perf_counter()
    head, selection = fitting.fit(views, _head_spec(settings))
    seconds = round(time.perf_counter() - started, 3)
    record = {
        "features": [v.key for v in views],
        "selection": asdict(selection),
        "quarantined": quarantined,
        "seconds": seconds,
        "backbone": _how_to_load(plan),
    }
    folder = plan.workspace.heads / f"{_name_of(plan, settings)}-{_head_digest(plan, settings)}"
    make_folder(folder)
    for name, data in head_files(head, {**record, "spec": asdict(_head_spec(settings))}).items():
        write_atomic(folder / name, data)
    return Fitted(head, folder, asdict(selection), quarantined, seconds, cached=False)


def _how_to_load(plan: Plan) -> dict[str, Any]:
    """Return what prediction needs to make the same features of other images."""
    request, s = plan.settings.request(), plan.settings
    weights = str(request.weights_file.absolute()) if request.weights_file else request.weights
    return {
        "name": request.name,
        "weights": weights,
        "spec": asdict(plan.resolved.spec),
        "precision": plan.precision,
        "views": s.views,
    }


def cached_head(plan: Plan, settings: HeadSettings) -> Fitted | None:
    """Return the head that these settings mean if it is there and sound."""
    for path in plan.workspace.heads.glob(f"*-{_head_digest(plan, settings)}/head.json"):
        try:
            head, record = read_head(path.parent)
        except StoreError as error:
            log.warning("%s", error)
            continue
        return Fitted(head, path.parent, record["selection"], record["quarantined"], record["seconds"], cached=True)
    return None


def _evaluate(plan: Plan, fitted: Fitted) -> scoring.Evaluation:
    return scoring.evaluate(fitted.head, _load(plan, "test"), seed=plan.settings.seed)


def _load(plan: Plan, split: str) -> list[Features]:
    needs = _needs(plan, split)
    _check_quarantined(plan, [_cached(need) for need in needs])
    return common([load(need.found) for need in needs if need.found is not None])


def _needs(plan: Plan, split: str) -> list[Need]:
    return [plan.need(split, view) for view in plan.settings.views]


def _head_spec(settings: HeadSettings) -> fitting.HeadSpec:
    s = settings
    return fitting.HeadSpec(
        tuple(sorted(s.C)), s.hold_out, s.seed, s.head, folds=s.folds, scaling=s.scaling, class_weight=s.class_weight
    )


def _head_digest(plan: Plan, settings: HeadSettings) -> str:
    keys = [plan.key("train", view).digest for view in settings.views]
    return digest([keys, asdict(_head_spec(settings))])[:12]


def _name_of(plan: Plan, settings: HeadSettings) -> str:
    return f"{plain(plan.dataset.name)}-{plain(plan.resolved.spec.short_name)}-{settings.head}"


def _drop(features: FeatureSet, damaged: DamagedShard) -> None:
    log.warning("%s; computing that shard anew", damaged)
    features.drop(damaged.shard)


def _wants_baseline(settings: Settings) -> bool:
    chosen = settings.baseline == "pixels" or (settings.baseline == "auto" and settings.dataset == "digits")
    return chosen and settings.backbone != "pixels"


def _pixels(settings: Settings) -> Settings:
    """Return the same settings for plain pixels: backbone settings, but the views, at their defaults.

    Images other than the digits come in any size: they are made 32 x 32.
    """
    own = set(BackboneSettings.model_fields) - set(DatasetSettings.model_fields) - {"views"}
    size = {} if settings.dataset == "digits" else {"resize": (32, 32)}
    return Settings(**{**settings.model_dump(exclude=own), **size, "backbone": "pixels"})
