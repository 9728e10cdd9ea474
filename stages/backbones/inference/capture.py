"""A network's computation as a captured CUDA graph or, if its code can't be captured, as it is written.

A capture that fails halfway leaves torch's allocator in a state in which later calls raise (torch 2.10 and 2.11,
pytorch#180395). So most networks that can't be captured are recognised before a capture begins, and after one that
fails nevertheless no other is tried in this process.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from frostline.stages.backbones.inference.batches import Network
from frostline.stages.backbones.optimize import end_capture
from frostline.stages.gpu import out_of_memory

log = logging.getLogger("frostline")
_WARM_UPS = 3  # libraries choose and set themselves up in the first calls, which must not be captured

Tensors = Mapping[str, Tensor]
Stream = Any  # torch.cuda's or, without a GPU, torch.cpu's
Run = Callable[[], object]


class Captures:
    """Captures networks; one object serves a process. ``capture`` is given by tests.

    ``failed``: whether a capture has failed halfway, after which networks run as they are written.
    """

    def __init__(self, capture: Callable[[Network, Tensors, Stream], tuple[Run, Tensor]] | None = None) -> None:
        self._capture = capture or _captured
        self.failed = False

    def made_ready(self, network: Network, given: Tensors, compute: Stream) -> tuple[Run, Tensor]:
        """Return what computes the features of what ``given`` holds, and where they then lie: on a GPU, a graph."""
        with torch.get_device_module(network.device).stream(compute):  # which is left even if a capture fails within
            for _ in range(_WARM_UPS if network.device.type == "cuda" else 1):
                result = network.features(given)
            graph = self._graph(network, given, compute) if network.device.type == "cuda" else None
        return graph or ((lambda: result.copy_(network.features(given))), result)

    def _graph(self, network: Network, given: Tensors, compute: Stream) -> tuple[Run, Tensor] | None:
        """Return a captured graph; None, with a line in the log, if the network can't be captured."""
        if self.failed:
            return None
        try:
            with _no_waiting():
                network.features(given)
        except RuntimeError as error:
            _tell(error, logging.INFO, "")
            return None
        try:
            return self._capture(network, given, compute)
        except RuntimeError as error:
            self.failed = not out_of_memory(error)
            _tell(error, logging.WARNING, "; so do all later networks of this process")
            return None


def _tell(error: RuntimeError, level: int, more: str) -> None:
    """Log why a network runs without a graph. Raises the error if memory ran out."""
    if out_of_memory(error):
        raise error
    message = str(error).partition("\n")[0]
    log.log(level, "the network can't be captured as a CUDA graph, so it runs without one%s: %s", more, message)


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


def _captured(network: Network, given: Tensors, compute: Stream) -> tuple[Run, Tensor]:
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    try:
        # Other threads decode; if a user's code uses the GPU there, that is no part of this
        with torch.cuda.graph(graph, pool=pool, stream=compute, capture_error_mode="thread_local"):
            result = network.features(given)
    except RuntimeError:
        end_capture(network.device.index or 0, pool)
        raise
    return graph.replay, result


CAPTURES = Captures()
