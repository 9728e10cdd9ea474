"""Models of transformers: ``hf:FOLDER``, or ``hf:ORG/MODEL`` of the hub."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from frostline.stages.backbones.families.base import Encoder, Family, LoadedModel
from frostline.stages.backbones.families.huggingface.folder import (
    cached,
    cached_names,
    files_known,
    find_folder,
    is_repository,
)
from frostline.stages.backbones.families.huggingface.said_taken import taken_by
from frostline.stages.backbones.families.huggingface.text_pools import POOLS
from frostline.stages.backbones.families.huggingface.tokenizer import tokenizer_digest
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.text.modality import TEXT


class HuggingFace(Family):
    """A model without its head, with the weights of its folder, those of a file, or random ones.

    Of texts its feature is what ``--pool`` says; of images the pooled output, if its weights were in the folder; of
    models of images and texts, that of the images before the ``projection``.
    """

    summary = "Hugging Face transformers models, from a folder or the hub: hf:FOLDER, hf:facebook/dinov2-base"
    versions = ("torch", "transformers", "tokenizers")
    extra = "hf"

    def taken_by(self, name: str) -> str:
        folder = find_folder(name)
        return taken_by(folder) if folder else ""

    def names(self) -> Iterable[str]:
        return (name for name in cached_names() if is_repository(name) and cached(name))

    def describe(self, name: str) -> Encoder:
        folder = cached(name)
        return Encoder(licence=folder.licence() if folder else "", here=folder is not None)

    def check(self, request: BackboneRequest) -> None:
        if request.weights_file is None and not self.names_weights(request.weights):
            raise ConfigError(
                f"weights {request.weights!r} for hf:{request.name}; expected DEFAULT (its own), random or FILE"
            )
        if request.modality == TEXT:
            _check_text(request)
        if folder := find_folder(request.name):
            folder.config()

    def fingerprint(self, request: BackboneRequest) -> list[Any] | None:
        folder = find_folder(request.name)
        if folder is None:
            return None
        return [*files_known(folder), *([tokenizer_digest(folder)] if request.modality == TEXT else [])]

    def load(self, request: BackboneRequest) -> LoadedModel:
        from frostline.stages.backbones.families.huggingface.load import from_folder

        return from_folder(request)

    def trusted(self, name: str) -> bool:
        """Only what the user has downloaded from the hub: no folder, for a stranger's head must not choose one."""
        return is_repository(name) and not Path(name).exists() and cached(name) is not None

    def portable(self, name: str) -> str:
        return name if is_repository(name) and not Path(name).is_dir() else Path(name).expanduser().resolve().name


def _check_text(request: BackboneRequest) -> None:
    """Raise ConfigError for what can't be asked of a model of texts, for which no pooling is the usual one."""
    if request.layer not in (None, OUTPUT):
        raise ConfigError(
            f"layer {request.layer} of hf:{request.name}; for texts only the last hidden state is available"
        )
    if request.pool not in POOLS:
        found = "no --pool" if request.pool is None else f"--pool {request.pool}"
        raise ConfigError(
            f"{found} for the texts of hf:{request.name}; expected --pool {', '.join(POOLS)}, the one that the "
            "model's authors use. If the folder was saved by sentence-transformers, st:NAME reads the pooling "
            "from it"
        )


FAMILY = HuggingFace()
