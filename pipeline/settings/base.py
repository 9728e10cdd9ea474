"""What the settings of all commands share: mistakes are explained, and there is a workspace."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from frostline.stages.buckets.address import is_address, path_of
from frostline.stages.errors import ConfigError, unknown_name


class AnySettings(BaseModel):
    """What the settings of all commands share."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __init__(self, **given: Any) -> None:
        """Raises ConfigError for unknown names, with a hint, and for values that can't be."""
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise ConfigError("\n".join(_explained(e, type(self).model_fields) for e in error.errors())) from error


class WorkspaceSettings(AnySettings):
    """Where everything lies."""

    model_config = ConfigDict(title="workspace")

    data_dir: Path = Field(
        default=Path("data"), description="the workspace: features, heads, runs; a folder, or s3://bucket/prefix"
    )

    @field_validator("data_dir", mode="before")
    @classmethod
    def _address(cls, given: Any) -> Any:
        """Keep an address as it is written."""
        return path_of(str(given)) if isinstance(given, str | Path) and is_address(given) else given


def _explained(error: Any, known: Collection[str]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return str(unknown_name("setting", name, known))
    if not name:
        return str(error["msg"]).removeprefix("Value error, ")
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"--{name.replace('_', '-')} {error['input']!r}: {message[0].lower()}{message[1:]}"
