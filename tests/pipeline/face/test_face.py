"""What ``import frostline`` gives: light, typed, and the same names at run time as for a type checker."""

from __future__ import annotations

import ast
import doctest
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import frostline
from frostline.pipeline import settings
from frostline.pipeline.settings import keywords
from support.project import REPOSITORY

STUB = REPOSITORY / "pipeline" / "face" / "__init__.pyi"


def test_the_stub_names_what_is_there() -> None:
    imports = [node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ImportFrom)]
    places = {alias.asname: node.module for node in imports for alias in node.names}
    assert sorted(places) == frostline.__all__ == dir(frostline)
    for name, module in places.items():
        assert getattr(frostline, name) is getattr(sys.modules[module or ""], name)


def test_importing_it_loads_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import frostline\n"
    code += "new = {name.partition('.')[0] for name in set(sys.modules) - before}; print(*sorted(new))"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=True)
    assert "frostline" in done.stdout and not {"numpy", "torch", "pydantic", "sklearn"} & set(done.stdout.split())


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'frostline' has no attribute 'runn'"):
        _ = frostline.runn


def test_its_example_is_true(work: Path) -> None:
    assert doctest.testmod(frostline).attempted == 3 and not doctest.testmod(frostline).failed


def test_a_type_checker_sees_what_users_write_and_their_mistakes(tmp_path: Path) -> None:
    typed = tmp_path / "typed" / "frostline"
    shutil.copytree(REPOSITORY / "pipeline" / "face", typed, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pipeline", "stages"):
        (typed / name).symlink_to(REPOSITORY / name)
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\nstrict = true\nfollow_imports = silent\nignore_missing_imports = true\n")
    with settings.open("a") as file:  # what no signature of the face needs takes most of the time
        file.write("[mypy-torch.*,transformers.*,sklearn.*,scipy.*,matplotlib.*]\nfollow_imports = skip\n")
        file.write("[mypy-torch,torch._C]\nfollow_imports = silent\n")
    command = [sys.executable, "-m", "mypy", "--config-file", settings, "--cache-dir", tmp_path / "cache"]
    environment = {**os.environ, "MYPYPATH": str(typed.parent)}
    use = Path(__file__).with_name("use.py")
    done = subprocess.run([*command, use], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("typed", "model", "more"),
    [
        (keywords.ExtractKeywords, settings.ExtractSettings, set()),
        (keywords.HeadKeywords, settings.HeadSettings, set()),
        (keywords.RunKeywords, settings.Settings, set()),
        (keywords.PredictKeywords, settings.ServeSettings, set()),
        (keywords.DatasetKeywords, settings.DatasetSettings, {"dataset"}),
    ],
)
def test_the_keywords_are_the_settings(typed: type, model: type[settings.AnySettings], more: set[str]) -> None:
    assert {*get_type_hints(typed)} == {*model.model_fields} - more
