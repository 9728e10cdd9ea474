"""How long a batch takes is measured on the device that is named."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from frostline.stages.backbones.calibrate import batch_size


def test_a_device_that_is_named_is_the_one_that_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[object] = []
    monkeypatch.setattr(torch, "get_device_module", lambda _: SimpleNamespace(synchronize=waited.append))
    batch_size._next(torch.device("cuda", 1), iter([torch.ones(1).numpy()]), 1)
    assert waited == [torch.device("cuda", 1)] * 2
