"""A folder of sentence-transformers: what its list of modules says. Imports nothing heavy, runs none of its code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frostline.stages.backbones.families.model_folder import ModelFolder
from frostline.stages.errors import ConfigError, listing, shortened
from frostline.stages.records.sealed import digest, file_digest

MODULES = "modules.json"
WAYS = "config_sentence_transformers.json"
_KINDS = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
_OF_TRANSFORMER = tuple(f"sentence_{kind}_config.json" for kind in _KINDS)
_LIBRARY = "sentence_transformers."
_AFTER = ("Dense", "Normalize", "Dropout")
_VECTOR = "sentence_embedding"
_OLD_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_ARGUMENTS = tuple(
    f"{what}_{word}" for what in ("model", "tokenizer", "processor", "config") for word in ("args", "kwargs")
)
_NOT_READ = ("query_expansion", "query_length", "document_length", "processing_kwargs", "unpad_inputs", *_ARGUMENTS)


@dataclass(frozen=True)
class Step:
    """One module behind the pooling: its class, its folder, and what its configuration says."""

    kind: str
    folder: ModelFolder
    said: Mapping[str, Any]


@dataclass(frozen=True)
class Sentences:
    """A folder's list of modules. ``transformer``: the folder of the first; ``modes``: how tokens are pooled."""

    folder: ModelFolder
    transformer: ModelFolder
    max_length: int | None
    lower_case: bool
    modes: tuple[str, ...]
    includes_prompt: bool
    after: tuple[Step, ...]
    prompt: str

    @property
    def pool(self) -> str:
        """How tokens are pooled, as one word."""
        return "+".join(self.modes)

    @property
    def known(self) -> list[Any]:
        """What of it changes a number besides the transformer, its tokenizer and all weights, as JSON values."""
        after = [[step.kind, dict(step.said)] for step in self.after]
        return [self.max_length, self.lower_case, list(self.modes), self.includes_prompt, after, self.prompt]

    def weights(self) -> list[str]:
        """Return the digests of the weights of the modules behind the pooling."""
        files = [file for step in self.after if step.kind == "Dense" for file in step.folder.weights()]
        return [file_digest(file) for file in files]


def read_sentences(folder: ModelFolder) -> Sentences:
    """Return what a folder's modules are. Raises ConfigError for those that are not known, or are anybody's code."""
    listed = _listed(folder)
    kinds = [_kind(folder, one) for one in listed]
    if kinds[:2] != ["Transformer", "Pooling"] or any(kind not in _AFTER for kind in kinds[2:]):
        raise ConfigError(
            f"{folder.name} has the modules {', '.join(kinds) or 'none'}; expected a Transformer, its Pooling and "
            f"maybe {', '.join(_AFTER)}"
        )
    below = [folder.below(str(one.get("path", ""))) for one in listed if _has_folder(folder, one)]
    if len(below) < 2:
        raise ConfigError(f"{folder.name}: the folder of its pooling module is missing; download it again")
    own, pooling = _first(below[0]), below[1].json("config.json") or {}
    _check_transformer(folder, own)
    steps = zip(kinds[2:], listed[2:], strict=True)
    return Sentences(
        folder,
        below[0],
        _number(folder, own.get("max_seq_length")),
        bool(own.get("do_lower_case")),
        _modes(folder, pooling),
        pooling.get("include_prompt") is not False,
        tuple(_step(folder, kind, one) for kind, one in steps if kind != "Dropout"),
        _prompt(folder),
    )


def digest_of(sentences: Sentences) -> str:
    """Return the SHA-256 of what the modules' configurations say."""
    return digest(sentences.known)


def _listed(folder: ModelFolder) -> list[dict[str, Any]]:
    path = folder.file(MODULES)
    if path is None:
        raise ConfigError(
            f"{folder.name}: no {MODULES} in {folder.path}; expected a folder saved by sentence-transformers. "
            "Load a plain transformers model as hf:NAME with --pool"
        )
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size < 1 << 20 else None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"can't read {path}: {shortened(str(error))}; expected JSON") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ConfigError(f"{path} is not a list of modules; expected a folder saved by sentence-transformers")
    return found


def _kind(folder: ModelFolder, module: Mapping[str, Any]) -> str:
    named = str(module.get("type", ""))
    if not named.startswith(_LIBRARY):
        raise ConfigError(
            f"{folder.name} requires code that is stored with the weights, which is never run ({shortened(named)}); "
            "choose another model"
        )
    return named.rpartition(".")[2]


def _has_folder(folder: ModelFolder, module: Mapping[str, Any]) -> bool:
    """Whether a module has a folder: Normalize had none for long, and git keeps no empty ones."""
    return (folder.path / str(module.get("path", ""))).is_dir()


def _step(folder: ModelFolder, kind: str, module: Mapping[str, Any]) -> Step:
    own = folder.below(str(module["path"])) if _has_folder(folder, module) else folder
    said = (own.json("config.json") or {}) if own is not folder else {}
    for name in ("module_input_name", "module_output_name"):
        if said.get(name) not in (None, _VECTOR):
            raise ConfigError(f"{folder.name}: its {kind} has {name} {said[name]!r}; expected {_VECTOR}")
    return Step(kind, own, said)


def _first(transformer: ModelFolder) -> Mapping[str, Any]:
    """Return what the first of its configurations says that is there, as sentence-transformers looks for them."""
    found = (transformer.json(name) for name in _OF_TRANSFORMER)
    return next((said for said in found if said), {})


def _check_transformer(folder: ModelFolder, own: Mapping[str, Any]) -> None:
    asked = [name for name in _NOT_READ if own.get(name)]
    task = own.get("transformer_task") or "feature-extraction"
    if asked or task != "feature-extraction":
        raise ConfigError(
            f"{folder.name}: its Transformer requires options that are not supported:\n{listing([*asked, str(task)])}\n"
            "Choose another model."
        )


def _modes(folder: ModelFolder, pooling: Mapping[str, Any]) -> tuple[str, ...]:
    old = tuple(mode for name, mode in _OLD_MODES.items() if pooling.get(name))
    found = pooling.get("pooling_mode") or old or "mean"
    modes = (found,) if isinstance(found, str) else tuple(map(str, found))
    if wrong := [mode for mode in modes if mode not in _OLD_MODES.values()]:
        raise ConfigError(
            f"{folder.name} pools by {shortened(', '.join(wrong))}; expected {', '.join(_OLD_MODES.values())}"
        )
    return modes


def _number(folder: ModelFolder, found: Any) -> int | None:
    if found is not None and (type(found) is not int or found < 1):
        raise ConfigError(f"{folder.name}: max_seq_length {shortened(str(found))}; expected a number of tokens")
    return found


def _prompt(folder: ModelFolder) -> str:
    """Return the prompt that stands before each text unless another is asked for."""
    said = folder.json(WAYS) or {}
    prompts, name = said.get("prompts"), said.get("default_prompt_name")
    found = prompts.get(name) if isinstance(prompts, dict) and isinstance(name, str) else None
    return found if isinstance(found, str) else ""
