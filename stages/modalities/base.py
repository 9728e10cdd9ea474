"""What a modality is (images, texts, recordings), and what makes of a sample a network's input.

A sample goes from bytes to a network in three steps, each a function of the one before alone::

    bytes ── Modality.decode ──► sample ── Transform.item ──► item ── stacked ──► batch
             RGB image                     {"pixels": uint8 (h, w, 3)}
             str                           {"input_ids": int64 (t,), "attention_mask": int64 (t,)}
             Waveform                      {"waveform": float32 (t,)}

A modality that is not the image's brings a folder beside ``image/``: a ``Modality`` behind the door
``frostline.modalities``, and a ``Transform`` that a family's network names as its spec's ``preprocessing``. What else
has to learn that an item is more than pixels, until the first such modality comes:

- ``frostline.stages.extract.loader``: ``Batch.stacked`` takes one array a row, and finishes images of different
  shapes; it has to group a block's rows by the shapes of their items and stack every named array.
- ``frostline.stages.extract.extraction``: ``_pixels``, ``first_pixels`` and ``image_bytes`` go by way of
  ``raw_or_pixels``, which leaves thumbnails to the device; items of other kinds come from ``Transform.item`` as they
  are.
- ``frostline.stages.backbones.inference``: ``Streamer.stream`` and ``Embedder.embed`` are given one uint8 array
  (b, h, w, 3); they have to be given arrays by name.
- ``frostline.stages.backbones``: ``read_spec`` of ``spec`` knows one transform, and ``size`` is an image's;
  ``families.base.LoadedModel`` has an image's ``Preprocessing``; ``load_backbone`` resolves a network on one image.
- ``frostline.pipeline.plan``: ``inputs.first_image``, ``numeric_mode`` (JPEG files) and ``resolve`` (an image's size).
- ``frostline.pipeline.settings``: ``--resize``, ``--crop``, ``--mean`` and ``--views`` are an image's.
- ``frostline.pipeline.serve`` and ``frostline.stages.serve``: files are decoded as images, and views averaged.
- ``frostline.stages.datasets.sources``: ``folder`` and ``csv`` name the image modality.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
Sample = Any  # what a modality decodes to; typed as such where one modality alone is meant
Item = Mapping[str, "NDArray[np.generic]"]


@dataclass(frozen=True)
class Preview:
    """A sample as a page shows it.

    Attributes:
        picture: a data URI of at most some ten thousand characters, or nothing.
        text: an excerpt, or what there is to say of the sample in words, or nothing.
        tiny: whether the picture has so few pixels that they had better be seen.
    """

    picture: str = ""
    text: str = ""
    tiny: bool = False


class Modality(ABC, Generic[S]):
    """One kind of sample: what its bytes mean.

    Attributes:
        name: its name behind the door ``frostline.modalities``, such as ``image``.
        extensions: the endings of its files, in lower case and with the dot.
    """

    name: str
    extensions: frozenset[str]

    @abstractmethod
    def decode(self, data: bytes, min_side: int | None = None) -> S:
        """Return the sample that bytes hold. Raises UnreadableSample, whose message is the reason alone.

        ``min_side``: a sample that can be decoded at a fraction of its size for less may be, as long as so much of it
        is left; images count the pixels of the shorter side. What can't be decoded so, comes whole.
        """

    @abstractmethod
    def find_fault(self, data: bytes) -> str | None:
        """Return why bytes can't be decoded, as far as that is seen at little cost, or None."""

    @abstractmethod
    def decoder(self, min_side: int | None = None) -> str:
        """Return what decodes and its version, as it stands in a feature key: all that may change a sample's values.

        A modality of which ``codec`` names kinds takes ``codecs`` too, a frozenset of those that there are: what they
        add is in the key of a split that has them, and of no other. What else its ``decode`` can be told, by name, it
        is told as well.
        """

    def readers(self) -> str:
        """Return what decodes, with the libraries that not every file needs: another answer, another look at faults."""
        return self.decoder()

    def codec(self, data: bytes) -> str | None:  # noqa: ARG002
        """Return the kind of a file that needs a library of its own, or is worth a remark; None for any other."""
        return None

    def remarks(self, codec: str, some: Sequence[bytes]) -> list[str]:  # noqa: ARG002
        """Return what is to be said of files of one kind, by a few of them."""
        return []

    @abstractmethod
    def preview(self, sample: S) -> Preview:
        """Return a sample as a page shows it."""

    def is_scaled(self, data: bytes, min_side: int) -> bool:  # noqa: ARG002
        """Return whether ``decode`` makes use of ``min_side``. Raises UnreadableSample."""
        return False


class Transform(Protocol[S_contra]):
    """How a sample becomes a network's input: a frozen dataclass, whose fields stand flat in the feature key.

    Whatever changes an item is in the fields: the tokenizer's digest, a rate in Hz, how long is too long. The shape of
    an item depends on its sample alone, never on the samples beside it: an image has the network's size, a text the
    number of its tokens rounded up to a bucket, a recording its length rounded up to a bucket, or its own length where
    padding would change the numbers. A batch stacks items of one shape, always the same number of rows; so a feature
    has the same bits in any company.
    """

    def item(self, sample: S_contra, view: Any = "plain") -> Item:
        """Return named arrays. Raises UnreadableSample for a sample that no network of this transform can be given.

        ``view``: ``plain``, or another look at the sample that the modality knows, such as ``hflip`` of images.
        """
