"""Checkpoints as they are saved: under any prefix, in any nesting, beside anything, with any classifier or none."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint
from frostline.stages.backbones.checkpoints.unloaded import unloaded
from frostline.stages.errors import ConfigError

State = dict[str, Tensor]


class Net(nn.Module):
    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5))
        self.body = nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 6))
        self.fc = nn.Linear(6, classes)


def state(seed: int = 0, classes: int = 4) -> State:
    torch.manual_seed(seed)
    return {n: torch.randn(t.shape) if t.is_floating_point() else t for n, t in Net(classes).state_dict().items()}


def under(prefix: str, tensors: State) -> State:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def encoder(tensors: State) -> State:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("fc.")}


def saved(content: Any, folder: Path, name: str = "w.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


def loaded(file: Path, part: str = "", classes: int = 4) -> Net:
    net = Net(classes)
    load_weights(net, read_checkpoint(file, part), file.name)
    return net


def is_state(net: nn.Module, wanted: State) -> bool:
    return all(torch.equal(net.state_dict()[name], tensor) for name, tensor in wanted.items())


S, OTHER = state(), state(1)
WHOLE: dict[str, Any] = {
    "torch.compile": under("_orig_mod.", S),
    "DDP of that": under("module._orig_mod.", S),
    "that of DDP": under("_orig_mod.module.", S),
    "Lightning": {"state_dict": under("model.", S), "epoch": 3, "hyper_parameters": {"lr": 0.1}},
    "Lightning with a loss and a metric": {"state_dict": under("net.", S) | {"criterion.weight": torch.ones(4)}},
    "under net, beside a tensor": {"net": OrderedDict(S), "acc": 91.2, "best": torch.tensor(91.2)},
    "under a name nobody knows": {"my_weights": {"of_today": S}, "note": "fine"},
    "nested four deep": {"a": {"b": {"c": {"state_dict": under("module.", S)}}}},
    "an optimizer beside": {"model": S, "optimizer": {"state": {0: {"exp_avg": torch.ones(5)}}, "param_groups": []}},
    "model, that holds no tensor": {"model": {"arch": "net"}, "weights": S},
    "an average of weights": {"n_averaged": torch.tensor(3)} | under("module.", S),
    "profiled": S | {"total_ops": torch.zeros(1), "body.0.total_params": torch.zeros(1)},
    "profiled in parallel": under("module.", S | {"fc.total_ops": torch.zeros(1)}),
    "student and teacher": {"student": under("module.", OTHER), "teacher": S, "epoch": 1},
    "an EMA beside": {"state_dict": S, "state_dict_ema": OTHER},
    "an EMA in the same mapping": under("model.", S) | under("model_ema.module.", OTHER),
    "an EMA beside the names": S | {"ema": OTHER},
    "an EMA and its decay beside the names": S | {"ema": {"module": OTHER, "decay": torch.tensor(0.9)}},
    "an EMA inside the part": under("module.", S | under("ema.", OTHER)),
    "a projection that is called the model": {"model": {"proj.weight": torch.ones(3, 3)}, "encoder": S},
    "without counts of batches": {n: t for n, t in S.items() if not n.endswith("num_batches_tracked")},
}
HEADLESS: dict[str, Any] = {
    "cut off": encoder(S),
    "MoCo": {"state_dict": under("module.encoder_q.", encoder(S)) | under("module.encoder_k.", encoder(OTHER))},
    "MoCo's head": {
        "state_dict": under("encoder_q.", encoder(S))
        | {"encoder_q.fc.0.weight": torch.ones(6, 6), "encoder_q.fc.2.bias": torch.ones(3), "queue": torch.zeros(4)}
    },
    "DINO": {"student": under("module.backbone.", encoder(OTHER)), "teacher": under("backbone.", encoder(S))},
    "SimCLR": under("backbone.", encoder(S)) | {"projector.0.weight": torch.ones(2, 2)},
    "a projector at the same level": encoder(S) | {"projector.0.weight": torch.ones(2, 2)},
    "another number of classes": under("module.", S | {"fc.weight": torch.ones(9, 6), "fc.bias": torch.ones(9)}),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_the_networks_own_weights_are_found(tmp_path: Path, kind: str) -> None:
    net = loaded(saved(WHOLE[kind], tmp_path))
    assert is_state(net, WHOLE[kind] if kind.startswith("without") else S) and not unloaded(net)


@pytest.mark.parametrize("kind", HEADLESS)
def test_an_encoder_needs_no_weights_of_its_classifier_which_gives_nothing_but_nan(tmp_path: Path, kind: str) -> None:
    net = loaded(saved(HEADLESS[kind], tmp_path))
    assert is_state(net, encoder(S)) and unloaded(net) == ["fc"]
    assert net.fc(torch.ones(1, 6)).isnan().all()


def test_what_is_taken_and_what_is_left_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "frostline")
    loaded(saved(HEADLESS["MoCo's head"], tmp_path))
    assert "w.pth: using the part encoder_q; not using queue" in caplog.text and "w.pth#PART" in caplog.text
    assert "w.pth: fc.0.*, fc.2.* not used" in caplog.text
    assert "w.pth has no weights for fc" in caplog.text
    caplog.clear()
    loaded(saved(WHOLE["an EMA beside"], tmp_path))
    assert "using state_dict; choose another with" in caplog.text and "#state_dict_ema" in caplog.text
    caplog.clear()
    loaded(saved(WHOLE["an EMA beside the names"], tmp_path))
    assert "w.pth: using the names without a prefix; not using ema.stem.* (7)" in caplog.text
    assert "w.pth#PART" in caplog.text
    caplog.clear()
    loaded(saved(S, tmp_path))
    assert not caplog.text


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("an EMA beside", "state_dict_ema"),
        ("an EMA in the same mapping", "model_ema"),
        ("an EMA in the same mapping", "model_ema.module"),
        ("student and teacher", "student"),
        ("an EMA beside the names", "ema"),
    ],
)
def test_another_part_is_taken_by_its_name(tmp_path: Path, kind: str, part: str) -> None:
    assert is_state(loaded(saved(WHOLE[kind], tmp_path), part), OTHER)


def test_a_part_deep_inside_has_the_end_of_its_name_too(tmp_path: Path) -> None:
    assert is_state(loaded(saved(HEADLESS["MoCo"], tmp_path), "encoder_k"), encoder(OTHER))


@pytest.mark.parametrize(
    ("content", "part", "said"),
    [
        (WHOLE["an EMA beside"], "ema", r"no part called 'ema'; expected one of\n  state_dict \(13 tensors\)"),
        (
            {"a": {"net": S}, "b": {"net": OTHER}},
            "net",
            r"several parts called 'net'; expected one of\n  a.net\n  b.net",
        ),
        (S, "stem.0.weight", "no part called"),
        (S, "", None),
    ],
)
def test_a_part_that_is_not_there_or_not_one_is_answered_with_those_there_are(
    tmp_path: Path, content: Any, part: str, said: str | None
) -> None:
    file = saved(content, tmp_path)
    if said is None:
        assert read_checkpoint(file, part).keys() == S.keys()
    else:
        with pytest.raises(ConfigError, match=said):
            read_checkpoint(file, part)


def test_two_parts_that_fit_alike_are_not_chosen_between(tmp_path: Path) -> None:
    file = saved({"first": S, "second": OTHER}, tmp_path)
    with pytest.raises(ConfigError, match=r"several matching networks.*--weights w.pth#PART:\n  first\n  second"):
        loaded(file)
    assert is_state(loaded(file, "second"), OTHER)


@pytest.mark.parametrize(
    "broken",
    [
        {n: t for n, t in S.items() if not n.startswith(("body", "fc"))},
        {n: t for n, t in S.items() if n != "fc.bias"},
        S | {"body.2.weight": torch.ones(6, 6)},
        S | {"body.0.weight": torch.ones(6, 7)},
        S | {"fc.weight": torch.ones(4, 7)},
        encoder(S) | {"head.weight": torch.ones(4, 6)},
        {n: t for n, t in S.items() if n != "stem.0.weight"},
        {n: t for n, t in S.items() if not n.startswith("stem.0")},
        {n: t for n, t in S.items() if not n.startswith("stem.1")},
        {n: t for n, t in S.items() if not n.startswith("body.1")},
        S | {"stem.0.weight": torch.ones(5, 1, 3, 3), "stem.0.bias": torch.ones(4)},
        S | {"ema.weight": torch.ones(3)},
    ],
)
def test_what_is_missing_more_or_otherwise_than_a_classifier_is_an_error(tmp_path: Path, broken: State) -> None:
    with pytest.raises(ConfigError, match="don't fit the model"):
        loaded(saved(broken, tmp_path))


@pytest.mark.parametrize("beside", ["copy.", "other.net."])
def test_plain_names_are_taken_before_those_under_a_prefix_that_fit_alike(tmp_path: Path, beside: str) -> None:
    assert is_state(loaded(saved(under(beside, OTHER) | S, tmp_path)), S)


class HeadFirst(nn.Module):
    """A network whose classifier is made before its body."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.head = nn.Linear(6, classes)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.Linear(6, 6))


