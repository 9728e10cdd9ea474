"""What the settings of all commands share: mistakes are explained, and there is a workspace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from frostline.pipeline.settings.describe import choices_of, flag_of
from frostline.stages.buckets.address import check_place, is_address, path_of
from frostline.stages.errors import ConfigError, unknown_name

_OF_WORDS = ("literal_error", "string_pattern_mismatch")
_OF_PYDANTIC = re.compile(r"^(input|string|value|\w+) should (be |have )(a valid )?")
_IN_WORDS = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "a number below {lt}",
    "less_than_equal": "{le} or less",
}


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
        default=Path("data"),
        description="workspace for features, heads and runs; a folder, or s3://bucket/prefix",
        json_schema_extra={"brief": "workspace, a folder or s3://…"},
    )

    @field_validator("data_dir", mode="before")
    @classmethod
    def _address(cls, given: Any) -> Any:
        """Keep an address as it is written. Raises ConfigError for what only looks like one."""
        check_place(given)
        return path_of(str(given)) if isinstance(given, str | Path) and is_address(given) else given


def _explained(error: Any, fields: Mapping[str, FieldInfo]) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return str(unknown_name("setting", name, fields))
    message = str(error["msg"]).removeprefix("Value error, ")
    if not name:
        return message
    return f"{flag_of(name)} {error['input']!r}: {_expected(message, error, fields[name])}"


def _expected(message: str, error: Any, field: FieldInfo) -> str:
    """Return a message in our words: what was expected, and the nearest word that is allowed."""
    allowed = choices_of(field)
    given = str(error["input"])
    near = get_close_matches(given, allowed, 1, 0.6) if len(given) > 3 else []  # gpu is no misspelt cpu
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if error["type"] in _OF_WORDS and allowed:
        return f"expected {', '.join(allowed[:-1])} or {allowed[-1]}{hint}"
    kind, limits = str(error["type"]), error.get("ctx", {})
    if kind in _IN_WORDS:
        return "expected " + _IN_WORDS[kind].format(**limits)
    return _OF_PYDANTIC.sub("expected ", message[0].lower() + message[1:])
