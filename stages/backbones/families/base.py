"""The contract of a family of backbones: the names of its networks, and how to load one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.modalities.base import Transform
from frostline.stages.modalities.image.spec import LibraryTransform

if TYPE_CHECKING:
    from torch import nn

BARE_NAMES = {"resnet8-cifar10": "shipped", "pixels": "identity", "vectors": "identity", "spectrum": "identity"}
"""Names without a prefix, each with its family; any other name without a prefix belongs to torchvision."""


@dataclass(frozen=True)
class LoadedModel:
    """A network on the CPU with its weights loaded, and the facts that its family knows about it.

    Attributes:
        module: for images, a module from float32 (batch, 3, height, width), scaled as ``preprocessing`` says, to any
            output; the layer is taken from it. For other modalities, a module from a batch of items (tensors by name)
            to the features, float (batch, d). Such a family applies the request's ``layer``, ``pool`` and
            ``preprocessing`` itself, refuses values that are not possible, and sets all of ``layer``, ``pool`` and
            ``width``: a request with these words gets the same network again.
        weights: the SHA-256 of their bytes.
        preprocessing: the transform from a sample to the network's input.
        code: anything else that changes its numbers, such as the digest of the user's source; usually empty.
        layer: the default layer; ``output`` if the module returns the features; None for the input of the final
            classifier, which a forward pass finds.
        pool: the pooling of the default layer; None if its shape allows only one.
        width: the number of features of the default layer and pooling, if known; any other number is refused.
        name: the name in keys, without the prefix, if it differs from the requested name. A network with two names has
            one key.
        licence: the licence of the weights, as given by their publisher; recorded with the features.
        prefix_tokens: the number of tokens before those of the patches.
        class_token: whether the first of these is a class token.
        own_transform: the library's own preprocessing. ``preprocessing`` is checked against it, and replaced by it if
            they differ by more than one grey level.
    """

    module: nn.Module
    weights: str
    preprocessing: Transform[Any]
    code: str = ""
    layer: str | None = None
    pool: str | None = None
    width: int | None = None
    name: str = ""
    licence: str = ""
    prefix_tokens: int | None = None
    class_token: bool = True
    own_transform: LibraryTransform | None = None


@dataclass(frozen=True)
class Encoder:
    """The facts about a name before its network is loaded; None, or an empty text, if unknown.

    ``width``: its number of features. ``size``: height and width of its images, in pixels. ``licence``: of its
    weights. ``here``: whether its weights are on this machine.
    """

    width: int | None = None
    size: tuple[int, int] | None = None
    licence: str = ""
    here: bool | None = None


@runtime_checkable
class Family(Protocol):
    """Backbones from one library: for ``PREFIX:NAME``, the family with that prefix gets a request with the name NAME.

    Inherit from it to get the defaults. All requests have names without the prefix. Only ``load`` may import heavy
    packages (torch, or the family's own library): a run whose features are cached calls all other methods each time.

    Attributes:
        summary: one line on the networks that it offers.
        versions: the distributions whose versions can change a feature.
        extra: the extra of Frostline that installs them, if the base installation does not.
        takes: the modality of the samples that all its networks take; empty if this depends on the network.
    """

    summary: str
    versions: tuple[str, ...] = ("torch",)
    extra: str = ""
    takes: str = ""

    def taken_by(self, _name: str, /) -> str:
        """Return the modality of the samples that a network takes, by name; empty if only the loaded network knows."""
        return self.takes

    def names(self) -> Iterable[str]:
        """Return the known names, in order. Other names may be valid too."""
        return ()

    def describe(self, _name: str, /) -> Encoder:
        """Return the facts about one of ``names``. Nothing is downloaded, but a library may be imported."""
        return Encoder()

    def check(self, request: BackboneRequest, /) -> None:
        """Raise ConfigError for names and weights that are not valid, as far as this is known without loading."""

    def fingerprint(self, request: BackboneRequest, /) -> list[Any] | None:
        """Return JSON values that change whenever the network behind the name does, such as digests of its files.

        The request itself, the bytes of a weights file and ``versions`` are added by the caller. Return None if this
        is not known without building the network; it is then built in every run.
        """

    def load(self, request: BackboneRequest, /) -> LoadedModel:
        """Return the network of a request. Raises ConfigError, like ``check``, and if the weights can't be loaded.

        Two calls with equal requests return networks with the same numbers. Code stored with weights is never run.
        """

    def trusted(self, _name: str, /) -> bool:
        """Whether a head file from an untrusted source may have this name loaded without the user naming it."""
        return False

    def names_weights(self, word: str, /) -> bool:
        """Whether a word is the name of weights; any other word is a file. No file is opened."""
        return word in ("DEFAULT", "random")

    def portable(self, name: str, /) -> str:
        """Return a name as used in keys: the same wherever its files are."""
        return name

    def width(self, _spec: BackboneSpec, /) -> int | None:
        """Return the number of features of a resolved backbone; None if that is unknown before loading it."""
        return None


def check_bare(request: BackboneRequest, family: str) -> None:
    """Raise ConfigError unless a request is for one of a family's bare names, which have no weights to choose."""
    names = [name for name, owner in BARE_NAMES.items() if owner == family]
    if request.name not in names:
        raise unknown_name("backbone", request.name, names)
    if request.weights != "DEFAULT":
        raise ConfigError(f"weights {request.weights!r} for {request.name}, which has none; leave --weights out")
