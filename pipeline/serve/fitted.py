"""A fitted head as it lies in its folder, and what of it is checked before a network runs: it may be a stranger's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.pipeline.records.head_record import HeadBackbone, read_head_backbone
from frostline.pipeline.records.headline import recommended_head
from frostline.pipeline.records.run_folder import RUN, read_run
from frostline.pipeline.serve.answers import REGRESSION, check_kind
from frostline.pipeline.settings import ServeSettings
from frostline.pipeline.workspace import opened_folder
from frostline.stages.backbones import BackboneRequest
from frostline.stages.backbones.families.base import Family
from frostline.stages.backbones.families.registry import check_family, family_of
from frostline.stages.backbones.request import WORDS
from frostline.stages.backbones.runtime import runtime_of
from frostline.stages.backbones.spec import BackboneSpec, Precision
from frostline.stages.buckets.address import path_of
from frostline.stages.errors import ConfigError, StoreError, listing
from frostline.stages.heads import Head, read_head
from frostline.stages.heads.scaling import target_of
from frostline.stages.store.key import differences

log = logging.getLogger("frostline")


@dataclass(frozen=True, eq=False)
class FittedHead:
    """A head, what is recorded next to it in its ``folder``, and what it was fitted on."""

    folder: Path
    head: Head
    record: Mapping[str, Any]
    made: HeadBackbone


def read_fitted(folder: str | Path, s: ServeSettings) -> FittedHead:
    """Return the head in a folder, or the recommended one of a run in it.

    Raises StoreError: damaged. ConfigError: not to be used as the settings say.
    """
    folder = recommended(folder)
    head, record = read_head(opened_folder(folder))
    check_kind(folder, head)
    if s.top and target_of(head) == REGRESSION:
        raise ConfigError(
            f"top {s.top} with the head in {folder}, which predicts numbers: all of them are shown; leave --top out"
        )
    return FittedHead(path_of(str(folder)), head, record, read_head_backbone(folder, record))


def recommended(place: str | Path) -> str | Path:
    """Return the folder of the head that a run recommends, any other place as it is given.

    Raises ConfigError for a run without a head, StoreError for a damaged record.
    """
    inside = opened_folder(place)
    if not (inside / RUN).is_file():
        return place
    head = recommended_head(read_run(inside).record)
    if head is None:
        raise ConfigError(
            f"the run in {place} kept no head, since all training sets were random subsets of the samples"
        )
    return inside.absolute().parents[1] / "heads" / Path(head.folder).name


def check_fitted(fitted: FittedHead, s: ServeSettings) -> None:
    """Raise ConfigError or StoreError where its backbone may not, or can't, be loaded; none is."""
    _check_trust(fitted.folder, fitted.made, s)
    family, _ = family_of(fitted.made.name)
    width = family.width(fitted.made.spec)
    if width is not None:  # before anything of that size is made
        check_width(fitted.folder, fitted.head, width)
    if not s.weights:
        _check_weights(fitted.folder, fitted.made, family)


def precision_of(fitted: FittedHead, s: ServeSettings) -> Precision:
    """Return the precision in which features are computed for a head; one that is not that of its fit is logged.

    Raises ConfigError if the library that is to run the network is not installed.
    """
    made, runtime = fitted.made, runtime_of(s.optimize)
    found = made.precision_by(runtime)
    if found != made.precision:
        log.warning(
            "the head in %s was fitted on features that %s computed in %s; %s computes them in fp32, because its %s "
            "was not compared. %s",
            *(fitted.folder, made.runtime or "torch", made.precision, runtime or "torch", made.precision),
            f"--optimize {'openvino' if made.runtime else 'auto'} uses {made.precision}",
        )
    return found


def _check_trust(folder: str | Path, made: HeadBackbone, s: ServeSettings) -> None:
    """Raise ConfigError where a head, which may be a stranger's, would choose what runs; no file is opened."""
    family, name = family_of(made.name)
    if s.backbone:
        check_family(s.backbone)
    elif not family.trusted(name):
        raise ConfigError(
            f"the head in {folder} was fitted on {made.name}. This code runs only if you name it: --backbone "
            f"{made.name}"
        )


def check_width(folder: str | Path, head: Head, width: int) -> None:
    """Raise StoreError for a head that takes another number of features."""
    if head.width != width:
        raise StoreError(f"the head in {folder} takes {head.width} features, its backbone has {width}")


def _check_weights(folder: str | Path, made: HeadBackbone, family: Family) -> None:
    """Raise one and the same ConfigError unless the weights that a head names are a name, or the file it was fitted on.

    A head may come from a stranger, and must learn nothing of the files that are here.
    """
    if made.weights in WORDS:
        return
    try:
        own = BackboneRequest(made.name, made.weights).weights_digest
        is_own = own == made.spec.weights if own else family.names_weights(made.weights)
    except (OSError, ConfigError):
        is_own = False
    if not is_own:
        raise ConfigError(
            f"the weights that the head in {folder} was fitted on, {made.weights}, are missing or have changed; "
            "give them with --weights FILE"
        )


def check_same(folder: str | Path, wanted: BackboneSpec, found: BackboneSpec) -> None:
    """Raise StoreError, field by field, for another backbone than the one that a head was fitted on."""
    changes = differences(_flat(wanted), _flat(found))
    if changes:
        raise StoreError(
            f"the backbone found now is not the one that the head in {folder} was fitted on:\n{listing(changes)}\n"
            "Give the right one with --weights or --backbone, or fit the head again."
        )


def _flat(spec: BackboneSpec) -> dict[str, Any]:
    fields = spec.fields()
    return {**fields.pop("preprocessing"), **fields}
