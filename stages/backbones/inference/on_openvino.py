"""Networks of images that OpenVINO runs on the CPU: ``--optimize openvino``.

OpenVINO gets all that lies between pixels and features as one graph, for a few images at a time: that many fit a
core's cache, and always the same number means the same bits in any batch. Each thread works on images of its own.
"""

from __future__ import annotations

import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings
from frostline.stages.backbones.inference.frozen import blamed, on_device
from frostline.stages.backbones.optimize import has_hooks
from frostline.stages.backbones.runtime import runtime_of
from frostline.stages.backbones.spec import Precision
from frostline.stages.errors import ConfigError, shortened
from frostline.stages.modalities.base import IMAGE, Arrays
from frostline.stages.modalities.registry import MODALITIES

if TYPE_CHECKING:
    from openvino import CompiledModel, Core, InferRequest, Model

_ROWS = 4
_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}
_ROUNDING: dict[Precision, float] = {"fp32": 1e-4, "bf16": 0.1}  # of noise; ``auto`` compares samples more strictly
_LONGEST = 300  # letters of what a library says
_REMEDY = "leave --optimize openvino out to run it with torch"


def check_openvino(name: str, modality: str, device: str) -> None:
    """Raise ConfigError unless OpenVINO is installed, and meant for a backbone's modality and device."""
    runtime_of("openvino")
    if modality != IMAGE:
        raise ConfigError(
            f"--optimize openvino is for images; {name} takes {MODALITIES.load(modality).noun}s; leave it out"
        )
    if device != "cpu":
        raise ConfigError(f"--optimize openvino runs on the CPU, but the device is {device}; add --device cpu")


def on_openvino(exact: Backbone, precision: Precision, some: NDArray[Any]) -> OpenVINOBackbone:
    """Return a backbone whose features OpenVINO computes in a precision.

    ``exact``: the same with torch, in fp32, without operations of this CPU's own; ``some``: images that both are tried
    with, (n, height, width, 3). Raises ConfigError: OpenVINO is not installed, can't convert the network, can't compute
    in the precision here, or gives other features.
    """
    runtime, name = runtime_of("openvino"), exact.spec.name
    if has_hooks(exact.network):
        raise ConfigError(f"{name} has hooks, which {runtime} would leave out; {_REMEDY}")
    try:
        found = OpenVINOBackbone(exact, precision, _converted(exact.module(), _filled(some[:_ROWS])))
        features = found.embed({"pixels": some})
    except Exception as error:  # the network's code may be anyone's
        if isinstance(error, ConfigError):
            raise
        said = shortened(f"{type(error).__name__}: {' '.join(str(error).split())}", _LONGEST)
        raise ConfigError(f"{runtime} can't run {name} ({said}); {_REMEDY}") from error
    _check(name, runtime, precision, exact.embed({"pixels": some}), features)
    return found


def _check(name: str, runtime: str, precision: Precision, exact: Embeddings, found: Embeddings) -> None:
    """Raise ConfigError unless features are those that torch computes in fp32, but for rounding."""
    off = float(np.linalg.norm(found - exact)) / max(float(np.linalg.norm(exact)), 1e-30)
    if not off <= _ROUNDING[precision]:
        raise ConfigError(
            f"{runtime} gives other features of {name} in {precision} than torch in fp32 (relative difference "
            f"{off:.0e}, expected at most {_ROUNDING[precision]:.0e}); {_REMEDY}"
        )


class OpenVINOBackbone(Backbone):
    """A network of images that OpenVINO runs, in as many threads as torch has.

    ``exact``: the same with torch, in fp32.
    """

    any_rows = True  # each request has the same number of rows, whatever a batch has

    def __init__(self, exact: Backbone, precision: Precision, model: Model) -> None:
        if precision not in _HINTS:
            raise ConfigError(f"--optimize openvino computes in fp32 or bf16, not in {precision}; see --precision")
        known = (exact.given, exact.licence, exact.prefix_tokens)
        super().__init__(exact.spec, exact.module(), exact.width, "fp32", "cpu", *known)
        self.exact, self.precision, self._model = exact, precision, model
        self._requests: _Requests | None = None

    @property
    def reference(self) -> Backbone:
        return self.exact

    def at(self, precision: Precision) -> OpenVINOBackbone:
        with blamed(f"{self.spec.name} can't run in {precision} on OpenVINO", "see --precision"):
            other = OpenVINOBackbone(self.exact, precision, self._model)
            other.embed(other.trial())
        return other

    def features(self, given: Mapping[str, Tensor]) -> Tensor:
        requests = self._ready()
        return torch.from_numpy(requests.finished(requests.begin(self._pixels(given))))

    @torch.inference_mode()
    def stream(self, batches: Iterable[Arrays], _limit: BatchLimit) -> Iterator[Embeddings]:
        """Yield what ``embed`` gives of each batch, in order, while OpenVINO works on the next ones.

        A batch's arrays may be written over as soon as the next one is asked for. Memory does not depend on the size of
        a batch, so there is nothing to halve.
        """
        requests, flowing = self._ready(), deque[_Rows]()
        for batch in batches:
            flowing.append(requests.begin(self._pixels(on_device(batch, self.device))))
            while requests.busy_after(flowing[0]):
                yield requests.finished(flowing.popleft())
        while flowing:
            yield requests.finished(flowing.popleft())

    def _pixels(self, given: Mapping[str, Tensor]) -> NDArray[Any]:
        return self.sized(given).permute(0, 2, 3, 1).contiguous().numpy()

    def _ready(self) -> _Requests:
        """Return the requests for as many threads as torch has now; new ones if one has failed."""
        threads = torch.get_num_threads()
        if self._requests is None or self._requests.failed or self._requests.threads != threads:
            self._requests = _Requests(_compiled(self._model, self.precision, threads), threads, self.width)
        return self._requests


