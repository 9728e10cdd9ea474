"""A door opens to what is built in and to what is installed, and says what it can't open to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from frostline.stages.errors import ConfigError
from frostline.stages.plugins import Door
from support.distributions import install as lay_out


def install(site: Path, name: str, entries: str, code: str = "") -> None:
    lay_out(site, name, "test.shapes", entries, code)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def door() -> Door[object]:
    return Door("shape", "test.shapes", {"square": 4, "pi": "math:pi"})


def test_what_is_built_in_is_found_and_loaded_once() -> None:
    shapes = door()
    assert shapes.load("square") == 4 and shapes.load("pi") == 3.141592653589793
    assert shapes.names() == ("square", "pi") and "pi" in shapes and "circle" not in shapes


def test_what_a_distribution_adds_is_loaded_only_when_asked_for(site: Path) -> None:
    install(site, "roundshapes", "circle = roundshapes:CIRCLE\nsquare = roundshapes:SQUARE", "CIRCLE, SQUARE = 1, 5\n")
    shapes = door()
    assert shapes.names() == ("square", "pi", "circle") and "roundshapes" not in sys.modules
    assert shapes.load("circle") == 1
    assert shapes.load("square") == 4  # nobody replaces what is built in


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("circel = x:Y", "unknown shape 'circle'; did you mean 'circel'"),
        ("circle = nothere:CIRCLE", "shape 'circle' of roundshapes can't be loaded (ModuleNotFoundError"),
        ("circle = roundshapes:MISSING", "shape 'circle' of roundshapes can't be loaded (AttributeError"),
        ("circle = roundshapes:raising", "can't be loaded (ZeroDivisionError"),
    ],
)
def test_what_can_not_be_loaded_is_said(site: Path, entries: str, message: str) -> None:
    raising = "def __getattr__(name):\n    if name == 'raising':\n        1 / 0\n    raise AttributeError(name)\n"
    sys.modules.pop("roundshapes", None)
    install(site, "roundshapes", entries, raising)
    with pytest.raises(ConfigError) as caught:
        door().load("circle")
    assert message in str(caught.value)


def test_a_name_of_two_distributions_is_refused(site: Path) -> None:
    install(site, "one", "circle = one:CIRCLE")
    install(site, "two", "circle = two:CIRCLE")
    with pytest.raises(ConfigError, match="shape 'circle' comes from one and two"):
        door().load("circle")


def test_what_is_no_such_thing_is_refused_and_what_its_code_raises_is_blamed_on_it(site: Path) -> None:
    sys.modules.pop("roundshapes", None)
    install(site, "roundshapes", "circle = roundshapes:CIRCLE\nword = roundshapes:WORD", "CIRCLE, WORD = 1, 'round'\n")
    shapes: Door[object] = Door("shape", "test.shapes", {"square": 4}, lambda found: isinstance(found, int))
    with pytest.raises(
        ConfigError, match=r"shape 'word' of roundshapes is 'round'; expected what docs/extend\.md specifies"
    ):
        shapes.load("word")
    said = r"shape 'circle' of roundshapes failed \(OSError: no network\)"
    with pytest.raises(ConfigError, match=said), shapes.blamed("circle"):
        raise OSError("no network")
    with pytest.raises(OSError, match="a bug of ours"), shapes.blamed("square"):
        raise OSError("a bug of ours")
    assert shapes.distribution("circle") == {"roundshapes": "1.0"} and shapes.distribution("square") == {}
