"""The shape of the code itself: imports go down, and what is shown is documented."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

LAYERS = [
    ["stages.errors", "stages.specs"],
    ["stages.draws", "stages.reading", "stages.sources"],
    ["stages.factories"],
    ["stages.datasets", "stages.backbones", "stages.loading", "stages.store", "stages.heads", "stages.metrics"],
    [
        "stages.extract",
        "stages.fit",
        "stages.evaluate",
        "stages.predict",
        "stages.compare",
        "stages.export",
        "stages.transferability",
        "stages.health",
        "stages.learning_curve",
    ],
    ["pipeline.values", "pipeline.phrases"],
    ["pipeline.config", "pipeline.workspace", "pipeline.report"],
    ["pipeline.findings", "pipeline.text"],
    ["pipeline.checks"],
    ["pipeline.arguments", "pipeline.matrix", "pipeline.html"],
    ["pipeline.leaderboard"],
    ["pipeline.renderings"],
    ["pipeline.ways"],
    ["pipeline.plan"],
    ["pipeline.devices", "pipeline.pacing"],
    ["pipeline.features"],
    ["pipeline.helper"],
    ["pipeline.heads", "pipeline.draws", "pipeline.costs"],
    ["pipeline.passes", "pipeline.curves", "pipeline.health"],
    ["pipeline.bench"],
    ["pipeline.run", "pipeline.preview", "pipeline.predict", "pipeline.inventory", "pipeline.rank"],
    ["pipeline.export"],
    ["pipeline.cli"],
    ["pipeline.__main__"],
]
ROOM = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
SOURCES = sorted(p for top in ("stages", "pipeline") for p in (REPOSITORY / top).rglob("*.py"))


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            own = node.module in ("stages", "pipeline")
            names += [f"{node.module}.{alias.name}" for alias in node.names] if own else [node.module]
    return [name for name in names if name.split(".")[0] in ("stages", "pipeline")]


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_go_strictly_down(path: Path) -> None:
    own = room_of(module_of(path))
    if own in ("stages", "pipeline"):
        assert not imported(path)
        return
    for name in imported(path):
        other = room_of(name)
        assert other == own or ROOM[other] < ROOM[own], f"{own} imports {name}"


def test_every_package_is_listed_for_the_distribution() -> None:
    import tomllib

    listed = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {module_of(p) for p in SOURCES if p.name == "__init__.py"}
    assert set(listed) == found


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["ls"], ["gc"]])
def test_help_and_listings_never_import_torch(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from pipeline.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)})


def test_every_command_and_setting_is_in_the_documentation() -> None:
    from pipeline.cli import commands
    from pipeline.config import Settings

    text = (REPOSITORY / "README.md").read_text() + (REPOSITORY / "docs" / "settings.md").read_text()
    missing = [name for name in commands() if f"frostline {name}" not in text]
    missing += [n for n in Settings.model_fields if f"`--{n.replace('_', '-')}`" not in text]
    assert not missing


def test_a_run_from_the_cache_never_imports_torch(tmp_path: Path) -> None:
    code = "import sys; from pipeline.cli import main; assert main(['run', '--grid', 'C=1']) == 0\n"
    clean = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=clean, capture_output=True)
    code += "assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=clean, capture_output=True)
