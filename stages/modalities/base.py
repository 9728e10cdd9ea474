"""What a modality is (images, texts, recordings), and what makes of a sample a network's input.

A sample goes from bytes to a network in three steps, each a function of the one before alone::

    bytes ── Modality.decode ──► sample ── Transform.item ──► item ── stacked ──► batch
             RGB image                     {"pixels": uint8 (h, w, 3)}
             str                           {"input_ids": int64 (t,), "attention_mask": int64 (t,)}
             Waveform                      {"waveform": float32 (t,)}

A modality that is not the image's brings a folder beside ``image/``: a ``Modality`` behind the door
``frostline.modalities``, and a ``Transform`` that its families' networks name as their spec's ``preprocessing``.
Nothing else has to learn of it: the loader, the networks' batches, the plan and the records take arrays by name, of any
shape.
``docs/extend.md`` shows one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from numpy.typing import NDArray

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
Sample = Any  # what a modality decodes to; typed as such where one modality alone is meant
Item = Mapping[str, "NDArray[Any]"]
"""What a network is given of one sample: arrays by name."""
Arrays = Mapping[str, "NDArray[Any]"]
"""A batch: arrays by name whose first axis counts the rows, stacked from items of one shape."""
IMAGE = "image"
"""The modality of what does not say its own."""
LATER = {"later": True}
"""Metadata of a transform's field that came later: keys and records of before know no such field."""


@dataclass(frozen=True)
class Preview:
    """A sample as a page shows it.

    Attributes:
        picture: a data URI of at most some ten thousand characters, or nothing.
        text: an excerpt, or what there is to say of the sample in words, or nothing.
        tiny: whether the picture has so few pixels that they should be drawn as squares.
        sound: a data URI of its first seconds as audio, at most some hundred thousand characters, or nothing.
    """

    picture: str = ""
    text: str = ""
    tiny: bool = False
    sound: str = ""


@dataclass(frozen=True, eq=False)
class Held:
    """One of several samples that a file holds: what it is called, and its bytes. Those raise UnreadableSample."""

    name: str
    content: Callable[[], bytes]


class Modality(ABC, Generic[S]):
    """One kind of sample: what its bytes mean.

    Attributes:
        name: its name behind the door ``frostline.modalities``, such as ``image``.
        extensions: the endings of its files, in lower case and with the dot.
        noun: what one sample is called in a message, such as ``image``; several have an s.
        settings: those fields of its transform that a user may choose, by the names of their settings. Families get
            what was chosen as ``BackboneRequest.preprocessing``. A setting of another modality is refused.
        max_bytes: files that are larger are not read, but unreadable; None: all are read.
    """

    name: str
    extensions: frozenset[str]
    noun: str = "sample"
    settings: tuple[str, ...] = ()
    max_bytes: int | None = None

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

    def trimmed(self, data: bytes) -> bytes:
        """Return a file's bytes without those that say nothing of the sample: the rest is what its digest is of."""
        return data

    def held_in(self, file: Path, named: str | None = None) -> Sequence[Held] | None:  # noqa: ARG002
        """Return the samples in a file of ``extensions`` that holds many; None where a file is a sample.

        ``named``: in which of its arrays or columns they are, where the user says so. Raises DataError where it
        holds none.
        """
        return None

    def is_scaled(self, data: bytes, min_side: int) -> bool:  # noqa: ARG002
        """Return whether ``decode`` makes use of ``min_side``. Raises UnreadableSample."""
        return False

    @abstractmethod
    def read_transform(self, fields: Mapping[str, Any]) -> Transform[S]:
        """Return the transform whose ``described`` fields were stored as JSON, lists for tuples.

        It is compared and described, and need not be able to make items: that is what a loaded network's can. A record
        may be a stranger's. Raises TypeError, ValueError, KeyError or ConfigError for fields that can't be.
        """


class Transform(Protocol[S_contra]):
    """How a sample becomes a network's input: a frozen dataclass, whose fields stand flat in the feature key.

    Whatever changes an item is in the fields: the tokenizer's digest, a rate in Hz, how long is too long. What is
    needed besides, such as the tokenizer itself, is a field with ``compare=False``: it is in no key and no record. No
    field has a name of the key's own, see ``frostline.stages.store.key``. The shape of
    an item depends on its sample alone, never on the samples beside it: an image has the network's size, a text the
    number of its tokens rounded up to a bucket, a recording its length rounded up to a bucket, or its own length where
    padding would change the numbers. A batch stacks items of one shape, always the same number of rows, unless the
    network was seen to give the same bits with any number (``TriedTransform``); so a feature has the same bits in any
    company. Rows that no sample fills are zeros in every array: they may come out as NaN, but
    must change nothing of the rows beside them.

    ``modality``: the name of the modality whose samples it takes.
    """

    modality: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def item(self, sample: S_contra, view: Any = "plain") -> Item:
        """Return named arrays. Raises UnreadableSample for a sample that no network of this transform can be given.

        ``view``: ``plain``, or another look at the sample that the modality knows, such as ``hflip`` of images.
        """


@dataclass(frozen=True)
class Length:
    """How long a sample is, in the units of its transform (tokens), and how many of them no network is given.

    ``unknown``: whether none of them is one that the network knows.
    """

    whole: int
    lost: int
    unknown: bool = False


@runtime_checkable
class CuttingTransform(Protocol):
    """A transform that may leave out the end of a sample: it can say how much, and so it is counted and told.

    ``unit``: what a length counts, such as ``tokens``.
    """

    unit: ClassVar[str]

    def measure(self, sample: Any, /) -> Length:
        """Return a sample's length. Raises UnreadableSample, as ``Transform.item`` does."""


@runtime_checkable
class PacedTransform(Protocol):
    """A transform that says how many of its items a network is given at once: what is computed depends on no other."""

    def rows_at_once(self, item: Item, most: int, /) -> int:
        """Return how many rows a batch of items of this one's shape has, 1 to ``most``; the shape alone decides."""


class NoisyTransform(Transform[S_contra], Protocol[S_contra]):
    """A transform that makes items of nothing: what networks of all modalities but the image's are tried on."""

    def noise(self, n: int) -> Sequence[Item]:
        """Return n different items of one shape, such as random tokens, always the same ones."""


@runtime_checkable
class TriedTransform(Protocol):
    """A transform with noise of several lengths, to try a network on: does the number of rows change a bit?"""

    def trials(self) -> Iterator[Sequence[Item]]:
        """Yield batches of items of no sample, those of each batch of one shape, always the same."""


def described(how: Transform[Any]) -> dict[str, Any]:
    """Return a transform's fields as keys and records have them: those that came later only where they are set."""
    named = {one: getattr(how, one.name) for one in fields(how) if one.compare}
    return {one.name: value for one, value in named.items() if not one.metadata.get("later") or value != one.default}
