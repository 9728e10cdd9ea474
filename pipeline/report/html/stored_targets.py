"""The targets that a run was scored on, as the workspace keeps them."""

from __future__ import annotations

from frostline.pipeline.records.run_folder import RunFolder
from frostline.pipeline.workspace import Workspace
from frostline.stages.store.targets import StoredTargets, read_targets


def stored_targets(run: RunFolder, split: str) -> StoredTargets | None:
    """Return a split's targets, None where they are gone or the run doesn't say which. Raises StoreError if damaged."""
    digest = run.record.targets.get(split, "")
    files = sorted(Workspace(run.data_dir).targets.glob(f"*-{digest[:12]}.h5")) if digest else []
    return read_targets(files[0]) if files else None
