"""Which networks run as a captured graph, and what is done with one that can't: on the CPU, by a made-up capture."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch

from frostline.stages.cuda import captures as room
from frostline.stages.cuda.captures import Captures
from support.extraction import tiny_backbone

GIVEN = {"pixels": torch.zeros(2, 32, 32, 3, dtype=torch.uint8)}


class OnGpu:
    """A backbone that says that it is on a GPU."""

    def __init__(self) -> None:
        self.device, self.backbone = torch.device("cuda", 0), tiny_backbone()

    def features(self, given: room.Tensors) -> torch.Tensor:
        return self.backbone.features(given)


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> list[str | int]:
    """Have torch's calls of a GPU do nothing; return the modes of waiting that were set."""
    modes: list[str | int] = []
    monkeypatch.setattr(torch, "get_device_module", lambda _: torch.cpu)
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    return modes


def failing(error: Exception, calls: list[int]) -> Callable[..., tuple[room.Run, torch.Tensor]]:
    def capture(*_: object) -> tuple[room.Run, torch.Tensor]:
        calls.append(1)
        raise error

    return capture


def test_a_captured_network_runs_as_its_graph(no_gpu: list[str | int]) -> None:
    graph = (lambda: None, torch.ones(1))
    assert Captures(lambda *_: graph).made_ready(OnGpu(), GIVEN, torch.cpu.Stream()) is graph
    assert no_gpu == ["error", 0]  # and the mode is as it was


def test_a_failed_capture_is_tried_once_and_the_network_runs_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []
    captures = Captures(failing(RuntimeError("captures_underway.empty() INTERNAL ASSERT FAILED\nmore"), calls))
    for _ in range(2):
        with caplog.at_level(logging.INFO, "frostline"), torch.inference_mode():
            run, result = captures.made_ready(OnGpu(), GIVEN, torch.cpu.Stream())
            result.zero_()
            run()
        assert torch.equal(result, torch.from_numpy(tiny_backbone().embed({"pixels": GIVEN["pixels"].numpy()})))
    assert calls == [1]
    (line,) = caplog.records
    assert line.levelno == logging.WARNING and "INTERNAL ASSERT FAILED" in line.message and "more" not in line.message


def test_a_network_that_waits_for_the_gpu_is_not_captured_and_later_ones_are(caplog: pytest.LogCaptureFixture) -> None:
    class Waits(OnGpu):
        passes = 0

        def features(self, given: room.Tensors) -> torch.Tensor:
            self.passes += 1
            if self.passes > room._WARM_UPS:  # torch raises this in the mode that is set then
                raise RuntimeError("called a synchronizing CUDA operation")
            return super().features(given)

    graph = (lambda: None, torch.ones(1))
    captures = Captures(lambda *_: graph)
    with caplog.at_level(logging.INFO, "frostline"):
        assert captures.made_ready(Waits(), GIVEN, torch.cpu.Stream()) is not graph
    assert "synchronizing" in caplog.text
    assert captures.made_ready(OnGpu(), GIVEN, torch.cpu.Stream()) is graph


def test_memory_that_runs_out_in_a_capture_is_raised_and_graphs_are_still_used(no_gpu: list[str | int]) -> None:
    calls: list[int] = []
    captures = Captures(failing(torch.OutOfMemoryError("CUDA out of memory."), calls))
    with pytest.raises(torch.OutOfMemoryError):
        captures.made_ready(OnGpu(), GIVEN, torch.cpu.Stream())
    assert not captures.failed


class Failed:
    """A capture that fails when it begins."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize("there", [True, False])
def test_a_failed_capture_raises_its_own_error_with_or_without_what_torch_does_not_promise(
    monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    ended: list[object] = []
    for name in ("CUDAGraph", "graph_pool_handle", "graph"):
        monkeypatch.setattr(torch.cuda, name, Failed if name == "graph" else lambda: (0, 1))
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", lambda *given: ended.append(given), raising=False)
    if not there:
        monkeypatch.delattr(torch._C, "_cuda_endAllocateToPool")
    with pytest.raises(RuntimeError, match="operation not permitted"):
        room._captured(lambda: None, torch.device("cuda", 1), None)
    assert ended == [(1, (0, 1))] * there
