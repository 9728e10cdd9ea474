"""Messages that speak of flags and commands, in the words of Python: keywords and functions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from frostline.stages.errors import FrostlineError

_COMMAND = re.compile(r"`frostline (run|extract|fit|evaluate)`")
_TASK = re.compile(r"--task (single-label|multi-label|regression)\b")
_FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*[a-z])\b")
_CODE = re.compile(r"(`[^`]*`)")


def in_python(text: str) -> str:
    """Return a message with keywords for flags, and functions for the commands that are functions, too.

    What stands between backquotes is of the command line, and stays.

    >>> in_python("expected several values of --grid with --per-label; `frostline extract` computes them")
    'expected several values of grid with per_label; frostline.extract(…) computes them'
    >>> in_python("choose --task regression, or `frostline predict --out FILE`")
    'choose task="regression", or `frostline predict --out FILE`'
    """
    parts = _CODE.split(_COMMAND.sub(r"frostline.\1(…)", text))
    return "".join(part if part.startswith("`") else _keywords(part) for part in parts)


@contextmanager
def python_words() -> Iterator[None]:
    """Let errors of Frostline through, in the words of Python."""
    try:
        yield
    except FrostlineError as error:
        error.args = tuple(in_python(one) if isinstance(one, str) else one for one in error.args)
        raise


def _keywords(text: str) -> str:
    return _FLAG.sub(lambda found: found[1].replace("-", "_"), _TASK.sub(r'task="\1"', text))
