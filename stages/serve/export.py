"""Export: a backbone and a linear head as one file for other programs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from frostline.stages.errors import ConfigError
from frostline.stages.heads import Head, LinearHead
from frostline.stages.modalities.image.spec import View
from frostline.stages.records.sealed import canonical_json

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.backbone import Backbone

FORMATS = (".onnx", ".pt2")


class Exported(nn.Module):
    """Images to a head's confidence in each class.

    Takes preprocessed images, uint8 (n, height, width, 3), RGB; gives float32 (n, classes),
    averaged over the views: probabilities, or decision values where the head has none.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, features: nn.Module, head: LinearHead, views: Sequence[View]) -> None:
        super().__init__()
        self.features, self.views = features, tuple(views)
        self.normalized, self.probabilistic = head.normalized, head.probabilistic
        self.register_buffer("weight", torch.from_numpy(head.weight.copy()))
        self.register_buffer("bias", torch.from_numpy(head.bias.copy()))

    def forward(self, images: Tensor) -> Tensor:
        views = [images if view == "plain" else images.flip(2) for view in self.views]
        return torch.stack([self._confidence(view) for view in views]).mean(0)

    def _confidence(self, images: Tensor) -> Tensor:
        x = self.features(images)
        if self.normalized:
            length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
            x = x / torch.where(length > 0, length, 1.0)
        scores = x @ self.weight.T + self.bias
        return torch.softmax(scores, 1) if self.probabilistic else scores


def export(head: Head, backbone: Backbone, views: Sequence[View], record: Mapping[str, Any], file: Path) -> None:
    """Write a head on a portable fp32 backbone as ONNX (``.onnx``) or for ``torch.export.load`` (``.pt2``).

    ``record``: what to say of it inside the file, as JSON under the name ``frostline``. The batch
    may have any size; the image's is fixed. A file that is there stays until the new one is whole.
    Raises ConfigError: another ending; a head that is not linear; a network that can't be
    traced; ONNX's packages are not there.
    """
    if file.suffix not in FORMATS:
        raise ConfigError(f"can't export to {file.name!r}; wanted a name that ends in {' or '.join(FORMATS)}")
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"can't write {file}: there is no folder {file.absolute().parent}")
    if not isinstance(head, LinearHead):
        raise ConfigError("this head is not W and b; logreg, linear, ridge, lda, svm and centroid can be exported")
    whole = Exported(backbone.module(), head, views).eval()
    images = torch.zeros((2, *backbone.spec.size, 3), dtype=torch.uint8)
    text = canonical_json(dict(record)).decode()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporters' own deprecations
            with TemporaryDirectory(prefix=".", dir=file.absolute().parent) as place:
                (_to_onnx if file.suffix == ".onnx" else _to_torch)(whole, images, text, Path(place, file.name))
                for part in sorted(Path(place).iterdir(), reverse=True):  # what a large ONNX file refers to goes first
                    part.replace(file.with_name(part.name))
    except ConfigError:
        raise
    except OSError as error:
        raise ConfigError(f"can't write {file}: {error.strerror}") from error
    except Exception as error:  # whatever a network's code does while it is traced
        raise ConfigError(f"{backbone.spec.name} can't be exported: {type(error).__name__}: {error}") from error


def _program(whole: nn.Module, images: Tensor) -> torch.export.ExportedProgram:
    with torch.no_grad():
        return torch.export.export(whole, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))


def _to_torch(whole: nn.Module, images: Tensor, text: str, file: Path) -> None:
    torch.export.save(_program(whole, images), file, extra_files={"frostline": text})


def _to_onnx(whole: nn.Module, images: Tensor, text: str, file: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"an ONNX file needs {' and '.join(missing)}; `pip install 'frostline[onnx]'`")
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["confidence"]}
    program = torch.onnx.export(_program(whole, images), (images,), dynamo=True, verbose=False, **names)
    assert program is not None
    program.model.metadata_props["frostline"] = text
    program.save(str(file))
