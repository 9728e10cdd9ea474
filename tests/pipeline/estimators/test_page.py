"""docs/estimators.md: its examples are run, and its names are there."""

from __future__ import annotations

import doctest
import re

import pytest

import frostline
from support.project import REPOSITORY

PAGE = (REPOSITORY / "docs" / "estimators.md").read_text()


@pytest.mark.usefixtures("work")
def test_its_examples_are_true() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    example = doctest.DocTestParser().get_doctest(code, {}, "docs/estimators.md", "docs/estimators.md", 0)
    done = doctest.DocTestRunner().run(example)
    assert done.attempted > 15 and not done.failed


def test_its_heads_and_their_defaults_are_there() -> None:
    shown = re.findall(r"`(\w+(?:Classifier|Regressor))\((?:(\w+)=([\d.]+))?\)`", PAGE)
    assert {name for name, *_ in shown} == {n for n in frostline.__all__ if n.endswith(("Classifier", "Regressor"))} - {
        "Classifier"
    }
    for name, parameter, value in shown:
        given = getattr(frostline, name)().get_params()
        assert not parameter or given[parameter] == float(value)
