"""The transformers model of a folder: built of its configuration and filled with its weights by transformers itself."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from frostline.stages.backbones.checkpoints.prefixes import under_prefix
from frostline.stages.backbones.checkpoints.read import read_checkpoint
from frostline.stages.backbones.checkpoints.refused import check_extra, check_numbers
from frostline.stages.backbones.families.model_folder import ModelFolder
from frostline.stages.errors import ConfigError, listing, shortened, unknown_name

log = logging.getLogger("frostline")
_POOLER = "pooler"
_REFUSED = {
    "auto_map": "code that is stored with the weights, which is never run",
    "quantization_config": "quantised weights, which are not supported",
    "fusion_config": "layers that are replaced during loading",
}
_OWN_CHOICE = ("return_dict", "use_return_dict", "output_attentions", "output_hidden_states", "torchscript")
_ATTENTION = ("attn_implementation", "_attn_implementation")
_ARCHITECTURE = re.compile(r"\w[\w.]*", re.ASCII)  # of timm; with a colon or a slash it would be a place to load from


@dataclass(frozen=True)
class Filled:
    """A model with weights. ``pooler_missing``: weights in no file, of a pooling layer that it was built without."""

    model: PreTrainedModel
    pooler_missing: tuple[str, ...] = ()


def build(folder: ModelFolder) -> PreTrainedModel:
    """Return the model of a folder with random weights, always the same. Raises ConfigError."""
    config, kind = _kind(folder)
    with said_by_transformers(folder), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = kind._from_config(config, dtype=torch.float32, **_attention(kind))
    return model


def fill(folder: ModelFolder, files: Sequence[Path], part: str = "") -> Filled:
    """Return the model of a folder with the weights of files, or of a ``part`` of one, in float32.

    Raises ConfigError that lists the weights that are missing, unless they are all of a pooling layer that the model
    can be built without; weights that it has no place for are named in the log.
    """
    config, kind = _kind(folder)
    tensors = _tensors(files, part)
    model, record = _filled(folder, config, kind, tensors)
    if record["missing_keys"] and not _of_pooler(record, kind):
        tensors = under_prefix(model.state_dict(), tensors, files[0])
        model, record = _filled(folder, config, kind, tensors)
    missing = sorted(record["missing_keys"])
    check_numbers(model.state_dict(), tensors, folder.name)
    check_extra(record["unexpected_keys"], folder.name)
    _tell_unexpected(folder, sorted(record["unexpected_keys"]))
    if not missing:
        return Filled(model)
    if _of_pooler(record, kind):
        model, _ = _filled(folder, config, kind, tensors, add_pooling_layer=False)
        return Filled(model, tuple(missing))
    raise ConfigError(
        f"{folder.name}: {len(missing)} weights of {kind.__name__} are missing and would be random; expected "
        f"a complete checkpoint of this model:\n{listing(missing)}"
    )


def _of_pooler(record: Mapping[str, Any], kind: Any) -> bool:
    """Whether all that is missing is of a pooling layer that a class can be built without."""
    is_optional = "add_pooling_layer" in signature(kind).parameters
    return is_optional and all(name.split(".")[0] == _POOLER for name in record["missing_keys"])


def _filled(folder: ModelFolder, config: Any, kind: Any, tensors: Mapping[str, Tensor], **how: Any) -> Any:
    """Return a model and transformers' record of loading it."""
    with said_by_transformers(folder), torch.random.fork_rng(devices=[]):
        return kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(tensors),
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
            **_attention(kind),
            **how,
        )


def _kind(folder: ModelFolder) -> tuple[PreTrainedConfig, Any]:
    """Return the configuration and the class of the model of a folder."""
    said = folder.config()
    check_configuration(folder, said)
    said = {name: value for name, value in said.items() if name not in (*_OWN_CHOICE, *_ATTENTION)}
    kind = str(said.get("model_type") or ("timm_wrapper" if "pretrained_cfg" in said else ""))
    if kind not in CONFIG_MAPPING:
        raise unknown_name(f"kind of model in the configuration of {folder.name}:", kind, CONFIG_MAPPING)
    with said_by_transformers(folder):
        config = CONFIG_MAPPING[kind].from_dict(said)
    if type(config) not in MODEL_MAPPING:
        raise ConfigError(f"{folder.name}: transformers has no headless model for {kind!r}; choose another model")
    found = MODEL_MAPPING[type(config)]
    return config, found[0] if isinstance(found, list | tuple) else found


def check_configuration(folder: ModelFolder, said: Any) -> None:
    """Raise ConfigError where a configuration, or a part of it, asks for code, or names places to load from."""
    if isinstance(said, list):
        for value in said:
            check_configuration(folder, value)
    if not isinstance(said, dict):
        return
    for name, what in _REFUSED.items():
        if said.get(name):
            raise ConfigError(f"{folder.name}: its configuration requires {what} ({name}); choose another model")
    architecture, arguments = said.get("architecture", "x"), said.get("model_args") or {}
    plain = isinstance(arguments, dict) and all(isinstance(value, bool | int | float) for value in arguments.values())
    if not (isinstance(architecture, str) and _ARCHITECTURE.fullmatch(architecture) and plain):
        raise ConfigError(
            f"{folder.name}: its configuration has timm build {shortened(str(architecture))} with "
            f"{shortened(str(arguments))}; expected the name of a timm model, and numbers as arguments"
        )
    for value in said.values():
        check_configuration(folder, value)


def _attention(kind: Any) -> dict[str, str]:
    """Return which implementation of attention a class is built with, whatever its configuration says."""
    return {"attn_implementation": "sdpa" if kind._supports_sdpa else "eager"}


def _tensors(files: Sequence[Path], part: str) -> dict[str, Tensor]:
    """Return the tensors of files, in memory of their own.

    transformers keeps what it is given; in the file's memory its bytes could change, and where they lie in it changes
    the last bits of a product.
    """
    return {name: tensor.clone() for file in files for name, tensor in read_checkpoint(file, part).items()}


def _tell_unexpected(folder: ModelFolder, names: list[str]) -> None:
    if names:
        log.info(
            "%s: %d weights are not used, for example those of a classifier:\n%s",
            folder.name,
            len(names),
            listing(names),
        )


@contextmanager
def said_by_transformers(folder: ModelFolder) -> Iterator[None]:
    """Raise as ConfigError what transformers raises for a configuration or weights; its own messages are left out."""
    verbosity, bars = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    except Exception as error:  # a configuration may be anyone's
        raise ConfigError(
            f"transformers {transformers.__version__} can't load {folder.name} ({type(error).__name__}: "
            f"{shortened(str(error))}); see its configuration and weights"
        ) from error
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.logging.enable_progress_bar()
