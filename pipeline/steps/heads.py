"""A plan's heads: fitted where they are missing, or read."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any

from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.plan.preview import Preview
from frostline.pipeline.records.run import Fitted
from frostline.pipeline.steps.features import Loaded, cached, check_quarantined, requests_of
from frostline.stages import fit as fitting
from frostline.stages.errors import StoreError
from frostline.stages.heads import HeadSpec, head_files, read_head
from frostline.stages.records.sealed import digest
from frostline.stages.store import make_folder, plain, write_atomic

log = logging.getLogger("frostline")


def fit_head(plan: Plan, spec: HeadSpec, loaded: Loaded) -> Fitted:
    """Return the head that a spec means on a plan's training features, fitted unless it is there and sound."""
    there = [cached(request) for request in requests_of(plan, "train") if request.complete]
    check_quarantined(plan, there)
    found = cached_head(plan, spec)
    if found is not None:
        return found
    views = loaded.train
    quarantined = len({bad.row for e in there for bad in e.quarantined})
    started = time.perf_counter()
    head, selection = fitting.fit(views, spec)
    seconds = round(time.perf_counter() - started, 3)
    record = {
        "features": [v.key for v in views],
        "selection": asdict(selection),
        "quarantined": quarantined,
        "seconds": seconds,
        "backbone": _how_to_load(plan),
        "spec": asdict(spec),
    }
    folder = plan.workspace.heads / f"{name_of(plan, spec.kind)}-{_digest(plan, spec)}"
    files = head_files(head, record)
    make_folder(folder)
    for name, data in files.items():
        write_atomic(folder / name, data)
    return Fitted(head, folder, asdict(selection), quarantined, seconds, cached=False)


def _how_to_load(plan: Plan) -> dict[str, Any]:
    """Return what prediction needs to make the same features of other images."""
    request, s = plan.settings.request(), plan.settings
    weights = str(request.weights_file.absolute()) if request.weights_file else request.weights
    return {
        "name": request.name,
        "weights": weights,
        "spec": asdict(plan.spec),
        "precision": plan.picked.mode.precision,
        "jpeg_least": plan.picked.mode.jpeg_min_side,
        "views": s.views,
    }


def cached_head(plan: Plan, spec: HeadSpec) -> Fitted | None:
    """Return the head that a spec means on a plan's training features if it is there and sound."""
    for path in plan.workspace.heads.glob(f"*-{_digest(plan, spec)}/head.json"):
        try:
            head, record = read_head(path.parent)
        except StoreError as error:
            log.warning("%s", error)
            continue
        return Fitted(head, path.parent, record["selection"], record["quarantined"], record["seconds"], cached=True)
    return None


def is_fitted(found: Preview, spec: HeadSpec) -> bool | None:
    """Return whether a head is there; None where that hangs on what is unknown before the network is loaded."""
    if not found.inputs.workspace.heads.is_dir():
        return False
    states = {cached_head(plan, spec) is not None for plan in found.candidates}
    return states.pop() if len(states) == 1 else None


def name_of(plan: Plan, head: str) -> str:
    """Return a readable part of a folder's name."""
    return f"{plain(plan.dataset.name)}-{plain(plan.spec.short_name)}-{plain(head)}"


def _digest(plan: Plan, spec: HeadSpec) -> str:
    keys = [plan.key("train", view).digest for view in plan.settings.views]
    return digest([keys, asdict(spec)])[:12]
