"""The site: ``sphinx-build -n -W --keep-going docs build/site`` makes it, and any warning is an error."""

from importlib.metadata import version as installed
from pathlib import Path

from sphinx.application import Sphinx

project = "Frostline"
author = "The Frostline authors"
version = release = installed("frostline")
extensions = ["myst_parser"]
exclude_patterns = ["plots"]
html_theme = "furo"
html_title = "Frostline"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
smartquotes = False  # they make one dash of the two before a flag
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # blocks with "…" are excerpts

# Pages outside docs/ that are pages of the site, too. README.md is its first page.
INCLUDED = {
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "stages/backbones/families/resnet8/CARD.md": "resnet8.md",
}


def link_included_pages(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Let links to pages outside ``docs/`` lead to the pages of the site that include them."""
    above = "../" if docname.startswith("decisions/") else ""
    for outside, inside in INCLUDED.items():
        source[0] = source[0].replace(f"]({above}../{outside}", f"]({above}{inside}")


def link_from_the_readme(_app: Sphinx, path: Path, _docname: str, source: list[str]) -> None:
    """Let links of README.md, which the first page includes, lead where they lead from the top of the repository."""
    if path.name == "README.md":
        for outside, inside in INCLUDED.items():
            source[0] = source[0].replace(f"]({outside}", f"](docs/{inside}")
        source[0] = source[0].replace("](examples/", "](../examples/")


def setup(app: Sphinx) -> None:
    """Register the hooks above."""
    app.connect("source-read", link_included_pages)
    app.connect("include-read", link_from_the_readme)
