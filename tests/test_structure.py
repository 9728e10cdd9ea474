"""The shape of the code itself: imports go down, and what is shown is documented."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from support.project import REPOSITORY
from support.warm import Warm

SOURCES = {
    ".".join(("frostline", *path.relative_to(REPOSITORY).with_suffix("").parts)).removesuffix(".__init__"): path
    for top in ("stages", "pipeline")
    for path in sorted((REPOSITORY / top).rglob("*.py"))
}
FACE = "frostline.pipeline.face"
Edge = tuple[str, str]


def imports() -> Iterator[tuple[str, str, str]]:
    """Yield (importing module, imported module, imported name) of each import of our own code."""
    for module, path in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("frostline"):
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield (module, inner, "") if inner in SOURCES else (module, node.module, alias.name)
            elif isinstance(node, ast.Import):
                yield from ((module, a.name, "") for a in node.names if a.name.startswith("frostline."))


IMPORTS = sorted(set(imports()))


def edges_within(room: str) -> set[Edge]:
    """Return which parts of a room import which others; a part is a module or a room inside."""
    depth = room.count(".") + 1

    def part(name: str) -> str:
        return ".".join(name.split(".")[: depth + 1])

    inside = [(a, b) for a, b, _ in IMPORTS if a.startswith(f"{room}.") and b.startswith(f"{room}.")]
    return {(part(a), part(b)) for a, b in inside if part(a) != part(b)}


def floors(edges: set[Edge]) -> list[list[str]]:
    """Return the parts by floor, the lowest first. Raises CycleError."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for above, below in edges:
        sorter.add(above, below)
    sorter.prepare()
    found = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found.append(ready)
        sorter.done(*ready)
    return found


ROOMS = sorted(name for name, path in SOURCES.items() if path.name == "__init__.py" and name != FACE)


@pytest.mark.parametrize("room", ROOMS)
def test_the_parts_of_a_room_stand_on_floors_without_a_circle(room: str) -> None:
    edges = edges_within(room)
    try:
        for number, floor in enumerate(floors(edges)):
            print(f"{room} floor {number}: {', '.join(name.removeprefix(room + '.') for name in floor)}")
    except CycleError as error:
        pytest.fail(f"a circle in {room}: {' -> '.join(error.args[1])}")


def test_a_circle_is_seen() -> None:
    with pytest.raises(CycleError):
        floors({("a", "b"), ("b", "c"), ("c", "a")})


def test_no_stage_knows_a_pipeline() -> None:
    assert not [(a, b) for a, b, _ in IMPORTS if ".stages." in a and ".pipeline." in b]


def test_no_module_imports_the_room_that_it_lies_in() -> None:
    assert not [(a, b) for a, b, _ in IMPORTS if a.startswith(f"{b}.") and b in ROOMS]


def test_no_private_name_crosses_a_room() -> None:
    crossing = [(a, b, n) for a, b, n in IMPORTS if a.rpartition(".")[0] != b.rpartition(".")[0]]
    private = [(a, b, n) for a, b, n in crossing if n.startswith("_") or b.rpartition(".")[2].startswith("_")]
    assert not private


OPTIMIZE = "frostline.stages.backbones.optimize"


def test_what_makes_networks_faster_has_one_door() -> None:
    behind = [(a, b) for a, b, _ in IMPORTS if b.startswith(f"{OPTIMIZE}.") and not a.startswith(OPTIMIZE)]
    assert not behind
    assert [a for a, b, _ in IMPORTS if b == OPTIMIZE]


_DOTTED = re.compile(r"\w+(\.\w+)+")
_PRIVATE = re.compile(r"\._[a-zA-Z]|^torch\.ops\b")
_HOOKS = re.compile(r"\._(forward|backward)_(pre_)?hooks$")
_SUPPORT = re.compile(r"_is_\w+_supported")


def private_to_torch(code: str) -> set[str]:
    """Return what code takes of torch that torch does not promise to keep."""
    nodes = list(ast.walk(ast.parse(code)))
    imported = {
        a.asname or a.name: f"{n.module}.{a.name}" for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names
    }
    imported |= {a.asname or a.name: a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    of_torch = {"torch": "torch"} | {own: name for own, name in imported.items() if name.split(".")[0] == "torch"}
    attributes = filter(_DOTTED.fullmatch, (ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)))
    used = [name.split(".", 1) for name in attributes]
    names = {*of_torch.values(), *(f"{of_torch[root]}.{rest}" for root, rest in used if root in of_torch)}
    words = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    hooks = {rest for _, rest in used if _HOOKS.search(f".{rest}")}
    return {name for name in names if _PRIVATE.search(name)} | hooks | set(filter(_SUPPORT.fullmatch, words))


def test_what_torch_does_not_promise_to_keep_is_named_in_one_room_and_one_module() -> None:
    found = {module for module, path in SOURCES.items() if private_to_torch(path.read_text())}
    assert {module for module in found if not module.startswith(f"{OPTIMIZE}.")} == {"frostline.stages.cuda.pool"}
    assert len(found) >= 4


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch._C._has_mkldnn",
        "import torch\ntorch.ops.mkldnn",
        "import torch\ngetattr(torch.cpu, '_is_amx_tile_supported')",
        "from torch import cpu as processor\nprocessor._is_amx_tile_supported()",
        "import torch._dynamo",
        "from torch import _C",
        "from torch._inductor import config",
        "module._forward_hooks",
    ],
)
def test_a_private_name_of_torch_is_seen(code: str) -> None:
    assert private_to_torch(code)


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_shows_is_there(room: str) -> None:
    names = getattr(importlib.import_module(room), "__all__", [])
    assert not [name for name in names if not hasattr(importlib.import_module(room), name) or name.startswith("_")]


def test_functions_stay_small() -> None:
    """By the lines of their bodies without docstrings."""
    sizes = sorted(size for path in SOURCES.values() for size in body_lines(ast.parse(path.read_text())))
    print(
        f"{len(sizes)} functions: median {sizes[len(sizes) // 2]}, p90 {sizes[9 * len(sizes) // 10]}, {sizes[-1]} most"
    )
    assert sizes[len(sizes) // 2] <= 6 and sizes[9 * len(sizes) // 10] <= 20 and sizes[-1] <= 40


def body_lines(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            yield (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_package_is_listed_for_the_distribution() -> None:
    listed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert set(listed) == {*ROOMS, "frostline", "frostline.examples"}


def test_help_and_listings_never_import_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from frostline.pipeline.cli.main import main\n"
        "for arguments in (['--help'], ['run', '--help'], ['ls'], ['gc']):\n"
        "    try: main(arguments)\n    except SystemExit: pass\n"
        "    assert 'torch' not in sys.modules and 'sklearn' not in sys.modules, arguments"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env={})


def test_the_list_of_commands_needs_no_settings_and_no_numbers() -> None:
    code = (
        "import sys; from frostline.pipeline.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'pydantic', 'numpy', 'importlib.metadata'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, env={})


def test_a_run_from_the_cache_never_imports_torch(tmp_path: Path, folder: Path, warm: Warm) -> None:
    asked = ["run", "--dataset", f"folder:{folder}", "--grid", "C=1"]
    code = f"import sys; from frostline.pipeline.cli.main import main; assert main({asked}) == 0\n"
    clean = {"PATH": "/usr/bin:/bin"}
    first = warm.run(["-c", code], clean, tmp_path)
    assert first.returncode == 0, first.stderr
    code += "assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=clean, capture_output=True)
