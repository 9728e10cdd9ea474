"""What every family of backbones is: names that mean networks, and how to load one."""

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
"""Names that need no prefix, with the family of each; any other name without one is torchvision's."""


@dataclass(frozen=True)
class LoadedModel:
    """A network on the CPU with its weights loaded, and what its family knows of it.

    ``module``: float tensors (batch, 3, height, width), scaled as ``preprocessing`` says, to anything. Of another
    modality: called with a batch of items, its tensors by name, it gives the features, float (batch, d), themselves;
    the family has done what the request's ``layer``, ``pool`` and ``preprocessing`` ask for, has refused what can't be,
    and says all of ``layer``, ``pool`` and ``width``: the words by which a request gets the same again.

    ``weights``: the
    SHA-256 of their bytes. ``code``: what else makes its numbers, such as the digest of the user's source; mostly
    empty. ``layer``: the default layer, ``output`` where the module gives the features themselves, or None for the
    input of the final classifier, found by a forward pass. ``pool``: the default layer's pooling, None where its shape
    says it. ``width``: how many features the default layer and pooling give, if that is known; others are refused.

    ``name``: what keys call it, without the prefix, where that is not the name that was asked for: one network under
    two names has one key. ``licence``: of the weights, as their publisher names it; recorded beside the features.
    ``prefix_tokens``: how many tokens come before those of the patches; ``class_token``: whether the first of them is
    one. ``own_transform``: the library's own preprocessing; ``preprocessing`` is checked against it, and it takes its
    place where they differ by more than a grey level.
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
    """What is known of a name before its network is loaded; None, or nothing, where that is not known.

    ``width``: how many features it gives. ``size``: height and width of its images. ``here``: whether its weights are
    on this machine.
    """

    width: int | None = None
    size: tuple[int, int] | None = None
    licence: str = ""
    here: bool | None = None


@runtime_checkable
class Family(Protocol):
    """Backbones of one origin: ``PREFIX:NAME`` is the name that the family behind PREFIX knows as NAME.

    To be inherited from, for the defaults. All requests have names without the prefix. Only ``load`` may import what
    is heavy (torch, or the family's own library): a run whose features are cached calls the rest each time.

    ``summary``: what it holds, in a line. ``versions``: the distributions whose versions may change a feature.
    ``extra``: the extra of Frostline that installs them, if they don't come with it. ``takes``: the modality of the
    samples that all its networks take; empty where that is up to the network.
    """

    summary: str
    versions: tuple[str, ...] = ("torch",)
    extra: str = ""
    takes: str = ""

    def taken_by(self, _name: str, /) -> str:
        """Return the modality of the samples that a name's network takes; empty where only the network tells."""
        return self.takes

    def names(self) -> Iterable[str]:
        """Return the names that it is known to have, in order; others may do as well."""
        return ()

    def describe(self, _name: str, /) -> Encoder:
        """Return what is known of one of ``names``. Nothing is downloaded; a library may be imported."""
        return Encoder()

    def check(self, request: BackboneRequest, /) -> None:
        """Raise ConfigError for names and weights that can't be, as far as that is seen without loading them."""

    def fingerprint(self, request: BackboneRequest, /) -> list[Any] | None:
        """Return JSON values that change whenever what the name stands for does, such as digests of its files.

        The request itself, the bytes of a file of weights and ``versions`` are seen to. None if nothing can be known
        without building the network, which is then built each time.
        """

    def load(self, request: BackboneRequest, /) -> LoadedModel:
        """Return the network that a request names. Raises ConfigError, as ``check``, and where it can't be had.

        Two calls for equal requests give networks of the same numbers. No code that comes with weights is run.
        """

    def trusted(self, _name: str, /) -> bool:
        """Whether a head, which may be a stranger's, may have a name loaded though its user has not named it."""
        return False

    def names_weights(self, word: str, /) -> bool:
        """Whether a word has the form of the name of weights; all others are files. No file is looked at."""
        return word in ("DEFAULT", "random")

    def portable(self, name: str, /) -> str:
        """Return a name as a key has it: alike wherever its files lie."""
        return name

    def width(self, _spec: BackboneSpec, /) -> int | None:
        """Return how many features a resolved backbone gives, if that is known without loading it."""
        return None


def check_bare(request: BackboneRequest, family: str) -> None:
    """Raise ConfigError unless a request is for one of a family's bare names, which have no weights to choose."""
    names = [name for name, owner in BARE_NAMES.items() if owner == family]
    if request.name not in names:
        raise unknown_name("backbone", request.name, names)
    if request.weights != "DEFAULT":
        raise ConfigError(f"weights {request.weights!r} for {request.name}, which has none; leave --weights out")
