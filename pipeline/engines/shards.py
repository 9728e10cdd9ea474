"""Shards of feature sets, computed in this process: for whoever began the sets, or for another process."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from frostline.pipeline.engines.base import Job
from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.engines.batching import keep, on_this_machine
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import FeatureRequest, look_up
from frostline.pipeline.plan.of_head import plan_of_head
from frostline.pipeline.plan.pick_mode import PickedMode
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.plan.resolve import resolve
from frostline.pipeline.progress import bar
from frostline.pipeline.records.head_record import HeadBackbone, read_head_backbone
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.workspace import opened_folder, reopened
from frostline.stages.buckets.address import path_of
from frostline.stages.errors import StoreError
from frostline.stages.extract.extraction import Extraction, ExtractionStats, extract, extract_shards
from frostline.stages.heads import Head, read_head
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.serve.prediction_set import PredictionSet, begin_predictions, prediction_layout
from frostline.stages.store import FeatureSet, JointSets, KnownRows
from frostline.stages.store.key import differences

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.frozen import AnyBackbone
    from frostline.stages.backbones.inference.multi_layer import SharedPass

log = logging.getLogger("frostline")


def run_job(job: Job) -> int:
    """Compute what nobody else does of a set that is begun already, in this process, and wait for the others.

    Returns how many rows were computed. Raises what ``JobRunner.ready`` and ``extract`` do.
    """
    return JobRunner().ready(job).compute_all()


@dataclass(eq=False)
class ReadyJob:
    """A job whose samples are open and whose network is loaded in this process."""

    extraction: Extraction
    sets: Sequence[FeatureSet]
    batch: BatchSettings

    def compute_all(self) -> int:
        """Compute what nobody else does, wait for the others, and return how many rows were computed."""
        return compute(self.extraction, self.sets, self.batch, self.extraction.features.missing()).rows

    def compute_shards(self, shards: Sequence[int], *, wait: bool) -> int:
        """Compute those of the shards that are missing, see ``extract_shards``; return how many rows that were."""
        some = partial(extract_shards, shards=shards, wait=wait)
        stats = compute(self.extraction, self.sets, self.batch, shards, some)
        self.batch = replace(self.batch, batch_size=stats.batch_size)  # one that had to be halved stays so
        return stats.rows


class JobRunner:
    """Does jobs of others in this process: what is loaded for one serves the next of the same network."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}

    def ready(self, job: Job) -> ReadyJob:
        """Return a job made ready.

        Raises StoreError where the set can't be seen from here, or the samples or the network are others here;
        ConfigError and DataError as ``extract`` does.
        """
        found = [self._set_of(one) for one in job.each()]
        sets = [features for _, _, features in found]
        plan, request, _ = found[0]
        network: AnyBackbone | SharedPass = plan.load_network()
        if len(found) > 1:
            network = _shared([one.load_network() for one, _, _ in found])
            request = replace(request, reusable=KnownRows())
        return ReadyJob(extraction_of(request, sets, network), sets, on_this_machine(job.batch, network, plan.settings))

    def _set_of(self, job: Job) -> tuple[Plan, FeatureRequest, FeatureSet]:
        settings = ExtractSettings(**job.settings)
        head = _read_head(job.head) if job.head else None
        begun = None if job.parts else _begun(job, settings)
        plan = self._plan(job, settings, head)
        request = look_up(plan, job.split, job.view)
        if request.key.digest != job.digest:
            raise StoreError(_other(begun, request))
        if head is not None and plan.load_network().spec != plan.spec:
            raise StoreError(
                f"the network of {job.head} is another one on {node()}; give all machines the same weights"
            )
        if begun is None:
            assert head is not None
            return plan, request, _predictions(job, request, head)
        return plan, request, request.existing or begun

    def _plan(self, job: Job, settings: ExtractSettings, head: _Fitted | None) -> Plan:
        name = json.dumps([dict(job.settings), asdict(job.mode), job.head])
        if name not in self._plans:
            self._plans[name] = _plan(job, settings, head)
        return self._plans[name]


