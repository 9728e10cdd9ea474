"""A head whose features one library made in bf16 gets those of another in fp32: only the first one's were compared."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.plan.of_head import plan_of_head
from frostline.pipeline.records.head_record import read_head_backbone
from frostline.pipeline.serve.fitted import precision_of, read_fitted
from frostline.pipeline.serve.predict import load_classifier
from frostline.pipeline.serve.predict_all import predict_all
from frostline.pipeline.settings import ExtractSettings, PredictSettings
from frostline.stages.backbones.inference.on_openvino import OpenVINOBackbone
from frostline.stages.errors import StoreError
from frostline.stages.heads import head_files, read_head
from frostline.stages.store import open_set
from support.openvino import require_openvino
from support.pictures import pets

require_openvino()
pytestmark = pytest.mark.usefixtures("optimizations")
HERE = f"openvino {version('openvino')}"
SAID = "was fitted on features that %s computed in bf16; %s computes them in fp32, because its bf16 was not compared"


class Rewritten(Protocol):
    def __call__(self, runtime: object) -> Path: ...


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a head on features of the shipped network, which OpenVINO made."""
    place = tmp_path_factory.mktemp("made")
    asked = ["--backbone", "resnet8-cifar10", "--head", "centroid", "--optimize", "openvino", "--precision", "fp32"]
    where = ["--dataset", f"folder:{pets(place / 'pets')}", "--data-dir", str(place / "data"), "--baseline", "none"]
    assert main(["run", *where, *asked]) == 0
    return next((place / "data" / "heads").iterdir())


@pytest.fixture
def rewritten(head: Path, work: Path) -> Rewritten:
    """Make a copy of the head, in a workspace of the test's own, whose record names bf16 and a library, or none."""

    def rewrite(runtime: object) -> Path:
        found, record = read_head(head)
        (copy := work / "heads" / "copy").mkdir(parents=True)
        backbone: dict[str, Any] = {**record["backbone"], "precision": "bf16", "runtime": runtime}
        if runtime is None:
            del backbone["runtime"]
        for name, data in head_files(found, {**record, "backbone": backbone}).items():
            (copy / name).write_bytes(data)
        return copy

    return rewrite


def test_a_head_records_the_library_and_its_version(head: Path) -> None:
    record = read_head(head)[1]
    assert record["backbone"]["runtime"] == HERE == read_head_backbone(head, record).runtime


def test_openvinos_bf16_is_not_replaced_by_torchs(rewritten: Rewritten, caplog: pytest.LogCaptureFixture) -> None:
    served = load_classifier(rewritten(HERE))
    assert served.backbone.precision == "fp32" and type(served.backbone) is not OpenVINOBackbone
    assert SAID % (HERE, "torch") in caplog.text and "--optimize openvino uses bf16" in caplog.text


@pytest.mark.parametrize("runtime", [None, ""])
def test_torchs_bf16_is_not_replaced_by_openvinos(
    rewritten: Rewritten, runtime: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    served = load_classifier(rewritten(runtime), PredictSettings(optimize="openvino"))
    assert served.backbone.precision == "fp32" and type(served.backbone) is OpenVINOBackbone
    assert SAID % ("torch", HERE) in caplog.text and "--optimize auto uses bf16" in caplog.text


@pytest.mark.parametrize(
    ("runtime", "optimize"), [("openvino 1.0", "openvino"), (None, "auto"), (None, "none"), ("", "auto")]
)
def test_the_library_of_the_fit_computes_in_its_precision(
    rewritten: Rewritten, runtime: str | None, optimize: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fitted = read_fitted(rewritten(runtime), PredictSettings())
    assert precision_of(fitted, PredictSettings(optimize=optimize)) == "bf16"
    assert not caplog.records


def test_a_file_of_predictions_is_made_of_features_in_fp32_too(rewritten: Rewritten, folder: Path, work: Path) -> None:
    copy = rewritten(HERE)
    done = predict_all(copy, folder / "test", work.parent / "out.csv", PredictSettings(keep_features=True))
    (kept,) = done.features
    key = open_set(kept).layout.key
    assert key["precision"] == "fp32" and "runtime" not in key


def test_a_worker_plans_the_same_precision(rewritten: Rewritten, folder: Path) -> None:
    fitted = read_fitted(rewritten(HERE), PredictSettings())
    for optimize, precision in (("auto", "fp32"), ("openvino", "bf16")):
        asked = ExtractSettings(dataset=f"folder:{folder / 'test'}", backbone="resnet8-cifar10", optimize=optimize)
        plan = plan_of_head(fitted.folder, fitted.made, fitted.head.width, asked)
        assert plan.picked.mode.precision == precision


def test_a_library_that_can_not_be_is_refused(rewritten: Rewritten) -> None:
    with pytest.raises(StoreError, match="does not say what it was fitted on"):
        load_classifier(rewritten(5))
