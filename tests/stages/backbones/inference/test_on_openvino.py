"""OpenVINO gives the features that torch gives, the same bits in any batch; what it can't do is said."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.calibrate.batch_size import in_threads
from frostline.stages.backbones.calibrate.precision import agreement, compared, faster, fastest_precision
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.batches import BatchLimit
from frostline.stages.backbones.inference.multi_layer import share_pass
from frostline.stages.backbones.inference.on_openvino import OpenVINOBackbone, check_openvino
from frostline.stages.errors import ConfigError
from support.openvino import require_openvino
from support.pictures import picture
from support.project import REPOSITORY

require_openvino()
pytestmark = pytest.mark.usefixtures("optimizations")  # --optimize none replaces what is asked for here
NOISE = np.random.default_rng(1).integers(0, 256, (11, 64, 64, 3), np.uint8)
SMALL: dict[str, Any] = {"resize": (64, 64), "crop": None}
SHIPPED = "resnet8-cifar10"


def loaded(name: str, optimize: Any = "openvino", layer: str | None = None, **how: Any) -> Backbone:
    weights = "DEFAULT" if name in (SHIPPED, "pixels") else "factory" if ".py:" in name else "random"
    request = BackboneRequest(name, weights, layer, how.pop("pool", None), preprocessing=SMALL)
    return load_backbone(request, picture(0, (64, 64)), optimize=optimize, **how)


@pytest.fixture(scope="module")
def shipped() -> Backbone:
    return loaded(SHIPPED)


def written(folder: Path, forward: str) -> str:
    """Return the name of a small network whose pass does this with its features."""
    file = folder / "net.py"
    file.write_text(
        "import torch\nfrom torch import nn\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.conv, self.fc = nn.Conv2d(3, 6, 3, 4), nn.Linear(6, 2)\n\n"
        f"    def forward(self, x):\n        y = self.conv(x).mean((2, 3))\n        return self.fc({forward})\n\n"
        "def net():\n    return Net()\n"
    )
    return f"{file}:net"


@pytest.mark.parametrize(
    ("name", "layer", "pool"),
    [
        (SHIPPED, None, None),
        (SHIPPED, "layer2", "max"),
        ("mobilenet_v2", None, None),
        ("mobilenet_v2", "features.7,features.14@max", None),
        ("pixels", None, None),
    ],
)
def test_its_features_are_those_of_torch(name: str, layer: str | None, pool: str | None) -> None:
    found, exact = (loaded(name, optimize, layer, pool=pool) for optimize in ("openvino", "none"))
    wanted = exact.embed({"pixels": NOISE})
    features = found.embed({"pixels": NOISE})
    assert features.shape == wanted.shape and features.dtype == np.float32
    assert np.abs(features - wanted).max() <= 2e-5 * np.abs(wanted).max()
    assert (found.spec, found.width, found.given) == (exact.spec, exact.width, exact.given)


def test_thumbnails_are_enlarged_to_the_same_pixels(shipped: Backbone) -> None:
    small = np.asarray(picture(3, (16, 16)))
    assert shipped.enlarges((16, 16))
    large = np.asarray(Image.fromarray(small).resize((64, 64), Image.Resampling.BILINEAR))
    assert np.array_equal(shipped.embed({"pixels": small[None]}), shipped.embed({"pixels": large[None]}))


@pytest.mark.parametrize("precision", ["fp32", fastest_precision("cpu")])
def test_an_image_has_the_same_bits_in_any_batch_place_and_number_of_threads(precision: Any) -> None:
    backbone = loaded("mobilenet_v2", precision=precision)
    whole, order = backbone.embed({"pixels": NOISE}), np.random.default_rng(2).permutation(len(NOISE))
    assert backbone.any_rows
    assert np.array_equal(backbone.embed({"pixels": NOISE[order]}), whole[order])
    assert np.array_equal(backbone.embed({"pixels": NOISE[:1]}), whole[:1])
    for threads, size in ((1, 3), (2, 8), (3, 5)):
        batches = [{"pixels": NOISE[i : i + size]} for i in range(0, len(NOISE), size)]
        with in_threads(threads):
            streamed = list(backbone.stream(iter(batches), BatchLimit(size)))
        assert [len(one) for one in streamed] == [len(one["pixels"]) for one in batches]
        assert np.array_equal(np.concatenate(streamed), whole)


def test_a_stream_that_is_left_early_does_not_disturb_the_next_batch(shipped: Backbone) -> None:
    wanted = shipped.embed({"pixels": NOISE})
    next(shipped.stream(({"pixels": NOISE[:4]} for _ in range(50)), BatchLimit(4)))
    assert np.array_equal(shipped.embed({"pixels": NOISE}), wanted)


def test_a_buffer_may_be_filled_with_the_next_batch_while_the_last_is_at_work(shipped: Backbone) -> None:
    wanted = shipped.embed({"pixels": NOISE[:8]})
    buffer = np.empty_like(NOISE[:4])

    def batches() -> Iterator[dict[str, Any]]:
        for some in (NOISE[:4], NOISE[4:8]):
            buffer[:] = some
            yield {"pixels": buffer}
        buffer[:] = 0

    with in_threads(2):  # so many are at work before the first is awaited
        streamed = list(shipped.stream(batches(), BatchLimit(4)))
    assert np.array_equal(np.concatenate(streamed), wanted)


def test_arrays_that_can_not_be_written_to_are_streamed_without_a_warning(shipped: Backbone) -> None:
    sealed = NOISE.copy()
    sealed.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = shipped.stream([{"pixels": sealed}], BatchLimit(11))
    assert np.array_equal(found, shipped.embed({"pixels": NOISE}))


def failing() -> OpenVINOBackbone:
    """Return a network whose features are an image's first values; a request that begins with more than 250 fails."""
    import openvino
    from openvino import opset13 as ops

    pixels = ops.parameter([4, 64, 64, 3], np.uint8)
    first = ops.convert(ops.reshape(ops.slice(pixels, [0] * 4, [1] * 4, [1] * 4), [1], False), np.int64)
    over = ops.subtract(ops.maximum(first, np.int64(250)), np.int64(250))
    shape = ops.add(over, np.array([4, 64 * 64 * 3], np.int64))  # fits if nothing is over
    rows = ops.convert(ops.reshape(pixels, shape, False), np.float32)
    model = openvino.Model([ops.slice(rows, [0, 0], [4, 128], [1, 1])], [pixels], "first values")
    return OpenVINOBackbone(loaded(SHIPPED, "auto"), "fp32", model)


