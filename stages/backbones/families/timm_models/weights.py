"""Weights for timm's models: where they lie, and how they are put into a network that timm builds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from timm.models import _builder
from timm.models._hub import download_cached_file, download_from_hf
from torch import Tensor, nn

from frostline.stages.backbones.checkpoints.parts import ten_of
from frostline.stages.backbones.checkpoints.prefixes import under_prefix
from frostline.stages.backbones.checkpoints.refused import check_extra, check_numbers
from frostline.stages.errors import ConfigError, listing

log = logging.getLogger("frostline")
Filter = Callable[..., dict[str, Tensor]]


@dataclass
class Fit:
    """What a checkpoint and a network have in common, and what not; by name.

    ``resampled``: position embeddings and the like, which timm made again for another size of images.
    """

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshapen: dict[str, str] = field(default_factory=dict)
    resampled: list[str] = field(default_factory=list)


@contextmanager
def weights_given(tensors: Mapping[str, Tensor], where: object) -> Iterator[Fit]:
    """Have timm's builders, which know how each model's checkpoints are named, take what is read already.

    Their own way of reading would run code that a checkpoint may hold, and only logs what is missing.
    """
    original, fit = _builder.load_pretrained, Fit()

    def give(model: nn.Module, *_: Any, filter_fn: Filter | None = None, **__: Any) -> None:
        named = under_prefix(model.state_dict(), tensors, where)
        found = _filtered(filter_fn, dict(named), model)
        check_numbers(model.state_dict(), found, where)
        _fill(model, found, named, fit)

    _builder.load_pretrained = give
    try:
        yield fit
    finally:
        _builder.load_pretrained = original


def _filtered(filter_fn: Filter | None, tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    if filter_fn is None:
        return tensors
    try:
        return filter_fn(tensors, model)
    except TypeError:  # older ones take the tensors alone
        return filter_fn(tensors)


@torch.no_grad()
def _fill(model: nn.Module, found: dict[str, Tensor], as_read: Mapping[str, Tensor], fit: Fit) -> None:
    own = model.state_dict()
    unlike = {name for name in own.keys() & found.keys() if own[name].shape != found[name].shape}
    fit.misshapen |= {n: f"{tuple(found[n].shape)} found, {tuple(own[n].shape)} expected" for n in sorted(unlike)}
    fit.unexpected += [name for name in found if name not in own]
    fit.missing += [name for name in own if name not in found and not name.endswith("num_batches_tracked")]
    fit.resampled += [n for n in found if n in as_read and n not in unlike and found[n].shape != as_read[n].shape]
    model.load_state_dict({n: found[n] for n in found if n in own and n not in unlike}, strict=False)


def check_fit(model: nn.Module, fit: Fit, where: Path) -> None:
    """Raise ConfigError that lists what of a network without its classifier a checkpoint lacks or has otherwise.

    What it has in addition, but for the classifier's own, is logged; more of a network is an error, too.
    """
    kept = set(model.state_dict())
    wrong = ten_of("missing: ", [name for name in fit.missing if name in kept])
    wrong += ten_of("shape of ", [f"{name}: {how}" for name, how in fit.misshapen.items() if name in kept])
    if wrong:
        raise ConfigError(f"the weights {where} don't fit the model:\n{listing(wrong, len(wrong))}")
    check_extra(fit.unexpected, where)
    if fit.unexpected:
        unexpected = ten_of("", fit.unexpected)
        log.warning("%s holds tensors that the model has no place for:\n%s", where, listing(unexpected))


def published_file(name: str, cfg: Mapping[str, Any]) -> Path:
    """Return the file of a tag's weights, from timm's caches or downloaded as timm does. Raises ConfigError."""
    try:
        if cfg.get("hf_hub_id"):
            return _from_hub(str(cfg["hf_hub_id"]), cfg.get("hf_hub_filename"))
        if cfg.get("url"):
            return Path(download_cached_file(cfg["url"], check_hash=True))
    except Exception as error:  # no network, no such file, HF_HUB_OFFLINE: each library has its own
        place = cfg.get("hf_hub_id") or cfg.get("url")
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"can't download the weights of timm:{name} from {place} ({type(error).__name__}: {reason})\n"
            "Download them where there is a network, and name the file: --weights FILE; or use --weights random"
        ) from error
    raise ConfigError(f"timm publishes no weights for {name}; expected --weights FILE or --weights random")


def file_names(wanted: str | None) -> list[str]:
    """Return the names under which a hub may hold weights, safetensors first, as timm prefers them."""
    if wanted is None:
        return ["model.safetensors", "pytorch_model.bin"]
    return [wanted.removesuffix(".bin") + ".safetensors", wanted] if wanted.endswith(".bin") else [wanted]


def _from_hub(repository: str, wanted: str | None) -> Path:
    from huggingface_hub.errors import EntryNotFoundError

    *first, last = file_names(wanted)
    for name in first:
        try:
            return Path(download_from_hf(repository, name))
        except EntryNotFoundError:
            continue
    return Path(download_from_hf(repository, last))
