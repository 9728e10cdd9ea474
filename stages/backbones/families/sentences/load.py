"""A folder of sentence-transformers as a backbone: its modules, computed by our own over the transformers model."""

from __future__ import annotations

import logging

from torch import nn

from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint
from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.huggingface.download import download
from frostline.stages.backbones.families.huggingface.folder import cached, find_folder, weights_digest
from frostline.stages.backbones.families.huggingface.load import FILES
from frostline.stages.backbones.families.huggingface.models import fill
from frostline.stages.backbones.families.huggingface.text_module import Normalized, Projected, TextEncoder
from frostline.stages.backbones.families.huggingface.texts import Ways, check_takes_texts, loaded_text, tokens_of
from frostline.stages.backbones.families.model_folder import ModelFolder
from frostline.stages.backbones.families.sentences.folder import Sentences, Step, digest_of, read_sentences
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.errors import ConfigError, shortened
from frostline.stages.modalities.text.transform import Tokens
from frostline.stages.records.sealed import digest

log = logging.getLogger("frostline")
_ACTIVATIONS = {kind.__name__: kind for kind in (nn.Identity, nn.Tanh, nn.ReLU, nn.GELU, nn.Sigmoid, nn.SiLU)}
_WIDEST = 1 << 16


def from_folder(request: BackboneRequest) -> LoadedModel:
    """Return the encoder that a request names. Raises ConfigError: see ``Family.load``."""
    folder = find_folder(request.name, "st") or _downloaded(request.name)
    sentences = read_sentences(folder)
    check_pool(request, sentences)
    files = sentences.transformer.weights()
    if not files:
        raise ConfigError(f"{folder.name}: no model.safetensors in {sentences.transformer.path}; download it again")
    model = fill(sentences.transformer, files).model
    check_takes_texts(folder.name, model)
    ways = Ways(sentences.prompt, sentences.max_length, sentences.lower_case)
    how = tokens_of(sentences.transformer, model, ways, request.preprocessing)
    module = TextEncoder(model, sentences.modes, _after(sentences), _skipped(sentences, how))
    weights = weights_digest(files)
    others = sentences.weights()
    weights = digest([weights, *others]) if others else weights
    return loaded_text(
        sentences.transformer, module, how, sentences.pool, weights, [f"modules {digest_of(sentences)[:16]}"]
    )


def check_pool(request: BackboneRequest, sentences: Sentences) -> None:
    """Raise ConfigError where another pooling is asked for than the folder's own."""
    if request.pool not in (None, sentences.pool):
        raise ConfigError(
            f"--pool {request.pool} for st:{request.name}, which pools by {sentences.pool}; leave --pool out, or "
            "use the model without its modules: hf:NAME"
        )


def _downloaded(name: str) -> ModelFolder:
    download(name, FILES, "give a folder: st:FOLDER")
    folder = cached(name, "st")
    if folder is None:
        raise ConfigError(f"st:{name} has no config.json with a model.safetensors next to it; choose another model")
    return folder


def _skipped(sentences: Sentences, how: Tokens) -> int:
    """Return how many tokens of the prompt are not pooled: all, where the folder says so, but for special ones."""
    if sentences.includes_prompt or not how.prompt or how.table is None:
        return 0
    if how.windows != "first":
        raise ConfigError(
            f"{sentences.folder.name} excludes the prompt from pooling; leave --windows {how.windows} out"
        )
    found = how.table.encode(how.prompt)
    return len(found.ids) - found.special_tokens_mask[-1]


def _after(sentences: Sentences) -> list[nn.Module]:
    return [Normalized() if step.kind == "Normalize" else _projected(sentences, step) for step in sentences.after]


def _projected(sentences: Sentences, step: Step) -> nn.Module:
    """Return a ``Dense`` with its weights. Raises ConfigError for sizes and activations that can't be."""
    widths = (step.said.get("in_features"), step.said.get("out_features"))
    named = str(step.said.get("activation_function", "torch.nn.modules.activation.Tanh"))
    known = _ACTIVATIONS.get(named.rpartition(".")[2]) if named.startswith("torch.nn.modules.") else None
    if known is None or not all(type(one) is int and 0 < one <= _WIDEST for one in widths):
        raise ConfigError(
            f"{sentences.folder.name}: a Dense of {widths} features with {shortened(named)}; expected numbers, and one "
            f"of torch's {', '.join(_ACTIVATIONS)}"
        )
    files = step.folder.weights()
    if not files:
        raise ConfigError(f"{sentences.folder.name}: no weights in {step.folder.path}; download it again")
    ends = (int(str(widths[0])), int(str(widths[1])))
    options = {"bias": step.said.get("bias") is not False, "residual": step.said.get("use_residual") is True}
    module = Projected(ends, known(), **options)
    load_weights(module, read_checkpoint(files[0]), files[0])
    return module