def test_after_requests_that_failed_the_next_batch_has_its_own_features() -> None:
    backbone, sound = failing(), np.minimum(NOISE, 250)
    wanted = sound.reshape(11, -1)[:, :128].astype(np.float32)
    bad = [np.full((4, 64, 64, 3), level, np.uint8) for level in (251, 252)]
    assert np.array_equal(backbone.embed({"pixels": sound}), wanted)
    for some in (bad[0], np.concatenate(bad), np.concatenate([sound[:4], *bad, sound])):
        with pytest.raises(RuntimeError, match="Exception from"):
            backbone.embed({"pixels": some})
        assert np.array_equal(backbone.embed({"pixels": sound}), wanted)
        assert np.array_equal(next(backbone.stream([{"pixels": sound}], BatchLimit(11))), wanted)


def test_a_stream_whose_requests_another_ones_failure_took_away_gives_no_features() -> None:
    backbone, white, black = failing(), np.full((4, 64, 64, 3), 255, np.uint8), np.zeros((4, 64, 64, 3), np.uint8)
    with in_threads(2):
        waiting = backbone.stream(({"pixels": black} for _ in range(9)), BatchLimit(4))
        next(waiting)
        with pytest.raises(RuntimeError, match="Exception from"):
            backbone.embed({"pixels": white})
        with pytest.raises(RuntimeError, match="a request of OpenVINO failed before this one"):
            list(waiting)
        assert not backbone.embed({"pixels": black}).any()


