"""What a NAS, an operating system or a notebook leaves next to people's files: nobody's samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from frostline.stages.errors import counted

_FOLDERS = frozenset(
    {
        *("@eadir", "@recycle", "@recently-snapshot", "@sharebin", "@tmp", "@sharesnap", "#recycle", "#snapshot"),
        *("__macosx", ".appledouble", ".appledb", ".trashes", ".spotlight-v100", ".fseventsd", ".temporaryitems"),
        *("network trash folder", "temporary items", "$recycle.bin", "recycler", "system volume information"),
        *("lost+found", ".trash-1000", ".thumbnails", ".@__thumb", ".ipynb_checkpoints", "__pycache__", ".git"),
    }
)
_FILES = frozenset(
    {
        *(".ds_store", "icon\r", ".localized", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
        *(".picasa.ini", "picasa.ini", ".picasaoriginals", ".directory", ".nomedia", ".gitkeep", ".gitignore"),
    }
)


def is_clutter(name: str) -> bool:
    """Return whether a file or folder of this name is such a leftover, wherever it lies.

    >>> is_clutter("@eaDir"), is_clutter("Thumbs.db"), is_clutter("._0001.jpg"), is_clutter("eagle")
    (True, True, True, False)
    """
    low = name.lower()
    return low in _FOLDERS or low in _FILES or low.startswith("._")


def clutter_note(paths: Sequence[str]) -> list[str]:
    """Return one note on the leftovers at these paths, by their names; none if there are none."""
    if not paths:
        return []
    names = Counter("._*" if name.startswith("._") else name for name in (p.rpartition("/")[2] for p in paths))
    said = ", ".join(f"{name} ({n:,})" if n > 1 else name for name, n in names.most_common(5))
    return [f"{counted(len(paths), 'leftover')} of a NAS, an operating system or a notebook skipped: {said}"]
