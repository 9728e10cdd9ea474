"""Export: a backbone and a head that is W and b as one file for other programs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.stages.errors import ConfigError
from frostline.stages.heads import Head, LinearHead
from frostline.stages.heads.linear_regression import LinearRegressionHead
from frostline.stages.heads.multi_label import MultiLabelHead
from frostline.stages.heads.scaling import ScaledHead, Scaler
from frostline.stages.modalities.image.spec import View
from frostline.stages.records.sealed import canonical_json

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.backbone import Backbone

FORMATS = (".onnx", ".pt2")
_SURE = 80.0  # the sigmoid is 1 and 0 to the last digit of float32
_HasWeights = LinearHead | MultiLabelHead | LinearRegressionHead


class Exported(nn.Module):
    """Images to a head's decision value in each class or label, or to its values.

    Takes preprocessed images, uint8 (n, height, width, 3), RGB; gives float32 (n, classes), averaged over the views:
    probabilities (a softmax over classes, a sigmoid of each label), decision values where the head has none, or the
    predicted numbers.
    """

    def __init__(self, features: nn.Module, head: Head, views: Sequence[View]) -> None:
        super().__init__()
        self.features, self.views = features, tuple(views)
        self.scale, linear = _scale_and_linear(head)
        self.linear = _Linear(linear)

    def forward(self, images: Tensor) -> Tensor:
        views = [images if view == "plain" else images.flip(2) for view in self.views]
        return torch.stack([self._decision_values(view) for view in views]).mean(0)

    def _decision_values(self, images: Tensor) -> Tensor:
        decision_values: Tensor = self.linear(self.scale(self.features(images)))
        return decision_values


class OnFeatures(nn.Module):
    """Features, float32 (n, d), to a head's float32 (n, classes), which are as those of ``Exported``."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.scale, linear = _scale_and_linear(head)
        self.linear = _Linear(linear)

    def forward(self, features: Tensor) -> Tensor:
        decision_values: Tensor = self.linear(self.scale(features))
        return decision_values


class _Linear(nn.Module):
    """Wx + b in float32, and what makes probabilities of that."""

    weight: Tensor
    bias: Tensor

    def __init__(self, head: _HasWeights) -> None:
        super().__init__()
        self.normalized = head.normalized
        self.probabilities = _probabilities(head)
        self.register_buffer("weight", torch.from_numpy(head.weight.astype(np.float32)))
        self.register_buffer("bias", torch.from_numpy(_bias(head)))

    def forward(self, x: Tensor) -> Tensor:
        scores = (_of_unit_length(x) if self.normalized else x) @ self.weight.T + self.bias
        decision_values: Tensor = self.probabilities(scores)
        return decision_values


class _Scale(nn.Module):
    """What ``Scaler`` does."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, scaler: Scaler) -> None:
        super().__init__()
        for name in ("mean", "deviation"):
            found = getattr(scaler, name)
            self.register_buffer(name, None if found is None else torch.from_numpy(found.copy()))

    def forward(self, x: Tensor) -> Tensor:
        return _of_unit_length(x) if self.mean is None else (x - self.mean) / self.deviation


def _bias(head: _HasWeights) -> NDArray[np.float32]:
    """Return the bias, of probabilities of labels without infinities: not every runtime has a sigmoid of those."""
    bias = head.bias.astype(np.float32)
    if isinstance(head, MultiLabelHead) and head.probabilistic:
        return np.nan_to_num(bias, posinf=_SURE, neginf=-_SURE)
    return bias


def _probabilities(head: _HasWeights) -> nn.Module:
    if not head.probabilistic:
        return nn.Identity()
    return nn.Sigmoid() if isinstance(head, MultiLabelHead) else nn.Softmax(1)


def _of_unit_length(x: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / torch.where(length > 0, length, 1.0)


def _scale_and_linear(head: Head) -> tuple[nn.Module, _HasWeights]:
    """Return what is done to features, and the head that is W and b. Raises ConfigError for others."""
    scale, inner = (_Scale(head.scaler), head.head) if isinstance(head, ScaledHead) else (nn.Identity(), head)
    if not isinstance(inner, _HasWeights):
        raise ConfigError("this head is not linear; logreg, linear, ridge, lda, svm and centroid can be exported")
    return scale, inner


def export(head: Head, backbone: Backbone, views: Sequence[View], record: Mapping[str, Any], file: Path) -> None:
    """Write a head on a portable fp32 backbone as ONNX (``.onnx``) or for ``torch.export.load`` (``.pt2``).

    ``record``: what to say of it inside the file, as JSON under the name ``frostline``. The batch
    may have any size; the image's is fixed. A file that is there stays until the new one is whole.
    Raises ConfigError: another ending; a head that is not linear; a network that can't be
    traced; ONNX's packages are not there.
    """
    whole = Exported(backbone.module(), head, views).eval()
    images = torch.zeros((2, *backbone.spec.size, 3), dtype=torch.uint8)
    _write(whole, {"images": images}, record, file, backbone.spec.name)


def export_on_features(head: Head, record: Mapping[str, Any], file: Path) -> None:
    """Write a head alone, on features that come from elsewhere: float32 (batch, width of the head), any batch size.

    ``record`` and errors are as for ``export``.
    """
    _write(OnFeatures(head).eval(), {"features": torch.zeros((2, head.width))}, record, file, "the head")


def _write(whole: nn.Module, given: Mapping[str, Tensor], record: Mapping[str, Any], file: Path, name: str) -> None:
    """Write a module; ``given``: an example of what it takes, by its name; ``name``: what an error calls the module."""
    _check_place(file)
    text = canonical_json(dict(record)).decode()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporters' own deprecations
            with TemporaryDirectory(prefix=".", dir=file.absolute().parent) as place:
                (_to_onnx if file.suffix == ".onnx" else _to_torch)(whole, given, text, Path(place, file.name))
                for part in sorted(Path(place).iterdir(), reverse=True):  # what a large ONNX file refers to goes first
                    part.replace(file.with_name(part.name))
    except ConfigError:
        raise
    except OSError as error:
        raise ConfigError(f"can't write {file}: {error.strerror}") from error
    except Exception as error:  # whatever a network's code does while it is traced
        raise ConfigError(f"{name} can't be exported: {type(error).__name__}: {error}") from error


def _check_place(file: Path) -> None:
    if file.suffix not in FORMATS:
        raise ConfigError(f"can't export to {file.name!r}; expected a name that ends in {' or '.join(FORMATS)}")
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"can't write {file}: there is no folder {file.absolute().parent}")


def _program(whole: nn.Module, given: Mapping[str, Tensor]) -> torch.export.ExportedProgram:
    with torch.no_grad():
        return torch.export.export(whole, tuple(given.values()), dynamic_shapes=({0: torch.export.Dim("batch")},))


def _to_torch(whole: nn.Module, given: Mapping[str, Tensor], text: str, file: Path) -> None:
    torch.export.save(_program(whole, given), file, extra_files={"frostline": text})


def _to_onnx(whole: nn.Module, given: Mapping[str, Tensor], text: str, file: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"an ONNX file needs {' and '.join(missing)}; `pip install 'frostline[onnx]'`")
    names: dict[str, Any] = {"input_names": list(given), "output_names": ["confidence"]}
    program = torch.onnx.export(_program(whole, given), tuple(given.values()), dynamo=True, verbose=False, **names)
    assert program is not None
    program.model.metadata_props["frostline"] = text
    program.save(str(file))
