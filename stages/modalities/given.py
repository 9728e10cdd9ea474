"""Objects of Python as samples: what a PIL image, an array, a tensor, a text or a recording is to a modality.

==============================================================  ==========
object                                                          modality
==============================================================  ==========
``PIL.Image.Image``                                             image
uint8 array (h, w, 3), (h, w, 4), (h, w, 1) or (h, w)           image
uint8 tensor of torch (3, h, w) or (1, h, w)                    image
``str``                                                         text
float or integer array (d,)                                     vector
``Waveform``; ``(samples, rate)``;                              audio
``{"array": samples, "sampling_rate": rate}``
==============================================================  ==========
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.modalities.audio.waveform import AUDIO, RATES, Waveform
from frostline.stages.modalities.base import IMAGE, Sample
from frostline.stages.modalities.image.decode import to_rgb
from frostline.stages.modalities.text.modality import TEXT
from frostline.stages.modalities.vector.rows import fault_of

VECTOR = "vector"
_CHANNELS = (1, 3, 4)
_EXPECTED = {
    IMAGE: "a PIL image, or a uint8 array (height, width, 3)",
    TEXT: "a str",
    AUDIO: "a pair (samples, rate), or a dict with array and sampling_rate",
    VECTOR: "an array of numbers (d,)",
}


def modality_of(value: object) -> str | None:
    """Return the modality that an object is a sample of; None for an object that is no sample.

    >>> modality_of("a text"), modality_of(np.zeros((4, 4, 3), np.uint8)), modality_of(np.zeros(5)), modality_of(None)
    ('text', 'image', 'vector', None)
    """
    if isinstance(value, Image.Image):
        return IMAGE
    if isinstance(value, str):
        return TEXT
    if _recording(value) is not None:
        return AUDIO
    array = array_of(value)
    if array is None or array.dtype.kind not in "uif":
        return None
    return VECTOR if array.ndim == 1 else IMAGE if array.ndim in (2, 3) else None


def sample_of(value: object, modality: str) -> Sample:
    """Return an object as what the modality decodes to: an RGB image, a text, a ``Waveform``, float32 (d,).

    Raises DataError for an object of another kind, UnreadableSample for one that no network can be given.
    """
    found = modality_of(value)
    if found != modality or modality not in _READ:
        raise DataError(f"got {described(value)}; expected {_EXPECTED.get(modality, f'a sample of {modality}')}")
    return _READ[modality](value)


def content_of(sample: Sample, modality: str) -> bytes:
    """Return the bytes that a sample's digest is of; those of a text are its UTF-8, as of a cell of a table."""
    data: bytes
    if modality == IMAGE:
        data = b"RGB %d %d " % sample.size + sample.tobytes()
    elif modality == TEXT:
        data = sample.encode(errors="surrogatepass")
    elif modality == AUDIO:
        data = b"waveform %d " % sample.rate + sample.samples.astype("<f4").tobytes()
    else:
        data = b"float32 %d " % len(sample) + sample.astype("<f4").tobytes()
    return data


def described(value: object) -> str:
    """Return what an object is, in a few words for an error.

    >>> described(np.zeros((2, 3))), described(7)
    ('float64 array (2, 3)', "int '7'")
    """
    array = array_of(value)
    if array is not None:
        kind = "tensor" if _is_tensor(value) else "array"
        return f"{array.dtype} {kind} {array.shape}"
    return f"{type(value).__name__} {str(value)[:40]!r}" if value is not None else "None"


def array_of(value: object) -> NDArray[Any] | None:
    """Return an array, or a tensor of torch as one; None for anything else. Memory is shared where it can be."""
    if isinstance(value, np.ndarray):
        return value
    if _is_tensor(value):
        tensor: Any = value
        found: NDArray[Any] = tensor.detach().cpu().numpy()
        return found
    return None


def _is_tensor(value: object) -> bool:
    return type(value).__module__.partition(".")[0] in ("torch", "torchvision") and hasattr(value, "detach")


def _image(value: object) -> Image.Image:
    if isinstance(value, Image.Image):
        turned = ImageOps.exif_transpose(value)
        return to_rgb(value if turned is None else turned)
    array = array_of(value)
    assert array is not None
    if array.dtype != np.uint8:
        raise DataError(
            f"got {described(value)}; expected {_EXPECTED[IMAGE]}, without a transform: Frostline applies the "
            "preprocessing that belongs to the weights"
        )
    tensor = _is_tensor(value)
    if array.ndim == 3 and array.shape[0 if tensor else 2] not in _CHANNELS:
        raise DataError(f"got {described(value)}; expected {_turned(array, tensor=tensor)}")
    if tensor and array.ndim == 3:
        array = array.transpose(1, 2, 0)
    return to_rgb(Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array)))


def _turned(array: NDArray[Any], *, tensor: bool) -> str:
    """Return what was expected of an image whose channels are not where they should be, and how to put them there."""
    if tensor:
        how = "; for channels that come last call .permute(2, 0, 1)" if array.shape[2] in _CHANNELS else ""
        return f"a uint8 tensor (3, height, width){how}"
    how = "; for channels that come first call .transpose(1, 2, 0)" if array.shape[0] in _CHANNELS else ""
    return f"{_EXPECTED[IMAGE]}{how}"


def _text(value: object) -> str:
    text = str(value).strip()
    if not text:
        raise UnreadableSample("an empty text")
    return text


def _waveform(value: object) -> Waveform:
    found = _recording(value)
    assert found is not None
    samples, rate = np.asarray(found[0]), found[1]
    samples = samples.ravel() if samples.ndim == 2 and 1 in samples.shape else samples
    if samples.ndim != 1:
        how = f"average the channels, samples.mean(axis={int(np.argmin(samples.shape))})"
        raise DataError(f"got samples {samples.dtype} {samples.shape}; expected one channel, (n,): {how}")
    if samples.dtype.kind != "f":
        how = f"; divide them by {-np.iinfo(samples.dtype).min}" if samples.dtype.kind == "i" else ""
        raise DataError(f"got samples {samples.dtype} {samples.shape}; expected floats in -1..1{how}")
    if rate not in RATES:
        raise DataError(f"got a rate of {rate:g} Hz; expected a whole number, {RATES.start:,} to {RATES.stop - 1:,}")
    if not len(samples) or not np.isfinite(samples).all():
        raise UnreadableSample("no samples" if not len(samples) else "samples that are not finite")
    return Waveform(np.ascontiguousarray(samples, np.float32), int(rate))


def _vector(value: object) -> NDArray[np.float32]:
    array = array_of(value)
    assert array is not None
    with np.errstate(over="ignore"):
        row = np.ascontiguousarray(array, np.float32)
    if fault := fault_of(row):
        raise UnreadableSample(fault)
    return row


def _recording(value: object) -> tuple[NDArray[Any], float] | None:
    """Return the samples and the rate of a recording; None for an object that is none."""
    if isinstance(value, Waveform):
        return value.samples, value.rate
    if isinstance(value, Mapping) and {"array", "sampling_rate"} <= {*value}:
        return value["array"], int(value["sampling_rate"])
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int | float | np.integer | np.floating):
        samples = array_of(value[0])
        return None if samples is None or samples.ndim not in (1, 2) else (samples, float(value[1]))
    return None


_READ = {IMAGE: _image, TEXT: _text, AUDIO: _waveform, VECTOR: _vector}
