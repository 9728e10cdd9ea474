"""The contracts of a modality (images, texts, recordings) and of a transform from a sample to a network's input.

A sample goes from bytes to a network in three steps. Each is a function of the step before only::

    bytes ── Modality.decode ──► sample ── Transform.item ──► item ── stacked ──► batch
             RGB image                     {"pixels": uint8 (h, w, 3)}
             str                           {"input_ids": int64 (t,), "attention_mask": int64 (t,)}
             Waveform                      {"waveform": float32 (t,)}

A new modality is a folder next to ``image/``: a ``Modality`` behind the door ``frostline.modalities``, and a
``Transform`` that its families use as ``preprocessing``. No other code changes: the loader, the batches, the plan and
the records take arrays by name, of any shape. ``docs/extend.md`` shows an example.
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
"""The input of a network for one sample: arrays by name."""
Arrays = Mapping[str, "NDArray[Any]"]
"""A batch: arrays by name whose first axis counts the rows, stacked from items of one shape."""
IMAGE = "image"
"""The default modality."""
LATER = {"later": True}
"""Metadata of a field that was added to a transform later: older keys and records do not have it."""


@dataclass(frozen=True)
class Preview:
    """A sample as a page shows it.

    Attributes:
        picture: a data URI of at most some ten thousand characters, or nothing.
        text: an excerpt or a short description of the sample, or nothing.
        tiny: whether the picture is so small that its pixels should be drawn as squares.
        sound: a data URI of its first seconds as audio, at most some hundred thousand characters, or nothing.
    """

    picture: str = ""
    text: str = ""
    tiny: bool = False
    sound: str = ""


@dataclass(frozen=True, eq=False)
class Held:
    """One of several samples in a file: its name and its bytes. ``content`` raises UnreadableSample."""

    name: str
    content: Callable[[], bytes]


class Modality(ABC, Generic[S]):
    """One kind of sample, and how to decode it.

    Attributes:
        name: its name behind the door ``frostline.modalities``, such as ``image``.
        extensions: the extensions of its files, in lower case, with the dot.
        noun: the word for one sample in messages, such as ``image``; the plural adds an s.
        settings: the fields of its transform that a user can set, by the names of the settings. Families get the
            values as ``BackboneRequest.preprocessing``. Settings of other modalities are refused.
        max_bytes: larger files are treated as unreadable; None: no limit.
    """

    name: str
    extensions: frozenset[str]
    noun: str = "sample"
    settings: tuple[str, ...] = ()
    max_bytes: int | None = None

    @abstractmethod
    def decode(self, data: bytes, min_side: int | None = None) -> S:
        """Return the sample in some bytes. Raises UnreadableSample; its message is only the reason.

        ``min_side``: the sample may be decoded at reduced size if that is cheaper, but not below this size (of images:
        pixels of the shorter side). Other samples are decoded at full size.
        """

    @abstractmethod
    def find_fault(self, data: bytes) -> str | None:
        """Return the reason why bytes can't be decoded, as far as a cheap check finds it, or None."""

    @abstractmethod
    def decoder(self, min_side: int | None = None) -> str:
        """Return the decoder and its version, as in a feature key: everything that can change a sample's values.

        A modality whose ``codec`` returns names also takes ``codecs``, a frozenset of the names in a split. They change
        the key of that split only. Other options of its ``decode`` are passed here too, by name.
        """

    def readers(self) -> str:
        """Return the decoder with all optional libraries. If this changes, files are checked for faults again."""
        return self.decoder()

    def codec(self, data: bytes) -> str | None:  # noqa: ARG002
        """Return the kind of a file that needs a special library or a remark; None for any other file."""
        return None

    def remarks(self, codec: str, some: Sequence[bytes]) -> list[str]:  # noqa: ARG002
        """Return remarks on files of one kind, from a few examples."""
        return []

    @abstractmethod
    def preview(self, sample: S) -> Preview:
        """Return the preview of a sample for a page."""

    def trimmed(self, data: bytes) -> bytes:
        """Return a file's bytes without those that do not affect the sample. The digest is computed over the result."""
        return data

    def held_in(self, file: Path, named: str | None = None) -> Sequence[Held] | None:  # noqa: ARG002
        """Return the samples in a file that holds many; None if each file is one sample.

        ``named``: the array or column with the samples, if the user gave it. Raises DataError if the file has none.
        """
        return None

    def is_scaled(self, data: bytes, min_side: int) -> bool:  # noqa: ARG002
        """Return whether ``decode`` uses ``min_side`` for these bytes. Raises UnreadableSample."""
        return False

    @abstractmethod
    def read_transform(self, fields: Mapping[str, Any]) -> Transform[S]:
        """Return the transform with ``described`` fields that were stored as JSON (tuples as lists).

        It is only compared and described; it need not make items, which the transform of a loaded network does. The
        record may be untrusted. Raises TypeError, ValueError, KeyError or ConfigError for invalid fields.
        """


