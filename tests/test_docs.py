"""The documentation: what is generated is up to date, links lead somewhere, the notebook runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from frostline.pipeline.cli.commands.table import COMMANDS
from support.project import REPOSITORY
from tools import reference

DOCS = REPOSITORY / "docs"
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
    flags = [one.name for group in reference.groups(command).values() for one in group]
    assert not [name for name in flags if f"`{name}" not in page]


def test_the_notebook_runs_offline(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(REPOSITORY / "examples" / "quickstart.ipynb", as_version=4)
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    assert "pixels" in outputs[0].text and "image/png" in outputs[2].data and "Twice the labels" in outputs[3].text
