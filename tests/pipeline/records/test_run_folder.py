"""run.json: read back as it was written, of older versions too, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.records.run import run_record
from frostline.pipeline.records.run_folder import read_run
from frostline.pipeline.run.run import run
from frostline.pipeline.settings import Settings
from frostline.stages.errors import StoreError
from frostline.stages.records.sealed import sealed, unsealed
from support.pages import balanced, photographs


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with a scored head; the next test to ask for it compares it with the report."""
    root = tmp_path_factory.mktemp("kept")
    table = photographs(root, balanced("abc", 8, 4))
    usual = {"backbone": "pixels", "resize": (8, 8), "data_dir": root / "data", "dataset": f"csv:{table}"}
    report = run(Settings(**usual, head=("logreg", "centroid"), shots=()))
    assert read_run(report.path).record == run_record(report)
    curves = run(Settings(**usual, head=("ridge",), shots=(1, 2, 4), draws=2))
    assert read_run(curves.path.parent).record == run_record(curves)
    return report.path.parent


@pytest.fixture
def change(kept: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write the run's record as it was but for one change, with a sound seal."""

    def write(changed: Callable[[dict[str, Any]], object]) -> Path:
        folder = tmp_path / "copy"
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        fields = unsealed((kept / "run.json").read_bytes())
        changed(fields)
        (folder / "run.json").write_bytes(sealed(fields))
        return folder

    return write


def test_a_record_without_the_fields_that_came_later_is_read_with_their_defaults(
    kept: Path, change: Callable[..., Path]
) -> None:
    def older(fields: dict[str, Any]) -> None:
        for name in ("notes", "versions", "settings", "quarantined", "path"):
            del fields[name]
        probe = fields["probes"][0]
        for name in ("final_gap", "final_gradient_norm", "temperature", "folds"):
            del probe["head"]["selection"][name]
        del probe["evaluation"]["reliability_calibrated"], probe["curve"], probe["features"][0]["pace"]

    found, whole = read_run(change(older)).record, read_run(kept).record
    assert (found.notes, found.versions, found.settings, found.quarantined) == ((), {}, {}, 0)
    head = found.probes[0].head
    assert head is not None and (head.selection.final_gap, head.selection.temperature) == (None, None)
    assert found.probes[0].features[0].speed.rows_per_second is None
    assert found.probes[1:] == whole.probes[1:]


def test_a_field_that_a_later_version_adds_is_passed_over(kept: Path, change: Callable[..., Path]) -> None:
    assert read_run(change(lambda fields: fields.update(later=1))).record == read_run(kept).record


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda f: f.pop("probes"), "is no run; expected classes, dataset"),
        (lambda f: f.update(probes=[]), r"probes: no head, expected one or more"),
        (lambda f: f.update(classes="abc"), r"\(classes: "),
        (lambda f: f.update(files={"../x": ""}), "names a file of another folder"),
        (lambda f: f["probes"][0].update(head=None), r"probes\.0\.head: missing"),
        (lambda f: f["probes"][0].update(evaluation=None), r"probes\.0\.evaluation: neither scores nor a curve"),
        (
            lambda f: f["probes"][1]["evaluation"]["scores"].pop("accuracy"),
            r"probes\.1\.evaluation\.scores: no accuracy",
        ),
        (lambda f: f["probes"][0]["evaluation"]["confusion"].pop(), "not of the run's 3 classes"),
        (lambda f: f["probes"][0]["evaluation"]["confusion"][1].pop(), "not of the run's 3 classes"),
        (lambda f: f["probes"][0].update(features=[]), r"probes\.0\.features: none of the test samples"),
        (lambda f: f["probes"][0]["features"][1]["key"].pop("layer"), r"\(layer: field required"),
        (lambda f: f["probes"][0]["features"][0]["pace"].update(waiting="long"), r"\(waiting: "),
        (lambda f: f["probes"][0]["head"]["selection"].update(grid=3), r"probes\.0\.head\.selection\.grid: "),
        (
            lambda f: f["probes"][0].update(curve={"unit": "shots", "points": [], "forecast": None, "sentence": ""}),
            "points",
        ),
    ],
)
def test_a_record_that_is_not_a_runs_is_refused_with_what_is_wrong_and_what_to_do(
    change: Callable[..., Path], changed: Callable[[dict[str, Any]], object], said: str
) -> None:
    folder = change(changed)
    with pytest.raises(StoreError, match=said) as raised:
        read_run(folder)
    assert str(folder / "run.json") in str(raised.value) and "`frostline run`" in str(raised.value)
