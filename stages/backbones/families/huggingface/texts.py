"""A folder's model for texts: its tokens, how many it takes, and how they are pooled."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoTokenizer

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.huggingface.folder import config_digest
from frostline.stages.backbones.families.huggingface.models import Filled, check_configuration, said_by_transformers
from frostline.stages.backbones.families.huggingface.text_module import TextEncoder
from frostline.stages.backbones.families.huggingface.text_pools import POOLER, POOLS
from frostline.stages.backbones.families.huggingface.tokenizer import (
    CONFIG,
    UNBOUNDED,
    FastTokenizer,
    check_special,
    check_tokenizer,
    lowercased,
    tokenizer_digest,
)
from frostline.stages.backbones.families.model_folder import ModelFolder
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError, listing, shortened
from frostline.stages.modalities.items import stacked
from frostline.stages.modalities.text.transform import Tokens

log = logging.getLogger("frostline")


@dataclass(frozen=True)
class Ways:
    """How texts become tokens, as a folder says it. ``lower_case``: before all else; ``max_length``: None: unsaid."""

    prompt: str = ""
    max_length: int | None = None
    lower_case: bool = False


def tokens_of(folder: ModelFolder, model: Any, ways: Ways, asked: Mapping[str, Any]) -> Tokens:
    """Return how texts become a model's tokens; ``asked``: what of it the user says. Raises ConfigError."""
    check_tokenizer(folder)
    check_configuration(folder, folder.json(CONFIG))
    with said_by_transformers(folder):
        found = AutoTokenizer.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)
        backend = found.backend_tokenizer
    if ways.lower_case:
        lowercased(backend)
    max_length = _max_length(folder, model, found, asked.get("max_length") or ways.max_length)
    check_special(folder, backend, max_length)
    pad = found.pad_token_id if found.pad_token_id is not None else 0
    _check_ids(folder, model, backend.get_vocab_size(with_added_tokens=True))
    how = Tokens(
        tokenizer_digest(folder, ["lower case"] if ways.lower_case else []),
        max_length,
        asked["prompt"] if asked.get("prompt") is not None else ways.prompt,
        asked.get("windows") or "first",
        FastTokenizer(backend, pad, max_length, found.truncation_side, found.all_special_ids),
    )
    if not how.has_room:
        raise ConfigError(
            f"the prompt {shortened(how.prompt)!r} uses all {max_length} tokens; expected a shorter prompt"
        )
    return how


def _max_length(folder: ModelFolder, model: Any, tokenizer: Any, asked: int | None) -> int:
    """Return how many tokens a model is given at most. Raises ConfigError where nothing says it, or it can't be."""
    places = positions(model)
    known = [n for n in (places, int(min(tokenizer.model_max_length, UNBOUNDED))) if n is not None and n < UNBOUNDED]
    if asked is None and not known:
        raise ConfigError(
            f"{folder.name}: its maximum number of tokens is not recorded; give it, for example --max-length 512"
        )
    if asked is not None and places is not None and asked > places:
        raise ConfigError(f"{folder.name} takes at most {places:,} tokens, not {asked:,}; see --max-length")
    return min(known) if asked is None else asked


def positions(model: Any) -> int | None:
    """Return for how many tokens a model has positions, None where it counts them otherwise."""
    most = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(most, int) or most < 1:
        return None
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    first = getattr(table, "padding_idx", None)
    return most if first is None else most - first - 1  # RoBERTa's begin behind that of padding


def _check_ids(folder: ModelFolder, model: Any, ids: int) -> None:
    table = model.get_input_embeddings()
    rows = getattr(table, "num_embeddings", None)
    if rows is not None and ids > rows:
        raise ConfigError(
            f"{folder.name}: its tokenizer has {ids:,} tokens, the model {rows:,}; expected the tokenizer of this model"
        )


def check_takes_texts(name: str, model: Any) -> None:
    """Raise ConfigError for a model that is not one of texts alone, from tokens to their hidden states."""
    kind, main = type(model).__name__, model.main_input_name
    if main != "input_ids" or hasattr(model, "vision_model"):
        raise ConfigError(f"{name} is a {kind}, which takes {main}; expected a model of texts")
    if model.config.is_encoder_decoder:
        raise ConfigError(f"{name} is a {kind}, an encoder and a decoder; expected a model with only one of them")


def loaded_text(
    folder: ModelFolder, module: TextEncoder, how: Tokens, pool: str, weights: str, code: Sequence[str] = ()
) -> LoadedModel:
    """Return a network of texts as its family gives it."""
    configuration = f"configuration {config_digest(folder.config())[:16]}"
    width = _width(module, how)
    return LoadedModel(
        module,
        weights,
        how,
        code=", ".join((configuration, *code)),
        layer=OUTPUT,
        pool=pool,
        width=width,
        licence=folder.licence(),
    )


@torch.inference_mode()
def _width(module: nn.Module, how: Tokens) -> int:
    noise = {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in stacked(how.noise(1)).items()}
    found: int = module.eval()(**noise).shape[1]
    return found


def modes_of(folder: ModelFolder, filled: Filled, pool: str) -> tuple[str, ...]:
    """Return how a model's tokens are pooled. Raises ConfigError where its own pooled output is none, or random."""
    if pool == POOLER:
        if filled.pooler_missing:
            raise ConfigError(
                f"{folder.name}: the weights of its pooling layer are missing and would be random; choose --pool "
                f"mean, cls or last. Missing:\n{listing(filled.pooler_missing)}"
            )
        if getattr(filled.model, "pooler", None) is None:
            raise ConfigError(f"{folder.name} has no pooling layer; choose --pool mean, cls or last")
    return POOLS[pool]
