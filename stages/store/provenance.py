"""When, where and with which versions a feature set was begun: what ``made.json`` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

PROVENANCE = "made.json"
_WHERE_SET = {"device", "licence", "optimize", "unsteady", "format_1", "truncation"}


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What is known of how a feature set was made; no number depends on it, and what is lost has its default.

    Attributes:
        made: when it was begun, ISO 8601 in UTC; empty where that is lost.
        host: the machine's name.
        processor: its processor, or the architecture.
        device: where the network ran.
        licence: of the weights.
        optimize: the ``--optimize`` under which rows are computed.
        unsteady: what was seen of a network that gives a sample other features each time; else empty.
        agreement: how well reduced precision agreed with fp32, if it was tried.
        decode_agreement: how well images decoded at a fraction agreed with whole ones, if that was tried.
        truncation: how much of the samples was cut off, of a modality of which anything is.
        versions: of the packages that the features depend on, by name.
        format_1: the digest of the key that the set had in format 1; empty for a set made since.
    """

    made: str = ""
    host: str = ""
    processor: str = ""
    device: str = ""
    licence: str = ""
    optimize: str = "auto"
    unsteady: str = ""
    agreement: Mapping[str, Any] | None = None
    decode_agreement: Mapping[str, Any] | None = None
    truncation: Mapping[str, Any] | None = None
    versions: Mapping[str, Any] = field(default_factory=dict)
    format_1: str = ""

    def to_fields(self) -> dict[str, Any]:
        """Return the JSON values that are written; ``provenance_from`` reads them."""
        usual, values = Provenance(), {one.name: getattr(self, one.name) for one in fields(self)}
        return {n: v for n, v in values.items() if n not in _WHERE_SET or v != getattr(usual, n)}


def provenance_from(values: Mapping[str, Any]) -> Provenance:
    """Return what JSON values say; one that is not of its field's kind counts as lost."""
    usual = Provenance()
    kinds = {one.name: str if isinstance(getattr(usual, one.name), str) else dict for one in fields(usual)}
    return Provenance(**{n: values[n] for n, kind in kinds.items() if isinstance(values.get(n), kind)})
