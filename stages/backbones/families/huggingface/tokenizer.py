"""The tokenizer of a folder: transformers' own, that of the library ``tokenizers``, and the digest of its files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frostline.stages.backbones.families.model_folder import ModelFolder
from frostline.stages.errors import ConfigError, shortened
from frostline.stages.modalities.text.transform import Encoding
from frostline.stages.records.sealed import digest, file_digest

if TYPE_CHECKING:
    import tokenizers

TOKENIZER = "tokenizer.json"
CONFIG = "tokenizer_config.json"
_FILES = (
    TOKENIZER,
    CONFIG,
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "spm.model",
    "sentencepiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
_MOST_BYTES = 256 << 20
_MOST_GROWTH = 64  # characters that normalisation may make of one
_MOST_SPECIAL = 16
UNBOUNDED = 1 << 24  # transformers says 1e30 where a tokenizer has no bound


class FastTokenizer:
    """Texts to token ids, in windows; what ``frostline.stages.modalities.text.transform.Tokenizer`` asks for."""

    def __init__(
        self, backend: tokenizers.Tokenizer, pad: int, max_length: int, side: str, special: Iterable[int] = ()
    ) -> None:
        backend.no_padding()
        backend.enable_truncation(max_length, direction=side)
        self._backend, self.pad = backend, pad
        self.special = frozenset((pad, *special))
        self.vocabulary = backend.get_vocab_size(with_added_tokens=True)

    def encode(self, text: str) -> Encoding:
        found: Encoding = self._backend.encode(text)
        return found


def tokenizer_files(folder: ModelFolder) -> list[Path]:
    """Return the files that a tokenizer is read from."""
    return [path for name in _FILES if (path := folder.file(name))]


def tokenizer_digest(folder: ModelFolder, more: Iterable[Any] = ()) -> str:
    """Return the SHA-256 over the names and bytes of a tokenizer's files, and what else it is made with."""
    return digest([*([path.name, file_digest(path)] for path in tokenizer_files(folder)), *more])


def check_tokenizer(folder: ModelFolder) -> None:
    """Raise ConfigError for a tokenizer that is not there, or of which a few bytes of text could take all memory."""
    files = tokenizer_files(folder)
    if not files:
        raise ConfigError(f"{folder.name}: no {TOKENIZER} in {folder.path}; expected a tokenizer next to the weights")
    if (folder.json(CONFIG) or {}).get("fast_tokenizer_files"):
        raise ConfigError(
            f"{folder.name}: {CONFIG} names files other than {TOKENIZER}; remove fast_tokenizer_files from it"
        )
    for path in files:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path} has {path.stat().st_size:,} bytes; expected at most {_MOST_BYTES:,}")
        if path.name == TOKENIZER:
            _check_growth(path)


def _check_growth(path: Path) -> None:
    try:
        said = json.loads(path.read_bytes())
        growth = _growth(said.get("normalizer"))
    except (OSError, ValueError, RecursionError, AttributeError, TypeError) as error:
        raise ConfigError(f"can't read {path} ({shortened(str(error))}); expected a tokenizer as JSON") from error
    if growth > _MOST_GROWTH:
        raise ConfigError(
            f"{path}: its normalizer turns one character into {growth:,}; expected at most {_MOST_GROWTH}"
        )


def _growth(step: Any) -> int:
    """Return how many characters a normaliser, or a sequence of some, may make of one, at most."""
    if not isinstance(step, dict):
        return 1
    total = max(1, len(str(step.get("content") or step.get("prepend") or "")))
    for inner in step.get("normalizers") or ():
        total *= _growth(inner)
        if total > _MOST_GROWTH:
            break
    return total


def has_lowercase(normalizer: Any) -> bool:
    """Whether a normaliser of ``tokenizers``, or one of a sequence, is ``Lowercase``."""
    from tokenizers.normalizers import Lowercase, Sequence

    several = isinstance(normalizer, Sequence)
    parts = [normalizer[place] for place in range(len(normalizer))] if several else [normalizer]
    return any(isinstance(one, Lowercase) for one in parts)


def lowercased(backend: tokenizers.Tokenizer) -> None:
    """Have a tokenizer make texts lower case first, as sentence-transformers' ``do_lower_case`` does."""
    from tokenizers.normalizers import Lowercase, Sequence

    own = backend.normalizer
    if not has_lowercase(own):
        backend.normalizer = Sequence([Lowercase(), *([own] if own is not None else [])])


def check_special(folder: ModelFolder, backend: tokenizers.Tokenizer, max_length: int) -> None:
    """Raise ConfigError where special tokens leave no room for the text's own."""
    special = backend.num_special_tokens_to_add(is_pair=False)
    if special > _MOST_SPECIAL or special >= max_length:
        raise ConfigError(
            f"{folder.name}: {special} special tokens, but --max-length is {max_length}; expected a larger "
            "--max-length, so that there is room for the text"
        )
