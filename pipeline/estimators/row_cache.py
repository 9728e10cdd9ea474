"""Features by content: rows that lie in any set of the store are read, all others are computed once and kept.

What a feature set is called depends on all its samples, so that every fold of a cross-validation would have one of its
own. Here a row is found by the digest of its sample in whichever set was computed alike: by ``frostline run``, or here.
Only what lies in none goes through the network, as a set of those samples alone, ``samples-all-…``. Sets of that name
are joined when others have become as large, so that n calls leave about log n of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.estimators.given_samples import NAME
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.serve.out_file import remove_sets
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.steps.features import drop, extract_missing
from frostline.stages.datasets import ALL, Dataset, Samples
from frostline.stages.errors import DamagedShard, StoreError
from frostline.stages.extract.known_rows import copy_rows
from frostline.stages.modalities.base import Sample
from frostline.stages.store import FeatureSet, KnownRows, make_folder, open_set
from frostline.stages.store.key import FeatureKey, computation
from frostline.stages.store.locks import locked
from frostline.stages.targets.values import unlabelled

_TRIES = 3


def features_of(samples: Samples, settings: ExtractSettings) -> NDArray[np.floating]:
    """Return the features of samples, float (n, width), by one pass of the network over those that are new.

    ``samples``: of one way to decode them, see ``given_samples.alike``. Raises DataError for samples that can't be
    decoded, ConfigError for an encoder that can't be had, StoreError where the cache can't be read or written.
    """
    different = samples.take(_first_of_each(samples.digests), ALL)
    plan = _plan(different, settings)
    result = np.empty((len(samples), plan.width), settings.dtype)
    for left in reversed(range(_TRIES)):
        try:
            copy_rows(samples, _all_known(plan, different), range(len(samples)), result)
            break
        except StoreError as error:  # damaged, or joined with others by another process meanwhile
            if not left:
                raise
            _forget(error)
    return result


def width_of(samples: Samples, settings: ExtractSettings) -> int:
    """Return how many features the settings' network gives; it is loaded unless that is remembered."""
    return _plan(samples, settings).width


def _all_known(plan: Plan, samples: Samples) -> KnownRows:
    """Return the rows of all sets that were computed as the plan says, once those of the samples are among them."""
    known = _known(plan)
    if not _new(known, samples).any():
        return known
    with _alone(plan):
        known = _known(plan)  # another process may have computed them meanwhile
        new = _new(known, samples)
        if new.any():
            extract_missing(_for(plan, samples.take(np.flatnonzero(new), ALL)))
            _join(plan, _known(plan))
    return _known(plan)


def _new(known: KnownRows, samples: Samples) -> NDArray[np.bool_]:
    return np.asarray(known.find(samples.digests) < 0)


def _known(plan: Plan) -> KnownRows:
    return plan.workspace.store.rows_like(_key_of_no_set(plan))


def _join(plan: Plan, known: KnownRows) -> None:
    """Make one set of the smallest ones of ours, as long as the next is no larger than all before it together."""
    ours = [one for one in known.sets if (one.layout.dataset, one.layout.split) == (NAME, ALL) and one.complete]
    group, rows = list[FeatureSet](), 0
    for one in sorted(ours, key=lambda one: one.layout.rows):
        if group and one.layout.rows > rows:
            break
        group.append(one)
        rows += one.layout.rows
    if len(group) < 2:
        return
    numbers = [number for number, one in enumerate(known.sets) if one in group]
    digests = known.digests[np.isin(known.places[:, 0], numbers)]
    (made,) = extract_missing(_for(plan, _of_digests(plan.dataset.train, digests)))
    remove_sets(one.folder for one in group if one.folder != made.folder)


def _of_digests(like: Samples, digests: NDArray[np.uint8]) -> Samples:
    """Return samples of these contents, whose features are known, so that nobody reads them."""
    own = digests[_first_of_each(digests)]
    codecs = dict.fromkeys([0] if like.codecs else [], next(iter(like.codecs.values()), ""))
    ids = [one.tobytes().hex() for one in own]
    return replace(
        like, targets=unlabelled(len(own)), ids=ids, digests=own, read=_unread, problems={}, encoded=None, codecs=codecs
    )


def _unread(row: int) -> Sample:
    raise StoreError(f"row {row} of joined features is not there any more; call it again")


def _forget(error: StoreError) -> None:
    """Have a damaged shard computed again."""
    if isinstance(error, DamagedShard):
        with suppress(StoreError):
            drop(open_set(Path(error.path).parents[1]), error)


def _first_of_each(digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the first row of each content, in order."""
    return np.sort(np.unique(np.ascontiguousarray(digests).view("S32")[:, 0], return_index=True)[1])


def _plan(samples: Samples, settings: ExtractSettings) -> Plan:
    return make_plan(open_inputs(settings, _dataset(samples)), (ALL,))


def _for(plan: Plan, samples: Samples) -> Plan:
    """Return the same plan, with the network that it may have loaded, for other samples."""
    resolved = plan.resolved
    inputs = replace(resolved.inputs, dataset=_dataset(samples))
    return replace(plan, resolved=replace(resolved, inputs=inputs))


def _dataset(samples: Samples) -> Dataset:
    return Dataset(samples.dataset, samples, samples.take(np.empty(0, np.int64), "none"))


def _key_of_no_set(plan: Plan) -> FeatureKey:
    return replace(plan.key(ALL, "plain"), dataset="")


@contextmanager
def _alone(plan: Plan) -> Iterator[None]:
    """Let one process at a time compute rows of one network: others, such as folds in parallel, then find them."""
    root = plan.workspace.store.root
    make_folder(root)
    with locked(root / f"{computation(_key_of_no_set(plan).fields())[:12]}.lock", wait=True):
        yield
