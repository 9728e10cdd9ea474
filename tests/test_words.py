"""The words of the code: what a user reads is plain English, by the rules of ``docs/style.md``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import REPOSITORY

FILES = sorted(path for top in ("pipeline", "stages") for path in (REPOSITORY / top).rglob("*.py"))

FORBIDDEN = {
    r"\bwanted\b": "expected",
    r"\bof one's own\b": "your own",
    r"\banew\b": "again",
    r"\b(go|goes|going|gone) on with\b": "continue, resume",
    r"\bgo(es)? on (from|where)\b": "continue, resume",
    r"\bhangs? on\b": "depend on",
    r"\bso (many|much)\b": "a number",
    r"\bat the (most|least)\b": "at most, at least",
    r"\b(beside|besides)\b": "next to, in addition to",
    r"\bby itself\b": "alone, separately, automatically",
    r"\bpassed over\b": "skipped",
    r"\btaken for\b": "treated as",
    r"\b(vouch|vouches)\b": "leak",
    r"\bdealt to\b": "split into",
    r"\bthere twice\b": "appears twice",
    r"\bsay which\b": "choose",
    r"\bmend\b": "repair, correct",
    r"\bprocessor cores?\b": "CPU cores",
    r"(?<!there )\b(is|are) no (number|file|folder|name|names|numbers|list|text|UTF-8|report)s?\b": "is not a",
    r"\bmust (needs|not but)\b": "must",
    r"\bor no (more|such)\b": "or none",
}
ALLOWED: dict[tuple[str, str], str] = {}  # (file, the phrase that is there): why it may stay
IN_DOCSTRINGS = (
    r"\bof one's own\b",
    r"\banew\b",
    r"\b(go|goes|going|gone) on with\b",
    r"\bhangs? on\b",
    r"\bpassed over\b",
    r"\bprocessor cores?\b",
    r"\bat the most\b",
    r"\btaken for\b",
)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield each docstring, of attributes too, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def strings(source: str) -> Iterator[tuple[int, str]]:
    """Yield each string that is not a docstring, with its line; a value in an f-string is ``{}``."""
    tree = ast.parse(source)
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            yield node.lineno, "".join(p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def found(source: str, file: str = "") -> list[str]:
    """Return what in a module's strings is not plain, one line each."""
    return [
        f"{file}:{line}: {match.group()!r} in {text.strip()[:100]!r}; say: {better}"
        for line, text in strings(source)
        for phrase, better in FORBIDDEN.items()
        if (match := re.search(phrase, text)) and (file, match.group()) not in ALLOWED
    ]


def test_no_string_has_a_word_that_the_style_rules_out() -> None:
    names = {path: path.relative_to(REPOSITORY).as_posix() for path in FILES}
    wrong = [one for path, name in names.items() for one in found(path.read_text(), name)]
    assert not wrong, "\n".join(wrong)


def test_no_docstring_has_the_words_that_only_we_understood() -> None:
    wrong = [
        f"{path.relative_to(REPOSITORY).as_posix()}:{line}: {match.group()!r}"
        for path in FILES
        for line, text in docstrings(path.read_text())
        for phrase in IN_DOCSTRINGS
        if (match := re.search(phrase, text))
    ]
    assert not wrong, "\n".join(wrong)


def test_an_exception_that_nothing_needs_is_an_error() -> None:
    for file, phrase in ALLOWED:
        assert any(phrase in text for _, text in strings(Path(REPOSITORY / file).read_text())), (file, phrase)


def test_docstrings_are_looked_at() -> None:
    ((line, text),) = docstrings('def f():\n    """Written anew."""\n')
    assert line == 2 and any(re.search(phrase, text) for phrase in IN_DOCSTRINGS)


@pytest.mark.parametrize(
    ("source", "phrase"),
    [
        ('raise ValueError("no file; wanted a table")', "wanted"),
        ('raise ValueError(f"{name} is there twice")', "there twice"),
        ('log.info("%s passed over", "a")', "passed over"),
        ('note = ("split into " f"so many {parts}")', "so many"),
    ],
)
def test_such_a_word_is_found_wherever_it_is(source: str, phrase: str) -> None:
    (one,) = found(source)
    assert repr(phrase) in one and not found(f'def f():\n    """A {phrase} in a docstring of a helper."""\n')
