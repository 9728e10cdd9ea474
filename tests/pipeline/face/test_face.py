"""What ``import frostline`` gives: light, typed, and the same names at run time as for a type checker."""

from __future__ import annotations

import ast
import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import frostline
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
