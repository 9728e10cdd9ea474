"""Claims in a bucket: of several processes that find a dead one, one takes it over."""

from __future__ import annotations

import pytest

from frostline.stages.buckets.address import Address
from frostline.stages.store.locks import Lock
from frostline.stages.store.places import claims
from frostline.stages.store.places.claims import DEAD_SECONDS, Claims
from support.memory_bucket import memory_bucket

pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
FOLDER = Address("s3", "taken-over", "set/claims")


def test_a_dead_claim_is_taken_over_by_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket, now, others = memory_bucket("taken-over"), [0.0], list[Lock]()
    bucket.store.put("set/claims/00000", b"dead")
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    first, second = Claims(FOLDER), Claims(FOLDER)
    for one in (first, second):
        with one.held(0, wait=False) as lock:
            assert lock is Lock.TAKEN
    now[0] = DEAD_SECONDS + 1

    def between(kind: str, key: str) -> None:
        if kind == "put" and not others:  # the first has seen that it is dead, and is about to take it
            others.append(Lock.NONE)
            others.append(Lock.HELD if second._is_ours(0, FOLDER._replace(key=key), b"second") else Lock.TAKEN)

    bucket.before = between
    with first.held(0, wait=False) as lock:
        assert {lock, others[1]} == {Lock.HELD, Lock.TAKEN}
