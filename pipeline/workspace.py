"""The workspace: which file of the data folder holds what.

data/index/       digests of dataset files, so that unchanged ones are not read again
data/backbones/   what a backbone's name resolved to, so that it need not be loaded again
data/features/    one folder per feature set
data/targets/     what heads were fitted to and scored on: a small file for each split and target
data/heads/       one folder per fitted head
data/runs/        one folder per run: run.json
data/bench/       leaderboards, and what they remember
data/health/      what was found wrong with feature sets
data/downloads/   torchvision's datasets
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.stages.backbones.spec import BackboneSpec, read_spec
from frostline.stages.buckets.address import is_address, path_of
from frostline.stages.errors import ConfigError
from frostline.stages.records.safe_read import read_sealed
from frostline.stages.records.sealed import digest, sealed
from frostline.stages.store import FeatureStore, make_folder, write_atomic


@dataclass(frozen=True)
class ResolvedBackbone:
    """What a backbone's name meant: its spec and the width of its features."""

    spec: BackboneSpec
    width: int


@dataclass(frozen=True)
class Workspace:
    """All paths below one data folder."""

    root: Path

    @property
    def store(self) -> FeatureStore:
        return FeatureStore(self.root / "features")

    @property
    def heads(self) -> Path:
        return self.root / "heads"

    @property
    def targets(self) -> Path:
        return self.root / "targets"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def downloads(self) -> Path:
        return self.root / "downloads"

    def index(self, source: str, root: Path | None) -> Path:
        """Return the file that remembers the digests of a dataset's files."""
        _, _, path = source.partition(":")
        place = str(path_of(path) if is_address(path) else Path(path).expanduser().absolute()) if path else ""
        return self.root / "index" / f"{digest([source, place, str(root)])[:12]}.index"

    def remembered(self, fingerprint: Mapping[str, Any]) -> ResolvedBackbone | None:
        """Return what a backbone of this fingerprint resolved to, if that is remembered."""
        try:
            stored = read_sealed(self._memo(fingerprint))
            return ResolvedBackbone(read_spec(stored["spec"]), int(stored["width"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def remember(self, fingerprint: Mapping[str, Any], resolved: ResolvedBackbone) -> None:
        """Keep what a backbone resolved to."""
        path = self._memo(fingerprint)
        make_folder(path.parent)
        write_atomic(path, sealed({"spec": resolved.spec.fields(), "width": resolved.width}))

    def _memo(self, fingerprint: Mapping[str, Any]) -> Path:
        return self.root / "backbones" / f"{digest(dict(fingerprint))[:16]}.json"


def existing_workspace(root: Path) -> Workspace:
    """Return the workspace in a folder. Raises ConfigError if there is no such folder."""
    if not root.is_dir():
        raise ConfigError(f"no workspace at {root}; `frostline run` makes one, --data-dir names another")
    return Workspace(root)
