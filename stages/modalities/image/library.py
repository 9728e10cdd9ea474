"""An image's preprocessing as the library does it that its network comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from frostline.stages.errors import UnreadableSample, shortened
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.image.values import View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_NARROWEST = 100  # times as long as wide: nobody here knows how large the library would make it


@dataclass(frozen=True)
class LibraryTransform:
    """What ``Preprocessing`` can't say: a decoded RGB image through the library's own code.

    ``library``: its name and version. ``configuration``: what it is told, as JSON. ``transform``: the code, an RGB
    image to float values (3, height, width), scaled as the network takes them; None where the fields were read from a
    record: only a network that is loaded has it.
    """

    modality: ClassVar[str] = IMAGE
    dtype: ClassVar[str] = "float32"

    library: str
    configuration: str
    transform: Callable[[Image], Any] | None = field(default=None, compare=False, repr=False)

    @property
    def fixes_size(self) -> bool:
        """Whether every image comes out with one size; nobody here knows."""
        return False

    def item(self, sample: Image, view: View = "plain") -> dict[str, NDArray[np.float32]]:
        """Return ``pixels``, float32 (height, width, 3), as the network takes them.

        Raises UnreadableSample for an image that the library can't prepare, and for one that is very long and narrow.
        """
        assert self.transform is not None, "a transform that was read from a record"
        if max(sample.size) > _NARROWEST * min(sample.size):
            raise UnreadableSample(f"too narrow ({sample.size[0]:,} × {sample.size[1]:,} pixels)")
        try:
            pixels = _as_array(self.transform(sample))
        except Exception as error:  # whatever the library raises
            reason = f"{type(error).__name__}: {shortened(str(error).strip().partition(chr(10))[0])}"
            raise UnreadableSample(f"{self.library} can't preprocess it ({reason})") from error
        return {"pixels": pixels[:, ::-1] if view == "hflip" else pixels}


def _as_array(given: Any) -> NDArray[np.float32]:
    import numpy as np

    values = np.asarray(given, np.float32)
    if values.ndim != 3 or len(values) != 3:
        raise ValueError(f"shape {values.shape}; expected (3, height, width)")
    return np.ascontiguousarray(values.transpose(1, 2, 0))
