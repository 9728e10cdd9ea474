"""The documentation: what is generated is up to date, links lead somewhere, the notebook runs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from frostline.pipeline.cli.commands.table import COMMANDS
from frostline.pipeline.cli.parsers import parser_of
from support.pictures import encoded, picture, put
from support.project import REPOSITORY, Command
from tools import reference

DOCS = REPOSITORY / "docs"
TUTORIAL = (DOCS / "tutorial.md").read_text()
PAGES = [*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")]
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NO_SLUG = re.compile(r"[^\w\- ]")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {_NO_SLUG.sub("", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", h).lower()).replace(" ", "-") for h in headings}


def broken_links(page: Path) -> list[str]:
    found = []
    for target in _LINK.findall(_CODE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_within_the_project_lead_to_a_file_and_a_heading(page: Path) -> None:
    assert not broken_links(page)


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](#one) [b](#two) [c](no.md) [d](https://example.org/no) `[e](no.md)`\n")
    assert broken_links(page) == ["#two", "no.md"]


def commands_in(page: Path) -> list[list[str]]:
    """The words of each `frostline` command in the code blocks of a page, continued lines joined."""
    blocks = re.findall(r"```(?:bash|console)\n(.*?)```", page.read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    found = [re.match(r"(?:\$ )?(?:.*\| )?frostline (.*)", line) for line in lines]
    return [shlex.split(one[1], comments=True) for one in found if one]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_commands_in_the_documentation_have_flags_that_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return  # it tells what was
    for command, *words in commands_in(page):
        if command.startswith("-"):
            continue
        known = {flag for action in parser_of(command)._actions for flag in action.option_strings}
        assert not [word for word in words if word.startswith("--") and word.partition("=")[0] not in known], words


def test_commands_are_found_in_code_blocks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ frostline run --a \\\n  'b c' # no\nfrostline: output\n```\n```text\nfrostline ls\n```\n"
    )
    assert commands_in(page) == [["run", "--a", "b c"]]


def test_the_settings_are_documented_as_they_are() -> None:
    """If this fails, run ``python -m tools.reference``."""
    page = (DOCS / "settings.md").read_text()
    assert reference.settings_page(page) == page


def test_the_commands_are_documented_as_they_are() -> None:
    """If this fails, run ``python -m tools.reference``."""
    assert (DOCS / "commands.md").read_text() == reference.commands_page()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_of_a_command_is_in_the_reference(command: str) -> None:
    page = (DOCS / "commands.md").read_text() + (DOCS / "settings.md").read_text()
    flags = [one.flag for group in reference.groups(command).values() for one in group]
    assert not [flag for flag in flags if f"`{flag}" not in page]


def test_the_map_names_every_room() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text()
    rooms = [path.parent for top in ("stages", "pipeline") for path in (REPOSITORY / top).glob("*/__init__.py")]
    assert not [room for room in rooms if f"`{room.relative_to(REPOSITORY)}`" not in text]


def test_the_notebook_runs_offline(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(REPOSITORY / "examples" / "quickstart.ipynb", as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    assert "<table" in outputs[0].data["text/html"] and "ridge on resnet8-cifar10" in outputs[1].text
    assert "image/png" in outputs[3].data and "Twice as many labels" in outputs[4].text


def test_the_tutorials_script_answers_as_predict_does(frostline: Command, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the tutorial runs its file with onnxruntime, which is not installed")
    for seed in range(16):
        kind = ("no-people", "people")[seed % 2]
        put(
            tmp_path / "photographs" / kind / f"{seed}.jpg",
            encoded(picture(seed, (300, 240 + 60 * (seed % 2))), "JPEG"),
        )
    done = frostline(
        "run", "--dataset", "folder:photographs", "--backbone", "squeezenet1_1", "--weights", "random", "--grid", "C=1"
    )
    assert done.returncode == 0, done.stderr
    (head,) = (tmp_path / "data" / "heads").glob("photographs-squeezenet1_1-logreg-*")
    frostline("export", str(head), "people.onnx")
    pictures = [str(path) for path in sorted((tmp_path / "photographs").glob("*/*"))[:6]]
    ours = json.loads(frostline("predict", str(head), *pictures, "--json").stdout)
    (tmp_path / "check.py").write_text(
        re.findall(r"<!-- file: check.py -->\n```python\n(.*?)```", TUTORIAL, re.DOTALL)[0]
    )
    asked = [sys.executable, "check.py", *pictures]
    said = subprocess.run(asked, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.splitlines()
    classes, resize, crop = ["no-people", "people"], 256, 224
    assert said[0] == f"{classes} resize {resize} crop {crop}"
    assert f"RESIZE = {resize}, CROP = {crop};" in TUTORIAL and f"CLASSES = {json.dumps(classes)};" in TUTORIAL
    theirs = [(label, float(percent.rstrip("%")) / 100) for _, label, percent in map(str.split, said[1:])]
    assert theirs == [(one["label"], pytest.approx(one["classes"][0][1], abs=0.02)) for one in ours]
