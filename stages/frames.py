"""Frames of pandas, which is not needed for anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from frostline.stages.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


def data_frame(columns: Mapping[str, Sequence[Any] | NDArray[Any]], index: Sequence[str] | None = None) -> pd.DataFrame:
    """Return columns as a frame of pandas. Raises ConfigError where pandas is not installed."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ConfigError("a frame needs pandas, which is not installed; `pip install pandas`") from error
    return pd.DataFrame(dict(columns), index=index)
