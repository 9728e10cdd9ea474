"""Extract: run a backbone over one split, once, and commit the features shard by shard."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones import Embedder, finished, image_preprocessing, raw_or_item
from frostline.stages.backbones.inference.batches import BatchLimit, Streamer
from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.extract.known_rows import copy_rows
from frostline.stages.extract.loader import Batch, Loader
from frostline.stages.extract.order import in_turn
from frostline.stages.modalities.base import Arrays, Item
from frostline.stages.modalities.image.spec import View
from frostline.stages.modalities.items import bytes_of, rows_at_once, shape_of, stacked
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.store import (
    OK,
    QUARANTINED,
    Bad,
    FeatureSet,
    JointSets,
    KnownRows,
    Shard,
    WriteBack,
    encode_ids,
    id_width,
)

_FEW = 16  # rows: whose items say how large items are


def _unseen(_rows: int) -> None:
    """Tell nobody how many rows were done."""


@dataclass(frozen=True)
class Extraction:
    """One split, the backbone that runs over it, and how.

    ``known``: where rows already lie that this backbone computed.
    ``workers``: threads that decode. ``ahead``: blocks decoded while the backbone runs, and
    whether shards are written meanwhile; on the CPU that the backbone itself needs,
    both only disturb it. ``progress`` is told how many rows were done, ``on_halved`` whenever a
    batch takes too much memory: how many rows at once are tried from then on, and why. ``start_at``: see ``in_turn``.
    """

    samples: Samples
    backbone: Streamer
    features: FeatureSet | JointSets
    view: View = "plain"
    batch_size: int = 16
    workers: int = 2
    ahead: int = 0
    known: KnownRows | None = None
    progress: Callable[[int], object] = _unseen
    on_halved: Callable[[int, str], object] | None = None
    start_at: float = 0.0


@dataclass(frozen=True)
class ExtractionStats:
    """What an extraction took: the rows that were computed, and for how long it was waited for items.

    ``batch_size``: rows at once in the end. ``workers``: threads that decoded.
    """

    rows: int
    seconds: float
    loader_wait: float
    batch_size: int
    workers: int


def extract(job: Extraction) -> ExtractionStats:
    """Compute every missing shard of ``job.features``, publish the set, and return what it took.

    A sample that can't be decoded, or whose features are not finite, is quarantined; the
    caller decides how many are too many. Several processes may do the same set at once:
    each shard is taken by one, and what the others hold is waited for. Raises StoreError
    if the set is not complete after all, because something removes its files.
    """
    with _filling(job) as filling:
        filling.fill(in_turn(job.features, job.start_at), wait=False)
        for shard in job.features.missing():  # one by one: who holds none while waiting can't be waited for
            filling.fill([shard], wait=True)
        job.features.publish()
        return filling.stats()


def extract_shards(job: Extraction, shards: Sequence[int], *, wait: bool) -> ExtractionStats:
    """Compute those of the shards that are missing, and return what it took; nothing is published.

    Where another process holds one, it is left to that process, or, with ``wait``, waited for.
    """
    with _filling(job) as filling:
        for some in [[shard] for shard in shards] if wait else [shards]:
            filling.fill(some, wait=wait)
        return filling.stats()


@contextmanager
def _filling(job: Extraction) -> Iterator[_Filling]:
    limit = BatchLimit(job.batch_size, job.on_halved, noun=MODALITIES.load(job.samples.modality).noun)
    with Loader(
        partial(_item, job),
        item_bytes(job.backbone, partial(_item, job), range(len(job.samples))),
        job.batch_size,
        job.workers,
        finish=finish_of(job.backbone),
        size=size_of(job.backbone, job.batch_size),
        ahead=job.ahead,
    ) as loader:
        yield _Filling(job, loader, limit)


def item_bytes(backbone: Embedder, item: Callable[[int], Item], rows: Sequence[int]) -> int:
    """Return how many bytes an item holds: of images at most; of others as the largest of the first few rows does."""
    if frame := getattr(backbone, "frame", None):
        return int(frame.item_bytes)
    if backbone.spec.size:
        return 3 * prod(backbone.spec.size) * np.dtype(image_preprocessing(backbone.spec).dtype).itemsize
    return max(map(bytes_of, _readable(item, rows[:_FEW])), default=1)


def finish_of(backbone: Embedder) -> Callable[[Item], Item] | None:
    """Return what gives all items of a backbone one shape, None where their shapes are their own."""
    return partial(finished, spec=backbone.spec) if backbone.spec.size else None


def size_of(backbone: Embedder, most: int) -> Callable[[Item], int] | None:
    """Return what says of an item how many of its shape are a batch; None where all are of one shape, and ``most``."""
    return None if backbone.spec.size else partial(rows_at_once, backbone.spec.preprocessing, most=most)


def first_items(job: Extraction, n: int) -> Arrays:
    """Return a batch of the first items that are alike in shape, at most n, of those shapes the commonest.

    Empty where there is none.
    """
    found = [*_readable(partial(_item, job), range(min(2 * n, len(job.samples))))]
    if not found:
        return {}
    (commonest, _), *_ = Counter(map(shape_of, found)).most_common(1)
    return stacked([item for item in found if shape_of(item) == commonest][:n])


def _readable(item: Callable[[int], Item], rows: Iterable[int]) -> Iterator[Item]:
    for row in rows:
        try:
            yield item(row)
        except UnreadableSample:
            continue


@dataclass(eq=False)
class _Piece:
    """A shard in the making, and what holds it. ``left``: rows that are still to come; ``reasons``: for bad rows."""

    shard: int
    span: range
    held: ExitStack
    result: NDArray[np.floating]
    left: int = 0
    reasons: dict[int, str] = field(default_factory=dict)


class _Filling:
    """Shards on their way from a claim, through the backbone, to a commit; several at once where that runs ahead."""

    def __init__(self, job: Extraction, loader: Loader, limit: BatchLimit) -> None:
        self._job, self._loader, self._limit = job, loader, limit
        self._id_width = id_width(job.samples.ids)
        self._pieces: dict[int, _Piece] = {}
        self._flowing: deque[Batch] = deque()
        self._started = time.perf_counter()
        self.computed = 0

    def stats(self) -> ExtractionStats:
        """Return what it took so far."""
        seconds, loader = time.perf_counter() - self._started, self._loader
        return ExtractionStats(self.computed, seconds, loader.loader_wait, self._limit.rows, loader.workers)

    def fill(self, shards: Iterable[int], *, wait: bool) -> None:
        """Compute and commit those of the shards that nobody else holds, or, with ``wait``, still lacks then."""
        self._pieces.clear()
        self._flowing.clear()
        with ExitStack() as held, WriteBack(behind=self._job.ahead > 0) as writer:
            batches = self._loader.batches(self._claimed(shards, wait, held, writer))
            for features in self._job.backbone.stream(self._stacked(batches, writer), self._limit):
                batch = self._flowing.popleft()
                self._put(batch, features, writer)
            writer.finish()

    def _claimed(
        self, shards: Iterable[int], wait: bool, held: ExitStack, writer: WriteBack
    ) -> Iterator[Sequence[int]]:
        """Claim shard after shard; yield which of its rows must go through the backbone."""
        job = self._job
        for shard in shards:
            claim = held.enter_context(ExitStack())
            if not claim.enter_context(job.features.claim(shard, wait=wait)):
                claim.close()
                continue
            span = job.features.span(shard)
            result = np.full((len(span), job.backbone.width), np.nan, job.features.layout.key["dtype"])
            piece = _Piece(shard, span, claim, result)
            copied = copy_rows(job.samples, job.known or KnownRows(), span, result)
            job.progress(len(copied))
            rows = [row for row in span if row not in copied]
            self.computed += len(rows)
            self._pieces[shard], piece.left = piece, len(rows)
            if rows:
                if job.samples.announce:
                    job.samples.announce(row for row in rows if row not in job.samples.problems)
                yield rows
            else:
                self._commit(piece, writer)

    def _stacked(self, batches: Iterator[Batch], writer: WriteBack) -> Iterator[Arrays]:
        """Yield what the backbone is given of the batches that have an item, and note which those are."""
        bare = getattr(self._job.backbone, "any_rows", False)
        for batch in batches:
            if batch.items:
                self._flowing.append(batch)
                yield batch.stacked(bare=bare)
            else:
                self._put(batch, np.empty((0, self._job.backbone.width), np.float32), writer)

    def _put(self, batch: Batch, features: NDArray[np.float32], writer: WriteBack) -> None:
        piece = self._pieces[batch.rows[0] // self._job.features.layout.shard_rows]
        piece.reasons |= batch.faults
        fit = [place for place, row in enumerate(batch.rows) if row not in batch.faults]
        _put(piece, [batch.rows[place] for place in fit], features[fit])
        piece.left -= len(batch.rows)
        self._job.progress(len(batch.rows))
        if not piece.left:
            self._commit(piece, writer)

    def _commit(self, piece: _Piece, writer: WriteBack) -> None:
        samples, here = self._job.samples, slice(piece.span.start, piece.span.stop)
        status = np.full(len(piece.span), OK, np.uint8)
        status[[row - piece.span.start for row in piece.reasons]] = QUARANTINED
        ids = encode_ids(samples.ids[here], self._id_width)
        content = Shard(piece.result, ids, samples.digests[here], status)
        bad = tuple(Bad(row, samples.ids[row], piece.reasons[row]) for row in sorted(piece.reasons))
        writer.commit(partial(self._job.features.commit, piece.shard, content, bad), piece.held)
        del self._pieces[piece.shard]


def _put(piece: _Piece, rows: list[int], computed: NDArray[np.float32]) -> None:
    with np.errstate(over="ignore"):
        stored = computed.astype(piece.result.dtype)
    for i in np.flatnonzero(~np.isfinite(stored).all(axis=1)).tolist():
        finite = np.isfinite(computed[i]).all()
        largest = f"a feature of {np.abs(computed[i]).max():.3g} is too large for {stored.dtype}; see --dtype"
        piece.reasons[rows[i]] = largest if finite else "the backbone gave NaN or infinity"
        stored[i] = np.nan
    piece.result[[row - piece.span.start for row in rows]] = stored


def _item(job: Extraction, row: int) -> Item:
    return raw_or_item(job.samples.read(row), job.backbone, job.view)
