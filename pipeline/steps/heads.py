"""A plan's heads: fitted where they are missing, or read."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.plan.preview import Preview
from frostline.pipeline.records.head_record import HeadBackbone
from frostline.pipeline.records.run import Fitted
from frostline.pipeline.records.validated import validated
from frostline.pipeline.steps.features import LazyFeatures, cached, check_quarantined, requests_of
from frostline.pipeline.steps.targets import keep_targets
from frostline.stages import fit as fitting
from frostline.stages.backbones.runtime import runtime_of
from frostline.stages.errors import StoreError
from frostline.stages.fit.selection import Selection
from frostline.stages.heads import HeadSpec, head_files, read_head, spec_fields
from frostline.stages.records.sealed import digest
from frostline.stages.store import make_folder, plain, write_atomic

log = logging.getLogger("frostline")


@dataclass(frozen=True)
class _Fit:
    """What a head's record says of its fit."""

    selection: Selection
    quarantined: int = 0
    seconds: float = 0.0


def fit_head(plan: Plan, spec: HeadSpec, loaded: LazyFeatures) -> Fitted:
    """Return the head that a spec means on a plan's training features, fitted unless it is there and sound."""
    there = [cached(request) for request in requests_of(plan, "train") if request.complete]
    check_quarantined(plan, there)
    found = cached_head(plan, spec)
    if found is not None:
        return _of_today(plan, spec, found)
    views = loaded.train
    quarantined = len({bad.row for e in there for bad in e.quarantined})
    started = time.perf_counter()
    head, selection = fitting.fit(views, spec)
    seconds = round(time.perf_counter() - started, 3)
    return _kept(plan, spec, Fitted(head, Path(), selection, quarantined, seconds, cached=False))


def _kept(plan: Plan, spec: HeadSpec, fitted: Fitted) -> Fitted:
    """Return a head that is written, after the targets that it was fitted to. Raises StoreError."""
    record = {
        "features": _keys(plan),
        "targets": plan.dataset.train.target_digest,
        "selection": asdict(fitted.selection),
        "quarantined": fitted.quarantined,
        "seconds": fitted.seconds,
        "backbone": _backbone_of(plan).fields(),
        "spec": spec_fields(spec),
    }
    folder = plan.workspace.heads / f"{name_of(plan, spec.kind)}-{_digest(plan, spec)}"
    files = head_files(fitted.head, record)
    keep_targets(plan, ("train",))
    make_folder(folder)
    for name, data in files.items():
        write_atomic(folder / name, data)
    return replace(fitted, folder=folder)


def _backbone_of(plan: Plan) -> HeadBackbone:
    """Return what prediction needs to make the same features of other samples."""
    request, s, mode = plan.resolved.inputs.request, plan.settings, plan.picked.mode
    file, part = request.weights_file, request.weights_part
    weights = f"{file.absolute()}{part and '#' + part}" if file else request.weights
    how: Any = (mode.precision, s.views, mode.jpeg_min_side, s.bit_depth, runtime_of(s.optimize))
    return HeadBackbone(request.name, weights, plan.spec, *how)


def cached_head(plan: Plan, spec: HeadSpec) -> Fitted | None:
    """Return the head that a spec means on a plan's training features if it is there and sound."""
    found = _sound(plan, _digest(plan, spec))
    alone = plan.dataset.train.targets.groups is None  # which nobody could say then
    return _sound(plan, _old_digest(plan, spec)) if found is None and alone else found


def _of_today(plan: Plan, spec: HeadSpec, found: Fitted) -> Fitted:
    """Return a head under the name that it has today, where the disk lets one be written."""
    if found.folder.name.endswith(_digest(plan, spec)):
        return found
    try:
        return _kept(plan, spec, found)
    except StoreError:
        return found


def _sound(plan: Plan, mark: str) -> Fitted | None:
    for path in plan.workspace.heads.glob(f"*-{mark}/head.json"):
        try:
            return _read(path.parent)
        except StoreError as error:
            log.warning("%s", error)
    return None


def _read(folder: Path) -> Fitted:
    """Return the head in a folder. Raises StoreError if it, or the record of its fit, is damaged."""
    head, record = read_head(folder)
    try:
        fit = validated(_Fit, record)
    except ValueError as error:
        raise StoreError(f"the head in {folder} is damaged: {error}; fit it again with `frostline fit`") from error
    return Fitted(head, folder, fit.selection, fit.quarantined, fit.seconds, cached=True)


def is_fitted(found: Preview, spec: HeadSpec) -> bool | None:
    """Return whether a head is there; None where that depends on what is unknown before the network is loaded."""
    if not found.inputs.workspace.heads.is_dir():
        return False
    states = {cached_head(plan, spec) is not None for plan in found.candidates}
    return states.pop() if len(states) == 1 else None


def name_of(plan: Plan, head: str) -> str:
    """Return a readable part of a folder's name."""
    return f"{plain(plan.dataset.name)}-{plain(plan.spec.short_name)}-{plain(head)}"


def _digest(plan: Plan, spec: HeadSpec) -> str:
    return digest([_keys(plan), plan.dataset.train.target_digest, spec_fields(spec)])[:12]


def _old_digest(plan: Plan, spec: HeadSpec) -> str:
    """Return the digest that a head had while labels were in the keys of features."""
    return digest([[plan.old_digest("train", view) for view in plan.settings.views], spec_fields(spec)])[:12]


def _keys(plan: Plan) -> list[str]:
    return [plan.key("train", view).digest for view in plan.settings.views]
