"""What a device computes in hardware is what torch says of it."""

from __future__ import annotations

import pytest
import torch

from frostline.stages.capabilities import cpu_capabilities, has_bf16


@pytest.mark.parametrize(("known", "fast"), [({"avx512_bf16": True}, True), ({"amx_tile": True}, True), ({}, False)])
def test_a_cpu_has_bf16_if_it_has_instructions_for_it(
    known: dict[str, bool], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, **known}, raising=False)
    assert has_bf16("cpu") == fast and cpu_capabilities()["avx2"]


def test_a_gpu_that_only_emulates_bf16_does_not_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device:
        def __init__(self, name: str) -> None:
            assert name == "cuda:1"

        def __enter__(self) -> None: ...
        def __exit__(self, *error: object) -> None: ...

    monkeypatch.setattr(torch.cuda, "device", Device)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert not has_bf16("cuda:1")