class _Rows:
    """The features of a batch, and how many requests had been started when its last one was."""

    def __init__(self, features: Embeddings) -> None:
        self.features, self.end = features, 0


class _Requests:
    """A compiled network at work on several requests at once, which end in any order and are awaited in theirs.

    ``failed``: whether one has failed, after which all of them are gone.
    """

    def __init__(self, compiled: CompiledModel, threads: int, width: int) -> None:
        self.threads, self.failed, self._width = threads, False, width
        self._idle: list[InferRequest] = [compiled.create_infer_request() for _ in range(2 * threads)]
        self._busy = deque[tuple["InferRequest", Embeddings]]()
        self._started = self._done = 0

    def begin(self, pixels: NDArray[Any]) -> _Rows:
        """Start the requests of a batch, (n, height, width, 3), of which each has a copy of its own."""
        rows = _Rows(np.empty((len(pixels), self._width), np.float32))
        for start in range(0, len(pixels), _ROWS):
            if not self._idle:
                self._await_first()
            with self._all_or_none():
                request = self._idle.pop()
                request.start_async({0: _filled(pixels[start : start + _ROWS])}, share_inputs=False)
                self._busy.append((request, rows.features[start : start + _ROWS]))
            self._started += 1
        rows.end = self._started
        return rows

    def busy_after(self, rows: _Rows) -> bool:
        """Whether all threads have work left when a batch is done."""
        return self._started - rows.end >= self.threads

    def finished(self, rows: _Rows) -> Embeddings:
        """Return a batch's features, once they are all there."""
        while self._done < rows.end:
            self._await_first()
        return rows.features

    def _await_first(self) -> None:
        if self.failed:
            raise RuntimeError("a request of OpenVINO failed before this one")
        with self._all_or_none():
            request, features = self._busy[0]
            request.wait()
            features[:] = request.get_output_tensor(0).data[: len(features)]
            self._busy.popleft()
        self._idle.append(request)
        self._done += 1

    @contextmanager
    def _all_or_none(self) -> Iterator[None]:
        """Let go of all requests on an error, once none is at work any more."""
        try:
            yield
        except BaseException:
            for request, _ in self._busy:
                with suppress(Exception):
                    request.wait()
            self._busy.clear()
            self._idle.clear()
            self.failed = True
            raise


def _filled(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return images with black ones after them, as many as a request has."""
    if len(pixels) == _ROWS:
        return pixels
    return np.concatenate([pixels, np.zeros((_ROWS - len(pixels), *pixels.shape[1:]), pixels.dtype)])


@torch.no_grad()
def _converted(network: nn.Module, pixels: NDArray[Any]) -> Model:
    """Return OpenVINO's graph of a network: the images of a request to their features."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is fixed in a trace, such as the number of images
        trace: Callable[..., object] = torch.jit.trace
        traced = trace(network, torch.from_numpy(pixels), check_trace=False)
        model = _openvino().convert_model(traced, example_input=torch.from_numpy(pixels))
    model.reshape([*pixels.shape])
    return model


def _compiled(model: Model, precision: Precision, threads: int) -> CompiledModel:
    """Return a graph compiled for so many threads, each on requests of its own.

    Raises ConfigError if OpenVINO would compute in another precision, because the CPU has no instructions for this one.
    """
    hint = _HINTS[precision]
    how: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads}
    how["ENABLE_CPU_PINNING"] = False  # several processes of a machine would all be tied to the first cores
    compiled = _core().compile_model(model, "CPU", how)
    found = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if found != hint:
        raise ConfigError(f"OpenVINO computes in {found} on this CPU, not in {precision}; add --precision fp32")
    return compiled


@cache
def _core() -> Core:
    return _openvino().Core()


@cache
def _openvino() -> Any:
    """Return the package, imported without ``openvino_telemetry``, which sends statistics to its maker unasked."""
    absent = "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules
    if absent:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        if absent:
            del sys.modules["openvino_telemetry"]
    return openvino