def test_lower_precision_is_judged_by_what_torch_computes_in_fp32(shipped: Backbone) -> None:
    items = [{"pixels": one} for one in NOISE]
    assert type(shipped.reference) is Backbone and shipped.reference.precision == "fp32"
    other, found = faster(shipped, items)
    if fastest_precision("cpu") == "fp32":
        assert other is shipped and found is None
        with pytest.raises(ConfigError, match="OpenVINO computes in f32 on this CPU, not in bf16"):
            shipped.at("bf16")
        return
    assert found == compared(shipped.reference, items, shipped.at("bf16"), items)
    rough = shipped.at("bf16").embed({"pixels": NOISE})
    assert not np.array_equal(rough, shipped.embed({"pixels": NOISE}))
    assert 0.999 < agreement(shipped.reference.embed({"pixels": NOISE}), rough).least < 1


def test_layers_do_not_share_a_pass(shipped: Backbone) -> None:
    assert share_pass([loaded(SHIPPED, layer="layer2"), shipped]) is None


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (
            "torch.linalg.eigvalsh(y[:, :, None] * y[:, None])",
            r"openvino [\d.]+ can't run .*eigvalsh.*; leave --optimize",
        ),
        ("y * (2 if len(x) == 4 else 1)", r"openvino [\d.]+ gives other features of .* than torch in fp32"),
    ],
    ids=["an operation that it does not have", "code that depends on the batch"],
)
def test_a_network_that_it_can_not_run_is_refused(tmp_path: Path, forward: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(written(tmp_path, forward))


def test_a_network_with_hooks_is_refused(tmp_path: Path) -> None:
    name = written(tmp_path, "y")
    text = (tmp_path / "net.py").read_text()
    hook = "made = Net()\n    made.conv.register_forward_hook(lambda *given: given[2] + 1)\n    return made"
    (tmp_path / "net.py").write_text(text.replace("return Net()", hook))
    with pytest.raises(ConfigError, match=r"has hooks, which openvino .* would leave out"):
        loaded(name)


def test_what_it_is_not_meant_for_is_said() -> None:
    with pytest.raises(ConfigError, match="openvino is for images; st:some takes texts; leave it out"):
        check_openvino("st:some", "text", "cpu")
    with pytest.raises(ConfigError, match="runs on the CPU, but the device is cuda:1; add --device cpu"):
        check_openvino(SHIPPED, "image", "cuda:1")
    with pytest.raises(ConfigError, match="openvino computes in fp32 or bf16, not in fp16"):
        loaded(SHIPPED, precision="fp16")


def test_a_network_to_be_exported_is_left_to_torch() -> None:
    assert type(loaded(SHIPPED, portable=True)) is Backbone


RUN = """
import importlib.metadata as metadata
import sys
there, absent = metadata.version, True
def version(name):
    if name == "openvino" and absent:
        raise metadata.PackageNotFoundError(name)
    return there(name)
metadata.version = version
from PIL import Image
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.errors import ConfigError
def load():
    load_backbone(BackboneRequest("resnet8-cifar10"), Image.new("RGB", (32, 32)), optimize="openvino")
try:
    load()
except ConfigError as error:
    print(error)
absent = False
load()
assert "openvino" in sys.modules
print([name for name in sys.modules if name.split(".")[0] == "openvino_telemetry"])
"""


@pytest.fixture(scope="module")
def printed() -> list[str]:
    """What a new process prints that asks for OpenVINO: first as if it was absent, then in earnest."""
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=False, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nothing_is_loaded_that_tells_its_maker_of_the_user(printed: list[str]) -> None:
    assert printed[1:] == ["[]"]


def test_without_the_package_the_extra_is_named(printed: list[str]) -> None:
    needed = "--optimize openvino needs openvino, which is not installed; pip install 'frostline[openvino]'"
    assert printed[0] == needed
