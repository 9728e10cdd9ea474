"""The workspace: which file of the data folder holds what.

data/index/       digests of dataset files, so that unchanged ones are not read again
data/backbones/   what a backbone's name resolved to, so that it need not be loaded again, and which checks it passed
data/features/    one folder per feature set
data/targets/     what heads were fitted to and scored on: a small file for each split and target
data/heads/       one folder per fitted head
data/runs/        one folder per run: run.json
data/bench/       leaderboards, and what they remember
data/health/      what was found wrong with feature sets
data/downloads/   torchvision's datasets

Of a workspace in a bucket these are local copies, see ``frostline.stages.buckets.mirror``; downloads are of this
machine alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.stages.backbones.spec import BackboneSpec, read_spec
from frostline.stages.buckets.address import check_place, is_address, path_of
from frostline.stages.buckets.mirror import look_again, opened
from frostline.stages.errors import ConfigError
from frostline.stages.records.safe_read import read_sealed
from frostline.stages.records.sealed import digest, sealed
from frostline.stages.store import FeatureStore, make_folder, write_atomic

_OF_COMMANDS = ("features", "heads", "runs")


@dataclass(frozen=True)
class ResolvedBackbone:
    """What a backbone's name meant: its spec and the width of its features."""

    spec: BackboneSpec
    width: int


@dataclass(frozen=True)
class Workspace:
    """All paths below one data folder, or below the local copies of one in a bucket; see ``open_workspace``."""

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
        self._write(fingerprint, {"spec": resolved.spec.fields(), "width": resolved.width})

    def has_passed(self, check: Mapping[str, Any]) -> bool:
        """Whether it is remembered that a check was passed; ``check``: all that its result depends on."""
        try:
            return digest(read_sealed(self._memo(check))["passed"]) == digest(dict(check))
        except (OSError, ValueError, TypeError, KeyError):
            return False

    def keep_passed(self, check: Mapping[str, Any]) -> None:
        """Remember that a check was passed."""
        self._write(check, {"passed": dict(check)})

    def _write(self, fingerprint: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
        path = self._memo(fingerprint)
        make_folder(path.parent)
        write_atomic(path, sealed(fields))

    def _memo(self, fingerprint: Mapping[str, Any]) -> Path:
        return self.root / "backbones" / f"{digest(dict(fingerprint))[:16]}.json"


def open_workspace(data_dir: str | Path) -> Workspace:
    """Return the workspace in a folder or at an address, there or not.

    Raises ConfigError for an address of no bucket, StoreError if the bucket can't be read.
    """
    check_place(data_dir)
    return Workspace(opened(data_dir))


def reopened(data_dir: str | Path) -> Workspace:
    """Return the same with what other machines have written to its bucket meanwhile. Raises what the former does."""
    look_again()
    return open_workspace(data_dir)


def opened_folder(place: str | Path) -> Path:
    """Return the folder of a head, a run or a feature set as a local path, of an address with its workspace.

    Raises what ``open_workspace`` does.
    """
    folder = path_of(str(place))
    inside = is_address(place) and folder.parent.name in _OF_COMMANDS
    if inside:
        open_workspace(folder.parents[1])
    return opened(folder)


def existing_workspace(data_dir: Path, *, reread: bool = False) -> Workspace:
    """Return a workspace that is there. Raises what ``open_workspace`` does, and ConfigError if there is none.

    ``reread``: all of it from its bucket, if it is in one, whatever lies here.
    """
    check_place(data_dir)
    root = opened(data_dir, again=reread)
    if not root.is_dir() or (is_address(data_dir) and not any(map(Path.is_file, root.rglob("*")))):
        raise ConfigError(f"no workspace at {data_dir}; `frostline run` creates one, or choose another with --data-dir")
    return Workspace(root)
