"""Errors of the stages in the words of an estimator: its parameters, where the command line has flags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from frostline.stages.errors import ConfigError, DataError

_FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?: (loo|auto|N|\d+|standardize|l2|balanced)\b)?")
_OF_SOLVER = re.compile(r"^[\w:.]+ with \{.*?\}: (.*); see --head-params$", re.DOTALL)


@contextmanager
def as_value_error(names: Mapping[str, str]) -> Iterator[None]:
    """Raise ValueError, as scikit-learn's estimators do, for settings and samples that can't be used.

    ``names``: what the estimator calls a setting, and other phrases, where they differ; see ``in_python``.
    """
    try:
        yield
    except (ConfigError, DataError) as error:
        raise ValueError(in_python(str(error), names)) from error


def in_python(message: str, names: Mapping[str, str]) -> str:
    """Return a message with parameters in place of flags.

    ``names``: by the name of a setting, such as "folds", or by a whole phrase, which goes first.

    >>> in_python("use --folds N, or leave --grid out", {"folds": "cv", "leave --grid out": "leave Cs out"})
    'use cv=5, or leave Cs out'
    """
    message = _OF_SOLVER.sub(r"\1", message)
    for phrase in sorted(names, key=len, reverse=True):
        message = message.replace(phrase, names[phrase]) if "--" in phrase or " " in phrase else message
    return _FLAG.sub(lambda found: _parameter(found[1].replace("-", "_"), found[2], names), message)


def _parameter(setting: str, value: str | None, names: Mapping[str, str]) -> str:
    name = names.get(setting, setting)
    if value is None:
        return name
    if value == "N":
        return f"{name}=5"
    return f"{name}={value}" if value.isdigit() else f"{name}={value!r}"
