"""Tiny models of texts with random weights, as transformers and sentence-transformers save them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

_SAID = "<pad> <unk> <s> </s> <mask> the a cat dog sat on mat who what when is was river long query : . , ?"
WORDS = _SAID.split()
WIDTH, PLACES = 32, 64
TEXTS = [
    "the cat sat on the mat .",
    "who",
    "What is a river ?",
    "the dog was long , " * 7,
    "a river is long . " * 40,
    "unknown words everywhere",
]
_SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "hidden_size": WIDTH}
_COMMON = {"vocab_size": len(WORDS), "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}
CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", {**_SIZES, "max_position_embeddings": PLACES}),
    "roberta": ("Roberta", {**_SIZES, "max_position_embeddings": PLACES + 1}),
    "xlm-roberta": ("XLMRoberta", {**_SIZES, "max_position_embeddings": PLACES + 1}),
    "distilbert": (
        "DistilBert",
        {"n_layers": 2, "n_heads": 2, "dim": WIDTH, "hidden_dim": 64, "max_position_embeddings": PLACES},
    ),
    "mpnet": ("MPNet", {**_SIZES, "max_position_embeddings": PLACES + 2, "pad_token_id": 1}),
    "electra": ("Electra", {**_SIZES, "embedding_size": WIDTH, "max_position_embeddings": PLACES}),
    "deberta-v2": (
        "DebertaV2",
        {**_SIZES, "max_position_embeddings": PLACES, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    ),
    "gpt2": ("GPT2", {"n_layer": 2, "n_head": 2, "n_embd": WIDTH, "n_positions": PLACES, "n_ctx": PLACES}),
    "modernbert": (
        "ModernBert",
        {**_SIZES, "max_position_embeddings": PLACES, "local_attention": 16, "cls_token_id": 2, "sep_token_id": 3},
    ),
}


def tokenizer(pad: str = "<pad>") -> Any:
    """Return a tokenizer of a few words, lower case, with a special token before and behind the text."""
    backend = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.normalizer = normalizers.Lowercase()
    special = [("<s>", 2), ("</s>", 3)]
    backend.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=special)
    names = {"pad_token": pad, "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
    return hf.PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=PLACES, **names)


def save_text_model(folder: Path, name: str) -> Any:
    """Save a model of a configuration with its tokenizer; return the model."""
    prefix, sizes = CONFIGURATIONS[name]
    config = getattr(hf, f"{prefix}Config")(**{**_COMMON, **sizes})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(hf, f"{prefix}Model")(config).eval()
    model.save_pretrained(folder)
    tokenizer("<unk>" if name == "mpnet" else "<pad>").save_pretrained(folder)
    return model


def save_sentences(folder: Path, base: Path, *, pooling: Any = "mean", dense: bool = False, **more: Any) -> Any:
    """Save an encoder of sentence-transformers over a model of transformers; return it.

    ``more``: what it is given besides, such as prompts; ``normalize``, ``include_prompt`` and ``max_length`` are ours.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    normalize, include = more.pop("normalize", False), more.pop("include_prompt", True)
    length = more.pop("max_length", None)
    first = Transformer(str(base), **({"max_seq_length": length} if length else {}))
    modules = [first, Pooling(WIDTH, pooling, include_prompt=include)]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        modules += [Dense(modules[1].pooling_output_dimension, 16)] if dense else []
    modules += [Normalize()] if normalize else []
    model = SentenceTransformer(modules=modules, device="cpu", **more)
    model.save_pretrained(str(folder))
    return model
