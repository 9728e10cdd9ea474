"""What ``made.json`` says of a feature set: the same names for who writes and who reads it."""

from __future__ import annotations

import pytest

from frostline.stages.records.sealed import sealed
from frostline.stages.store.provenance import Provenance, provenance_from

USUAL = {
    "made": "2026-11-28T03:43:41.362Z",
    "host": "vm",
    "processor": "x86_64",
    "device": "cpu",
    "agreement": {"least": 0.999, "mean": 1.0},
    "decode_agreement": None,
    "versions": {"frostline": "0.1.0", "torch": "2.14.1"},
}


@pytest.mark.parametrize(
    "more",
    [{}, {"licence": "apache-2.0", "optimize": "none"}, {"unsteady": "rows differ", "format_1": "ab12"}],
    ids=str,
)
def test_what_was_written_is_read_and_written_as_the_same_bytes(more: dict[str, str]) -> None:
    values = {**USUAL, **more}
    assert sealed(provenance_from(values).to_fields()) == sealed(values)


def test_nothing_is_said_of_a_file_that_is_lost() -> None:
    assert provenance_from({}) == Provenance()


@pytest.mark.parametrize("odd", [None, 3, [], {"a": 1}], ids=str)
def test_a_value_of_another_kind_counts_as_lost(odd: object) -> None:
    found = provenance_from({**USUAL, "made": odd, "versions": "none", "later": 1})
    assert (found.made, found.versions, found.host) == ("", {}, "vm")
