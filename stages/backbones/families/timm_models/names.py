"""What timm calls its models, and what it knows of each before it is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import timm
import torch
from timm.models import get_arch_pretrained_cfgs, get_pretrained_cfg, is_model, list_models, list_pretrained
from torch import nn

from frostline.stages.backbones.families.base import Encoder
from frostline.stages.backbones.families.timm_models.weights import file_names
from frostline.stages.errors import unknown_name


def check_name(name: str) -> None:
    """Raise ConfigError with the nearest names if timm has no such architecture, or it has no such tag."""
    architecture, _, tag = name.partition(".")
    if not is_model(architecture):
        raise unknown_name("timm model", name, list_models(), "`frostline encoders timm:` lists them")
    known = [one.partition(".")[2] for one in get_arch_pretrained_cfgs(architecture)]
    if tag and tag not in known:
        raise unknown_name(f"tag of {architecture}", tag, known)


def all_names() -> Iterable[str]:
    """Return every architecture, and every one with a tag that has published weights."""
    return sorted({*list_models(), *list_pretrained()})


def described(name: str) -> Encoder:
    """Return what is known of a model; its width is that of a network without memory."""
    cfg = get_pretrained_cfg(name).to_dict()
    _, height, width = cfg["input_size"]
    return Encoder(_width_without_memory(name), (height, width), str(cfg.get("license") or ""), _is_here(cfg))


def _width_without_memory(name: str) -> int | None:
    try:
        with torch.device("meta"):
            model: Any = timm.create_model(name)
            model.reset_classifier(0)
        return width_of(model)
    except Exception:  # of a thousand models' code, some of which reads values while it builds; the width is not shown
        return None


def _is_here(cfg: Mapping[str, Any]) -> bool | None:
    """Whether a tag's weights are in timm's caches; None where none are published."""
    if cfg.get("hf_hub_id"):
        from huggingface_hub import try_to_load_from_cache

        names = file_names(cfg.get("hf_hub_filename"))
        return any(isinstance(try_to_load_from_cache(cfg["hf_hub_id"], name), str) for name in names)
    if cfg.get("url"):
        return Path(torch.hub.get_dir(), "checkpoints", str(cfg["url"]).rpartition("/")[2]).is_file()
    return None


def has_class_token(model: nn.Module) -> bool:
    """Whether the first of a model's tokens is a class token: some have registers alone before the patches'."""
    return any(name.rpartition(".")[2] == "cls_token" for name, _ in model.named_parameters())


def width_of(model: nn.Module) -> int:
    """Return how many features a model gives, as timm says: ``num_features`` is not it where a layer comes after."""
    return int(getattr(model, "head_hidden_size", None) or cast(int, model.num_features))
