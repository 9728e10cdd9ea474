"""Work, such as a network's pass, as a captured CUDA graph or, if its code can't be captured, as it is written.

A capture that fails halfway leaves torch's allocator in a state in which later calls raise (torch 2.10 and 2.11,
pytorch#180395). So most work that can't be captured is recognised before a capture begins, and after one that
fails nevertheless no other is tried in this process.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from frostline.stages.cuda.pool import end_capture
from frostline.stages.gpu import out_of_memory

log = logging.getLogger("frostline")
_WARM_UPS = 3  # libraries choose and set themselves up in the first calls, which must not be captured

T = TypeVar("T")
Tensors = Mapping[str, Tensor]
Stream = Any  # torch.cuda's or, without a GPU, torch.cpu's
Run = Callable[[], object]


class Network(Protocol):
    """A backbone with a device. ``features``: of tensors that are there, float32 (batch, d)."""

    device: torch.device

    def features(self, given: Tensors, /) -> Tensor: ...


class Captures:
    """Captures work; one object serves a process. ``capture`` is given by tests.

    ``failed``: whether a capture has failed halfway, after which all work runs as it is written.
    """

    def __init__(self, capture: Callable[..., tuple[Run, Any]] | None = None) -> None:
        self._capture = capture or _captured
        self.failed = False

    def made_ready(self, network: Network, given: Tensors, compute: Stream) -> tuple[Run, Tensor]:
        """Return what computes the features of what ``given`` holds, and where they then lie: on a GPU, a graph."""
        with torch.get_device_module(network.device).stream(compute):  # which is left even if a capture fails within
            for _ in range(_WARM_UPS if network.device.type == "cuda" else 1):
                result = network.features(given)
            work, graph = partial(network.features, given), None
            if network.device.type == "cuda":
                graph = self.graph(work, network.device, compute, "the network")
        return graph or ((lambda: result.copy_(network.features(given))), result)

    def graph(self, work: Callable[[], T], device: torch.device, stream: Stream, what: str) -> tuple[Run, T] | None:
        """Return a captured graph of some work, and what that returns; to be called within the stream.

        None, with a line in the log that says of ``what``, if it can't be captured. The work is done once meanwhile, or
        halfway where it fails. Raises what means that memory ran out.
        """
        if self.failed:
            return None
        try:
            with _no_waiting():
                work()
        except RuntimeError as error:
            _tell(error, logging.INFO, what, "")
            return None
        try:
            return self._capture(work, device, stream)
        except RuntimeError as error:
            self.failed = not out_of_memory(error)
            _tell(error, logging.WARNING, what, "; so does all that this process would capture later")
            return None


def _tell(error: RuntimeError, level: int, what: str, more: str) -> None:
    """Log why something runs without a graph. Raises the error if memory ran out."""
    if out_of_memory(error):
        raise error
    message = str(error).partition("\n")[0]
    log.log(level, "%s can't be captured as a CUDA graph, so it runs without one%s: %s", what, more, message)


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Raise RuntimeError if code waits for the GPU, as ``.item()`` does: nearly all that can't be captured does so."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls this mode a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def _captured(work: Callable[[], T], device: torch.device, stream: Stream) -> tuple[Run, T]:
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    try:
        # Other threads decode; if a user's code uses the GPU there, that is no part of this
        with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            result = work()
    except RuntimeError:
        end_capture(device.index or 0, pool)
        raise
    return graph.replay, result


CAPTURES = Captures()