class Transform(Protocol[S_contra]):
    """From a sample to a network's input: a frozen dataclass, whose fields are part of the feature key.

    The fields hold everything that changes an item: the digest of the tokenizer, a rate in Hz, a maximum length. Other
    objects, such as the tokenizer itself, are fields with ``compare=False``; they are in no key and no record. No
    field may have the name of a field of the key, see ``frostline.stages.store.key``.

    The shape of an item depends on its sample only, never on other samples in the batch. An image has the size of the
    network, a text the number of its tokens rounded up to a bucket, and a recording its length rounded up to a bucket,
    or its exact length if padding would change the numbers. A batch stacks items of one shape, always with the same
    number of rows, unless the network was found to give the same bits for any number (``TriedTransform``). So a
    feature has the same bits in any batch. Rows without a sample are zeros in every array: their features may be NaN,
    but must not change other rows.

    ``modality``: the name of the modality whose samples it takes.
    """

    modality: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def item(self, sample: S_contra, view: Any = "plain") -> Item:
        """Return arrays by name. Raises UnreadableSample for a sample that is not a valid input.

        ``view``: ``plain``, or another view that the modality defines, such as ``hflip`` for images.
        """


@dataclass(frozen=True)
class Length:
    """The length of a sample, in the unit of its transform (tokens). ``lost``: how many of them are truncated.

    ``unknown``: whether the network knows none of them.
    """

    whole: int
    lost: int
    unknown: bool = False


@runtime_checkable
class CuttingTransform(Protocol):
    """A transform that may truncate a sample. It can measure how much, which is counted and reported.

    ``unit``: the unit of a length, such as ``tokens``.
    """

    unit: ClassVar[str]

    def measure(self, sample: Any, /) -> Length:
        """Return the length of a sample. Raises UnreadableSample, like ``Transform.item``."""


@runtime_checkable
class PacedTransform(Protocol):
    """A transform that sets the number of rows in a batch; no result may depend on the other rows."""

    def rows_at_once(self, item: Item, most: int, /) -> int:
        """Return the number of rows in a batch of items of this shape, 1 to ``most``; it depends on the shape only."""


class NoisyTransform(Transform[S_contra], Protocol[S_contra]):
    """A transform that can make random items, on which a loaded network is tested (all but image networks)."""

    def noise(self, n: int) -> Sequence[Item]:
        """Return n different items of one shape, such as random tokens, always the same ones."""


@runtime_checkable
class TriedTransform(Protocol):
    """A transform with noise of several lengths, to test whether the number of rows in a batch changes any bit."""

    def trials(self) -> Iterator[Sequence[Item]]:
        """Yield batches of random items, each batch of one shape; always the same batches."""


def described(how: Transform[Any]) -> dict[str, Any]:
    """Return the fields of a transform as in keys and records; a field added later only if it is not the default."""
    named = {one: getattr(how, one.name) for one in fields(how) if one.compare}
    return {one.name: value for one, value in named.items() if not one.metadata.get("later") or value != one.default}
