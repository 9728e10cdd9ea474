"""A folder of a model, as transformers and others save one. Imports nothing heavy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.stages.errors import ConfigError, listing, shortened

CONFIG = "config.json"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there; each may be an index of shards instead
_INDEX = ".index.json"
_JSON_BYTES = 1 << 24
_DEEPEST = 20
_CARD_BYTES = 1 << 16


@dataclass(frozen=True)
class ModelFolder:
    """A folder with ``config.json`` as transformers saves one. ``root``: what links in it may not lead out of."""

    name: str
    path: Path
    root: Path

    def file(self, name: str) -> Path | None:
        """Return a file of the folder, None if it isn't there. Raises ConfigError if it leads out of the folder."""
        path = self.path / name
        if not path.exists():
            return None
        found = path.resolve()
        if Path(name).name != name or not found.is_relative_to(self.root) or not found.is_file():
            raise ConfigError(
                f"{self.name}: {shortened(name)} is not a file in {self.path}; expected a file inside that folder"
            )
        return path

    def json(self, name: str) -> dict[str, Any] | None:
        """Return what a JSON file says, None if it isn't there. Raises ConfigError where it says nothing of use."""
        path = self.file(name)
        if path is None:
            return None
        try:
            found = json.loads(path.read_bytes()) if path.stat().st_size <= _JSON_BYTES else None
            deep = _depth(found) > _DEEPEST
        except (OSError, ValueError, RecursionError) as error:
            raise ConfigError(f"can't read {path}: {shortened(str(error))}; expected JSON") from error
        if not isinstance(found, dict) or deep:
            raise ConfigError(f"{path} is not a configuration; expected a small JSON object without deep nesting")
        return found

    def config(self) -> dict[str, Any]:
        """Return what ``config.json`` says. Raises ConfigError if there is none."""
        found = self.json(CONFIG)
        if found is None:
            raise ConfigError(f"{self.name}: no {CONFIG} in {self.path}; expected a folder saved by transformers")
        return found

    def processor(self) -> dict[str, Any] | None:
        """Return what the preprocessing's configuration says, None if there is none."""
        found = [said for said in map(self.json, PROCESSORS) if said]
        return found[0] if found else None

    def below(self, name: str) -> ModelFolder:
        """Return a folder in this one, itself for no name. Raises ConfigError if it leads out, or isn't there."""
        path = self.path / name
        if Path(name).name != name or not path.is_dir() or not path.resolve().is_relative_to(self.root):
            where = f"{shortened(name)!r} is not a folder in {self.path}"
            raise ConfigError(f"{self.name}: {where}; expected a folder inside it")
        return ModelFolder(self.name, path, self.root)

    def licence(self) -> str:
        """Return the licence that the front matter of the model's card names, if there is one."""
        card = self.file("README.md")
        text = card.read_bytes()[:_CARD_BYTES].decode(errors="replace") if card else ""
        front = text.split("\n---", 1)[0] if text.startswith("---") else ""
        found = re.search(r"^license:[ ]*['\"]?([\w.-]{1,64})", front, re.MULTILINE | re.ASCII)
        return found[1] if found else ""

    def weights(self) -> list[Path]:
        """Return the files of weights, empty if there are none. Raises ConfigError: shards that are missing."""
        for name in _WEIGHTS:
            if whole := self.file(name):
                return [whole]
            if index := self.json(name + _INDEX):
                return [self._shard(shard) for shard in _shards(index)]
        return []

    def _shard(self, name: str) -> Path:
        path = self.file(name)
        if path is None:
            raise ConfigError(f"{self.name}: the shard {shortened(name)} is not in {self.path}; download it again")
        return path


def local_folder(path: Path, called: str) -> ModelFolder:
    """Return a folder of the user's."""
    return ModelFolder(called, path, _root(path.resolve()))


def _root(folder: Path) -> Path:
    """Return what links of a folder may lead to: itself, or of a snapshot in the hub's cache, its repository."""
    repository = folder.parents[1] if folder.parent.name == "snapshots" else None
    return repository if repository and (repository / "blobs").is_dir() else folder


def _shards(index: Mapping[str, Any]) -> list[str]:
    """Return the names of the shards that an index lists. Raises ConfigError where it lists none, or paths."""
    found = index.get("weight_map")
    names = sorted(set(map(str, found.values()))) if isinstance(found, dict) else []
    paths = [name for name in names if Path(name).name != name]
    if paths or not names:
        raise ConfigError(f"an index of weights names files that are not next to it:\n{listing(paths or ['nothing'])}")
    return names


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)
