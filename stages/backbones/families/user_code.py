"""A network of the user's own: ``file.py:factory`` or ``pkg.module:factory``, without a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from frostline.stages.backbones.families.base import Family, LoadedModel
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.user_code.call import call_factory
from frostline.stages.user_code.locate import code_digest, factory_file

if TYPE_CHECKING:
    from torch import nn

_CLASSIFIER = "made the output"  # once any layer of its width passed for it: what that resolved to must not be recalled


class UserCode(Family):
    """What a function of the user's returns; nobody else may have it run."""

    summary = "your own network"
    versions = ("torch", "torchvision")

    def check(self, request: BackboneRequest) -> None:
        factory_file(request.name)
        if request.weights_file is None and not self.names_weights(request.weights):
            raise ConfigError(
                f"weights {request.weights!r} for {request.name}; expected a file (--weights FILE), "
                "or `factory` to use the weights that the factory returns"
            )

    def fingerprint(self, request: BackboneRequest) -> list[Any] | None:
        if request.weights_file is None:
            return None
        return [code_digest(request.name), *([] if request.layer else [_CLASSIFIER])]

    def load(self, request: BackboneRequest) -> LoadedModel:
        from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint, state_digest

        file = request.weights_file
        model = made_by_factory(request.name)
        if file is not None:
            load_weights(model, read_checkpoint(file, request.weights_part), file)
        weights = request.weights_digest or state_digest(model)
        return LoadedModel(model, weights, Preprocessing(), code_digest(request.name))

    def names_weights(self, word: str) -> bool:
        return word in ("random", "factory")

    def portable(self, name: str) -> str:
        return name.rpartition("/")[2]


USER_CODE = UserCode()


def made_by_factory(name: str) -> nn.Module:
    """Return the network that a factory returns, called without arguments at seed 0, without what it is wrapped in.

    A new network is expected at each call: it is frozen, and rebuilt. Raises ConfigError: see
    ``call_factory``; not a network.
    """
    import torch

    from frostline.stages.backbones.families.wrappers import network_in

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = call_factory(name)
    return network_in(made, name)
