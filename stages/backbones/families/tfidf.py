"""No network: texts as weights of their words. ``tfidf:FILE`` is a vocabulary that a run learned, as its baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from frostline.stages.backbones.families.base import Family, LoadedModel
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.text.modality import TEXT
from frostline.stages.modalities.text.terms import TermWeights, read_vocabulary

PREFIX = "tfidf"


class TfIdf(Family):
    """TF-IDF of words and pairs of words, by the vocabulary of training texts: what a network must be better than."""

    summary = "no network: TF-IDF of texts, with a vocabulary learned by a run: tfidf:FILE"
    versions = ("torch",)
    takes = TEXT

    def check(self, request: BackboneRequest) -> None:
        if request.weights != "DEFAULT" or request.layer not in (None, OUTPUT) or request.pool not in (None, "none"):
            raise ConfigError(f"weights, layer or pool of {PREFIX}:{request.name}, which has none; leave them out")
        if request.preprocessing:
            named = ", ".join(request.preprocessing)
            raise ConfigError(f"{named} with {PREFIX}:{request.name}, which always uses whole texts; leave it out")
        read_vocabulary(Path(request.name).expanduser())

    def fingerprint(self, request: BackboneRequest) -> list[Any]:
        return [read_vocabulary(Path(request.name).expanduser()).digest]

    def load(self, request: BackboneRequest) -> LoadedModel:
        from torch import nn

        class Given(nn.Module):
            def forward(self, weights: Any) -> Any:
                return weights

        vocabulary = read_vocabulary(Path(request.name).expanduser())
        how = TermWeights(vocabulary.digest, vocabulary)
        return LoadedModel(Given(), "", how, layer=OUTPUT, pool="none", width=len(vocabulary.terms))

    def trusted(self, name: str) -> bool:
        """A vocabulary is JSON and runs no code."""
        try:
            read_vocabulary(Path(name).expanduser())
        except ConfigError:
            return False
        return True

    def names_weights(self, word: str) -> bool:
        return word == "DEFAULT"

    def portable(self, name: str) -> str:
        return Path(name).stem


FAMILY = TfIdf()
