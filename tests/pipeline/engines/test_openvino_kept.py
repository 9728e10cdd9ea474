"""Features that OpenVINO computes are kept under keys of their own, with its version."""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import pytest

from frostline.pipeline.run.run import extract
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.store import open_set
from support.matrices import CENTROID, DIGITS, SHIPPED
from support.openvino import require_openvino
from support.project import Write

require_openvino()
pytestmark = pytest.mark.usefixtures("optimizations")


def asked_of(optimize: Literal["auto", "openvino"]) -> ExtractSettings:
    return ExtractSettings(optimize=optimize, resize=(16, 16))


def test_its_sets_are_its_own_and_are_used_again(work: Path, caplog: pytest.LogCaptureFixture) -> None:
    with_torch, asked = extract(asked_of("auto")), asked_of("openvino")
    done = extract(asked)
    assert [one.computed for one in done] == [one.rows for one in with_torch]
    for one, other in zip(done, with_torch, strict=True):
        key, usual = (open_set(made.folder).layout.key for made in (one, other))
        assert key["runtime"] == f"openvino {version('openvino')}" and "runtime" not in usual
        assert {**usual, "runtime": key["runtime"]} == key
        made = open_set(one.folder).provenance
        assert made.optimize == "openvino" and made.versions["openvino"] == version("openvino")
        assert "openvino" not in open_set(other.folder).provenance.versions
    caplog.clear()
    with caplog.at_level(logging.INFO, "frostline"):
        assert not any(one.computed for one in extract(asked))
    assert "loading" not in caplog.text and "note" not in caplog.text


def test_precision_is_chosen_by_the_agreement_with_torch(work: Path) -> None:
    made = open_set(extract(asked_of("openvino"))[0].folder).provenance
    assert made.agreement is None or made.agreement["least"] > 0.99


def test_a_bench_knows_its_cells_from_those_of_torch(write: Write) -> None:
    auto, own = (write(f"{DIGITS}{SHIPPED}{how}{CENTROID}") for how in ("", 'optimize = "openvino"\n'))
    assert auto.digest != own.digest
