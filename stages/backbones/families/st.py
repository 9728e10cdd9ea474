"""Encoders of sentence-transformers: ``st:FOLDER``, or ``st:ORG/MODEL`` of the hub."""

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
from frostline.stages.backbones.families.huggingface.tokenizer import tokenizer_digest
from frostline.stages.backbones.families.sentences.folder import MODULES, read_sentences
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.text.modality import TEXT


class SentenceTransformers(Family):
    """The folder's own modules, from tokens to a vector: its pooling, its projections, its normalisation, its prompt.

    They are computed here, as ``SentenceTransformer.encode`` does; that library is not needed.
    """

    summary = "sentence-transformers encoders, from a folder or the hub: st:FOLDER, st:ORG/MODEL"
    versions = ("torch", "transformers", "tokenizers")
    extra = "hf"
    takes = TEXT

    def names(self) -> Iterable[str]:
        return (name for name in cached_names() if is_repository(name) and _has_modules(name))

    def describe(self, name: str) -> Encoder:
        folder = cached(name, "st")
        return Encoder(licence=folder.licence() if folder else "", here=folder is not None)

    def check(self, request: BackboneRequest) -> None:
        if request.weights != "DEFAULT":
            raise ConfigError(
                f"weights {request.weights!r} for st:{request.name}; only its own weights are supported: leave "
                "--weights out"
            )
        if request.layer not in (None, OUTPUT):
            raise ConfigError(
                f"layer {request.layer} of st:{request.name}; only its output is available: leave --layer out"
            )
        if folder := find_folder(request.name, "st"):
            read_sentences(folder)

    def fingerprint(self, request: BackboneRequest) -> list[Any] | None:
        folder = find_folder(request.name, "st")
        if folder is None:
            return None
        found = read_sentences(folder)
        own = found.transformer
        return [*files_known(own), tokenizer_digest(own), found.known, found.weights()]

    def load(self, request: BackboneRequest) -> LoadedModel:
        from frostline.stages.backbones.families.sentences.load import from_folder

        return from_folder(request)

    def trusted(self, name: str) -> bool:
        """Only what the user has downloaded from the hub: no folder, for a stranger's head must not choose one."""
        return is_repository(name) and not Path(name).exists() and cached(name) is not None

    def names_weights(self, word: str) -> bool:
        return word == "DEFAULT"

    def portable(self, name: str) -> str:
        return name if is_repository(name) and not Path(name).is_dir() else Path(name).expanduser().resolve().name


def _has_modules(name: str) -> bool:
    try:
        folder = cached(name, "st")
        return folder is not None and folder.file(MODULES) is not None
    except ConfigError:
        return False


FAMILY = SentenceTransformers()
