"""The source files behind ``file.py:factory`` or ``pkg.module:factory``, found without running them."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from frostline.stages.errors import ConfigError
from frostline.stages.records.sealed import digest, file_digest

_INSTALLED = {"site-packages", "dist-packages"}


def factory_file(name: str) -> Path:
    """Return the file that defines a factory. Raises ConfigError if it isn't there.

    A module is looked for as Python does, and then in the current folder.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute.isidentifier():
        raise ConfigError(f"{name!r} does not name a factory; expected file.py:factory or pkg.module:factory")
    if place.endswith(".py"):
        path = Path(place).expanduser()
        if not path.is_file():
            raise ConfigError(f"no file {path} for {name}")
        return path
    spec = _find_module(place)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise ConfigError(f"no module {place!r} for {name}; expected pkg.module:factory or file.py:factory")
    return Path(spec.origin)


def code_digest(name: str) -> str:
    """Return the SHA-256 over a factory's file and all that it imports from next to it.

    Beside it: the folder of a file, or of a module's top-level package. Of an installed
    package, only its own modules. Wherever the folder lies doesn't count. Imports that
    only running the code would show are not seen.
    """
    file = factory_file(name).resolve()
    place = name.rpartition(":")[0]
    root, only = file.parent, ""
    if not place.endswith(".py"):
        depth = place.count(".") + (file.name == "__init__.py")
        root = file.parents[depth]
        only = place.partition(".")[0] if _INSTALLED & set(root.parts) else ""
    files = _closure(file, root, only)
    return digest({path.relative_to(root).as_posix(): file_digest(path) for path in files})


def _find_module(place: str) -> ModuleSpec | None:
    """Find a module without importing its packages, which could import torch."""
    top, *rest = place.split(".")
    try:
        spec = importlib.util.find_spec(top) or PathFinder.find_spec(top, [str(Path.cwd())])
    except (ImportError, ValueError):
        return None
    for i in range(len(rest)):
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(".".join([top, *rest[: i + 1]]), spec.submodule_search_locations)
    return spec


def _closure(file: Path, root: Path, only: str) -> set[Path]:
    found: set[Path] = set()
    pending = [file]
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            names = [name for name in _imports(path, root) if name[0] == (only or name[0])]
            pending += [source for name in names for source in _files(name, root)]
    return found


def _imports(path: Path, root: Path) -> Iterator[list[str]]:
    """Yield the dotted names that a source file imports, split, relative ones made absolute."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # running it says so better
        return
    package = path.relative_to(root).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            base = [*above, *(node.module.split(".") if node.module else [])]
            yield from ([*base, alias.name] for alias in node.names)


def _files(name: list[str], root: Path) -> Iterator[Path]:
    """Yield the files below ``root`` that importing a dotted name runs."""
    for i in range(len(name)):
        place = root.joinpath(*name[: i + 1])
        yield from (path for path in (place.with_name(place.name + ".py"), place / "__init__.py") if path.is_file())