def _begun(job: Job, settings: ExtractSettings) -> FeatureSet:
    """Return the set that another process began; without it, nothing of the dataset is read. Raises StoreError."""
    found = reopened(settings.data_dir).store.find(job.digest)
    if found is None:
        raise StoreError(
            f"{node()} sees no feature set {job.digest[:12]} in {_absolute(settings.data_dir)}; expected the one that "
            "the command began: give --data-dir a folder that all machines share under one path, or a bucket"
        )
    return found


def _absolute(data_dir: object) -> str:
    text = str(data_dir)
    return text if "://" in text else str(Path(text).absolute())


def _other(begun: FeatureSet | None, request: FeatureRequest) -> str:
    """Return why a machine whose key is another can't do a job."""
    changes = differences(begun.layout.key, request.key.fields()) if begun else []
    what = "; ".join(changes) or "another key"
    return (
        f"the dataset or the backbone is another one on {node()} ({what}); give all machines the same files, and the "
        "same versions of all packages"
    )


def node() -> str:
    """Return what this machine is called."""
    return platform.node() or "this machine"


def _shared(networks: Sequence[AnyBackbone]) -> SharedPass:
    from frostline.stages.backbones.inference.multi_layer import share_pass

    found = share_pass(networks)
    if found is None:
        raise StoreError(
            f"no pass gives these layers together on {node()}; expected the packages of the other machines"
        )
    return found


class _Fitted(NamedTuple):
    head: Head
    record: Mapping[str, Any]
    made: HeadBackbone


def _read_head(folder: str) -> _Fitted:
    head, record = read_head(opened_folder(folder))
    return _Fitted(head, record, read_head_backbone(folder, record))


def _plan(job: Job, settings: ExtractSettings, fitted: _Fitted | None) -> Plan:
    if fitted is not None:
        return plan_of_head(path_of(job.head), fitted.made, fitted.head.width, settings)
    return Plan(resolve(open_inputs(settings)), PickedMode(job.mode))


def _predictions(job: Job, request: FeatureRequest, fitted: _Fitted) -> PredictionSet:
    layout = prediction_layout(request.key, request.samples, fitted.head, fitted.record)
    return begin_predictions(Path(job.parts), layout, fitted.head)


def extraction_of(request: FeatureRequest, sets: Sequence[FeatureSet], network: AnyBackbone | SharedPass) -> Extraction:
    """Return the extraction that fills sets of the same samples side by side."""
    ahead = 0 if network.device.type == "cpu" and not request.key.runtime else 2
    into = JointSets(sets) if len(sets) > 1 else sets[0]
    return Extraction(request.samples, network, into, request.key.view, ahead=ahead, known=request.reusable)


def compute(
    extraction: Extraction,
    sets: Sequence[FeatureSet],
    batch: BatchSettings,
    shards: Sequence[int],
    do: Callable[[Extraction], ExtractionStats] = extract,
) -> ExtractionStats:
    """Do an extraction in these batch settings; a batch that had to be halved is recorded with the sets.

    ``shards``: what the progress bar counts. ``do``: what of it is done; by default, all that is missing.
    """
    from frostline.stages.backbones.calibrate.batch_size import in_threads

    noun = MODALITIES.load(extraction.samples.modality).noun

    def on_halved(rows: int, message: str) -> None:
        log.warning("not enough memory for %d %ss at once (%s); continuing with %d", 2 * rows, noun, message, rows)
        keep(sets, replace(batch, batch_size=rows, measured=False))

    total = sum(len(sets[0].span(shard)) for shard in shards)
    how: dict[str, Any] = {"batch_size": batch.batch_size, "workers": batch.workers, "on_halved": on_halved}
    with bar(extraction.samples.split, f"{noun}s", total, stays=True) as shown, in_threads(batch.threads):
        return do(replace(extraction, progress=shown.add, **how))