@pytest.mark.parametrize("cut", [True, False])
def test_a_classifier_that_is_made_first_is_named_with_what_to_do(tmp_path: Path, cut: bool) -> None:
    tensors = HeadFirst(9).state_dict()
    file = saved({n: t for n, t in tensors.items() if not (cut and n.startswith("head."))}, tmp_path)
    with pytest.raises(
        ConfigError, match=r"Everything else matches.*but head comes before other layers.*let __init__ "
    ):
        load_weights(HeadFirst(), read_checkpoint(file), "w.pth")
    del tensors["body.0.weight"], tensors["body.0.bias"]
    with pytest.raises(ConfigError) as error:
        load_weights(HeadFirst(9), tensors, "w.pth")
    assert "Everything else matches" not in str(error.value)


def test_an_error_lists_ten_names_and_the_pattern_behind_the_rest(tmp_path: Path) -> None:
    big = nn.Sequential(OrderedDict((f"block{i}", nn.Sequential(*[nn.Linear(1, 1)] * 40)) for i in range(3)))
    file = saved({f"blocks.{i}.weight": torch.ones(1, 1) for i in range(300)}, tmp_path)
    with pytest.raises(ConfigError) as error:
        load_weights(big, read_checkpoint(file), "w.pth")
    lines = str(error.value).splitlines()
    assert len(lines) < 30 and lines[1] == "  missing: block0.0.weight"
    assert "  missing: 230 more, block1.* (80), block2.* (80), block0.* (70)" in lines
    assert "  unexpected: 290 more, blocks.10.*" in str(error.value)
    assert "the network's names begin with block0.* (80)" in lines[-1]


def test_safetensors_and_pytorch_files_are_told_by_what_they_hold_not_by_their_ending(tmp_path: Path) -> None:
    save_file(S, tmp_path / "model.bin")
    assert is_state(loaded(tmp_path / "model.bin"), S)
    assert is_state(loaded(saved(S, tmp_path, "model.safetensors")), S)
