"""Feature sets of an older format are written in today's, without computing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from frostline.pipeline.workspace import Workspace, existing_workspace
from frostline.stages.errors import StoreError, counted, printable
from frostline.stages.store import FeatureSet, in_use
from frostline.stages.store.format_1 import is_old, migrate


@dataclass(frozen=True)
class Migrated:
    """A feature set of format 1: where it lies now, or why it was left as it was."""

    folder: str
    rows: int
    became: str = ""
    left: str = ""
    damaged: bool = False


def migrate_all(root: Path) -> list[Migrated]:
    """Take over every feature set of format 1 that can be. Raises ConfigError if there is no workspace."""
    workspace = existing_workspace(root)
    return [_migrated(workspace, found) for found in workspace.store.sets() if is_old(found)]


def _migrated(workspace: Workspace, old: FeatureSet) -> Migrated:
    folder, rows = str(old.folder), old.layout.rows
    if in_use(old.folder):
        return Migrated(folder, rows, left="another process is using it")
    if not old.complete:
        return Migrated(
            folder, rows, left="unfinished; repeat the command that began it to complete it in the new format"
        )
    try:
        return Migrated(folder, rows, str(migrate(old, workspace.store, workspace.targets).folder))
    except StoreError as error:
        return Migrated(folder, rows, left=str(error), damaged=True)


def migrated_json(found: Sequence[Migrated]) -> list[dict[str, Any]]:
    """Return what was taken over as JSON values."""
    return [asdict(one) for one in found]


def migrated_text(found: Sequence[Migrated]) -> str:
    """Return what was taken over for a terminal."""
    if not found:
        return "every feature set has the current format"
    return "\n".join(printable(_line(one)) for one in found)


def _line(one: Migrated) -> str:
    what = f"→ {Path(one.became).name}" if one.became else f"not changed: {one.left}"
    return f"{Path(one.folder).name} ({counted(one.rows, 'row')}) {what}"
