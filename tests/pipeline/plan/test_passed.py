"""A network that was found steady is tried on fewer samples; whatever its result depends on, and damage, undo that."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from frostline.pipeline.plan import passed, steady
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.passed import keep_steady, was_steady
from frostline.pipeline.plan.resolve import resolve
from frostline.pipeline.run.run import extract
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.backbones import runtime
from frostline.stages.backbones.calibrate.batch_size import in_threads
from frostline.stages.backbones.inference import backbone, steadiness
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.items import rows_of

NETS = """
import torch
from torch import nn

class Handed(nn.Module):
    def forward(self, x):
        return x

def sound():
    torch.manual_seed(0)
    return nn.Sequential(nn.AvgPool2d(4), Handed(), nn.Flatten(), nn.Linear(12, 6, bias=False))
"""
HOW = {"layer": "output", "resize": (8, 8), "mean": (0, 0, 0), "std": (1, 1, 1), "precision": "fp32"}
Checks = list[int]


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Checks]:
    """The number of samples of each check of steadiness, in order; the checks are made."""
    found: Checks = []
    real = steadiness.unsteadiness

    def counted(embed: object, batch: Arrays, *how: object) -> object:
        found.append(rows_of(batch))
        return real(embed, batch, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(steadiness, "unsteadiness", counted)
    yield found


@pytest.fixture
def settings(work: Path, folder: Path) -> ExtractSettings:
    (work.parent / "net.py").write_text(NETS)
    made: dict[str, object] = {}
    exec(NETS, made)
    torch.save(made["sound"]().state_dict(), work.parent / "net.pth")  # type: ignore[operator]
    return ExtractSettings(dataset=f"folder:{folder}", backbone="net.py:sound", weights="net.pth", **HOW)


def again(settings: ExtractSettings, checks: Checks) -> Checks:
    """Return the checks of an extraction to another dtype, whose rows are not cached."""
    checks.clear()
    extract(settings.model_copy(update={"dtype": "float16"}))
    return checks


def test_the_first_extraction_checks_noise_and_eight_samples_and_the_next_two_samples(
    settings: ExtractSettings, checks: Checks
) -> None:
    extract(settings)
    assert checks == [2, 8]
    assert again(settings, checks) == [2]


def test_other_weights_code_precision_and_optimisation_are_checked_in_full(
    settings: ExtractSettings, checks: Checks, work: Path
) -> None:
    extract(settings)
    assert again(settings.model_copy(update={"precision": "bf16"}), checks)[-1] == 8
    assert again(settings.model_copy(update={"optimize": "none"}), checks)[-1] == 8
    state = torch.load(work.parent / "net.pth")
    torch.save({name: 2 * value for name, value in state.items()}, work.parent / "net.pth")
    assert again(settings, checks) == [2, 8]
    (work.parent / "net.py").write_text(NETS.replace("AvgPool2d", "MaxPool2d"))
    assert again(settings, checks) == [2, 8]


def test_more_threads_are_checked_in_full(settings: ExtractSettings, checks: Checks) -> None:
    extract(settings)
    with in_threads(torch.get_num_threads() + 1):
        assert again(settings, checks)[-1] == 8


def test_another_processor_is_checked_in_full(
    settings: ExtractSettings, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(settings)
    monkeypatch.setattr("frostline.stages.backbones.optimize.processor._name", lambda: "another")
    assert again(settings, checks)[-1] == 8


@pytest.mark.parametrize("name", ["torch", "numpy", "frostline", "a package of the family"])
def test_another_version_of_one_package_is_checked_in_full(
    settings: ExtractSettings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    versions = {"a package of the family": "1"}
    monkeypatch.setattr(passed, "versions_of", lambda _request: versions)
    inputs = open_inputs(settings)
    spec = resolve(inputs).backbone.spec
    keep_steady(inputs, spec, "fp32")
    assert was_steady(inputs, spec, "fp32")
    monkeypatch.setattr(passed, "version", lambda one: "0" if one == name else version(one))
    if name in versions:
        versions[name] = "0"
    assert not was_steady(inputs, spec, "fp32")


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"passed": 1}', b"\x00" * 64])
def test_a_damaged_memory_is_none_and_is_written_again(
    settings: ExtractSettings, checks: Checks, work: Path, damage: bytes
) -> None:
    extract(settings)
    (memory,) = [file for file in (work / "backbones").iterdir() if b'"passed"' in file.read_bytes()]
    sound = memory.read_bytes()
    memory.write_bytes(damage)
    assert again(settings, checks) == [2, 8]
    assert memory.read_bytes() == sound


def test_a_network_that_became_unsteady_behind_its_memory_is_refused_all_the_same(
    settings: ExtractSettings, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(settings)
    features = backbone.Backbone.features
    monkeypatch.setattr(backbone.Backbone, "features", lambda *a: features(*a) + torch.rand(1))
    with pytest.raises(ConfigError, match=r"in a second pass: 2 of 2 compared"):
        again(settings, checks)


def test_an_unsteady_network_and_one_that_is_waived_are_not_remembered(settings: ExtractSettings, work: Path) -> None:
    (work.parent / "net.py").write_text(NETS.replace("return x", "return x + torch.rand_like(x)"))
    with pytest.raises(ConfigError, match="in a second pass"):
        extract(settings)
    extract(settings.model_copy(update={"allow_unsteady": True}))
    inputs = open_inputs(settings)
    assert not was_steady(inputs, resolve(inputs).backbone.spec, "fp32")


def test_a_pass_of_a_waived_network_whose_noise_was_not_checked_is_not_remembered(
    settings: ExtractSettings, checks: Checks
) -> None:
    extract(settings.model_copy(update={"allow_unsteady": True}))
    assert checks == [8]
    assert again(settings, checks) == [2, 8]


@pytest.mark.parametrize("size", [1, 2, 15])
def test_a_pass_in_small_batches_counts_for_these_alone(settings: ExtractSettings, checks: Checks, size: int) -> None:
    small, tried = settings.model_copy(update={"batch_size": size}), min(8, max(2, size))
    extract(small)
    assert checks == [2, tried]
    assert again(small, checks) == [2]
    extract(settings.model_copy(update={"views": ("hflip",)}))
    assert checks == [2, 2, 8]


def test_a_pass_in_larger_batches_than_are_ever_tried_counts_for_all_of_them(
    settings: ExtractSettings, checks: Checks
) -> None:
    extract(settings)
    assert again(settings.model_copy(update={"batch_size": 16}), checks) == [2]


def test_a_pass_on_fewer_samples_than_are_wanted_is_not_remembered(
    settings: ExtractSettings, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = steady.by_shape
    monkeypatch.setattr(steady, "by_shape", lambda items: [rows[:7] for rows in found(items)])
    extract(settings)
    assert checks == [2, 7]
    assert again(settings, checks) == [2, 7]


def test_another_version_of_openvino_is_checked_in_full(
    settings: ExtractSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = open_inputs(settings.model_copy(update={"optimize": "openvino"}))
    spec = resolve(open_inputs(settings)).backbone.spec
    monkeypatch.setattr(runtime, "version", lambda _name: "2026.1.0")
    keep_steady(inputs, spec, "fp32")
    assert was_steady(inputs, spec, "fp32")
    monkeypatch.setattr(runtime, "version", lambda _name: "2026.1.1")
    assert not was_steady(inputs, spec, "fp32")


def test_what_is_kept_is_known_by_a_network_of_the_same_description_alone(settings: ExtractSettings) -> None:
    inputs = open_inputs(settings)
    spec = resolve(inputs).backbone.spec
    keep_steady(inputs, spec, "fp32")
    assert was_steady(inputs, spec, "fp32") and not was_steady(inputs, spec, "bf16")
