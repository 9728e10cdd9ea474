"""What is exported is documented, and every example is true: of docstrings, and of docs/python.md."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import frostline
from support.pictures import paint
from support.project import REPOSITORY

API = ("calls", "data", "encoder", "prediction", "asked")
_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture
def images(work: Path) -> Path:
    for split, count in (("train", 12), ("test", 4)):
        for label, name in enumerate(("cat", "dog")):
            for number in range(count):
                paint(work.parent / "images" / split / name / f"{number}.png", label, 100 * label + number)
    return work.parent


def failures(name: str, text: str) -> Iterator[str]:
    """Run examples in one namespace, and yield what went wrong."""
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    assert test.examples
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(test, out=said.append)
    yield from said


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_guide_says_what_happens(images: Path) -> None:
    blocks = _BLOCK.findall((REPOSITORY / "docs" / "python.md").read_text())
    assert len(blocks) > 6
    assert "".join(failures("docs/python.md", "\n".join(blocks))) == ""


def test_a_false_example_is_seen() -> None:
    assert list(failures("false", ">>> 1 + 1\n3\n"))


@pytest.mark.parametrize("name", API)
def test_examples_of_docstrings_are_true(work: Path, name: str) -> None:
    done = doctest.testmod(importlib.import_module(f"frostline.pipeline.api.{name}"))
    assert done.attempted and not done.failed


@pytest.mark.parametrize("name", frostline.__all__)
def test_everything_exported_has_a_docstring_of_its_own(name: str) -> None:
    said = getattr(frostline, name).__doc__ or ""
    assert len(said.split()) > 4 and not said.startswith(f"{name}("), name


@pytest.mark.parametrize("name", ["Settings", "HeadSettings", "ExtractSettings"])
def test_signatures_of_settings_are_names_and_defaults(name: str) -> None:
    shown = str(inspect.signature(getattr(frostline, name)))
    assert "BeforeValidator" not in shown and "func=" not in shown and "dataset='digits'" in shown


def test_help_of_run_names_common_settings_that_there_are() -> None:
    named = re.findall(r"``(\w+)``", (frostline.run.__doc__ or "").partition("Returns a")[0])
    assert len({*named} & {*frostline.Settings.model_fields}) > 12
