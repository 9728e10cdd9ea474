"""Extract: run a backbone over one split, once, and commit the features shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from stages.backbones import Embedder, finished, raw_or_pixels
from stages.datasets import Samples
from stages.errors import ConfigError
from stages.loading import Loader
from stages.specs import View
from stages.store import OK, QUARANTINED, Bad, FeatureSet, JointSets, Place, Shard, encode_ids


@dataclass(frozen=True)
class Extraction:
    """One split, the backbone that runs over it, and how.

    ``known``: where rows already lie that this backbone computed, by sample digest.
    ``workers``: threads that decode. ``ahead``: blocks decoded while the backbone runs; on
    the processor that the backbone itself needs, decoding ahead only disturbs it.
    ``progress`` is told how many rows were done.
    """

    samples: Samples
    backbone: Embedder
    features: FeatureSet | JointSets
    view: View = "plain"
    batch_size: int = 16
    workers: int = 2
    ahead: int = 0
    known: Mapping[bytes, Place] | None = None
    progress: Callable[[int], object] = int


def extract(job: Extraction) -> int:
    """Compute every missing shard of ``job.features``, publish the set, and return how many rows were computed.

    A sample that can't be decoded, or whose features are not finite, is quarantined; the
    caller decides how many are too many. Several processes may do the same set at once:
    each shard is taken by one, and what the others hold is waited for. Raises StoreError
    if the set is not complete after all, because something removes its files.
    """
    computed = 0
    ids = encode_ids(job.samples.ids)
    image_bytes = 3 * prod(job.backbone.spec.size)
    with Loader(partial(_pixels, job), image_bytes, job.batch_size, job.workers, ahead=job.ahead) as loader:
        for wait in (False, True):
            for shard in job.features.missing():
                with job.features.claim(shard, wait=wait) as ours:
                    if ours:
                        content, bad, rows = _compute(job, shard, ids, loader)
                        job.features.commit(shard, content, bad)
                        computed += rows
    job.features.publish()
    return computed


def _compute(
    job: Extraction, shard: int, ids: NDArray[np.bytes_], loader: Loader
) -> tuple[Shard, tuple[Bad, ...], int]:
    span = job.features.span(shard)
    here = slice(span.start, span.stop)
    result = np.full((len(span), job.backbone.width), np.nan, job.features.layout.key["dtype"])
    reasons: dict[int, str] = {}
    copied = _copy_known(job, span, result)
    job.progress(len(copied))
    rows = [row for row in span if row not in copied]
    finish = partial(finished, spec=job.backbone.spec)
    for batch in loader.batches(rows):
        reasons |= batch.faults
        fit = [place for place, row in enumerate(batch.rows) if row not in batch.faults]
        if fit:
            with _room_for(job.batch_size):
                computed = job.backbone.embed(batch.stacked(job.batch_size, finish))[fit]
            _put(result, span.start, [batch.rows[place] for place in fit], computed, reasons)
        job.progress(len(batch.rows))
    status = np.full(len(span), OK, np.uint8)
    status[[row - span.start for row in reasons]] = QUARANTINED
    content = Shard(result, job.samples.labels[here], ids[here], job.samples.digests[here], status)
    bad = tuple(Bad(row, job.samples.ids[row], reasons[row]) for row in sorted(reasons))
    return content, bad, len(rows)


@contextmanager
def _room_for(images: int) -> Iterator[None]:
    """Raise ConfigError where a batch takes more memory than there is: torch's errors of it are RuntimeErrors."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        said = str(error)
        if isinstance(error, RuntimeError) and "out of memory" not in said and "can't allocate memory" not in said:
            raise
        raise ConfigError(
            f"not enough memory for a batch of {images} images ({said.partition(chr(10))[0] or 'MemoryError'}); "
            "lower --batch-size and run again; finished shards are kept"
        ) from error


def _copy_known(job: Extraction, span: range, result: NDArray[np.floating]) -> set[int]:
    """Fill in the rows that lie in other feature sets; return which they were."""
    wanted: dict[tuple[str, int], list[tuple[int, Place]]] = {}
    for row in span:
        place = (job.known or {}).get(job.samples.digests[row].tobytes())
        if place:
            wanted.setdefault((place.features.layout.digest, place.shard), []).append((row, place))
    for places in wanted.values():
        source = places[0][1].features.read(places[0][1].shard)
        rows = [row - span.start for row, _ in places]
        result[rows] = source.features[[place.position for _, place in places]]
    return {row for places in wanted.values() for row, _ in places}


def _put(
    result: NDArray[np.floating], start: int, rows: list[int], computed: NDArray[np.float32], reasons: dict[int, str]
) -> None:
    with np.errstate(over="ignore"):
        stored = computed.astype(result.dtype)
    for i in np.flatnonzero(~np.isfinite(stored).all(axis=1)).tolist():
        finite = np.isfinite(computed[i]).all()
        largest = f"a feature of {np.abs(computed[i]).max():.3g} is too large for {result.dtype}; see --dtype"
        reasons[rows[i]] = largest if finite else "the backbone gave NaN or infinity"
        stored[i] = np.nan
    result[[row - start for row in rows]] = stored


def _pixels(job: Extraction, row: int) -> NDArray[np.uint8]:
    return raw_or_pixels(job.samples.read(row), job.backbone, job.view)
