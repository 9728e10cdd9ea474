"""open_clip's image towers, built by open_clip and filled with weights that are read here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import resize_pos_embed

from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint, state_digest
from frostline.stages.backbones.checkpoints.unloaded import unloaded
from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.huggingface.preprocessing import understood
from frostline.stages.backbones.families.openclip.preprocessing import own_transform, translated
from frostline.stages.backbones.families.openclip.source import TAG_SAYS, Source, source_of
from frostline.stages.backbones.families.openclip.tower import (
    ImageTower,
    patch_size,
    prefix_tokens,
    without_projection,
)
from frostline.stages.backbones.families.resolution import at_resolution, check_patches, image_size
from frostline.stages.backbones.network.joined import names_of
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError, listing, shortened
from frostline.stages.records.sealed import digest, file_digest

log = logging.getLogger("frostline")
PROJECTION = "projection"
_IMAGE_PART = ("embed_dim", "vision_cfg", "quick_gelu")
_TEXT = {"context_length": 8, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1}  # of a tower that is thrown away


def from_open_clip(request: BackboneRequest) -> LoadedModel:
    """Return the image tower that a request names. Raises ConfigError: see ``Family.load``."""
    source = source_of(request.name)
    model = _built(source)
    with understood(source.called):
        trained = translated(model.visual.preprocess_cfg)
    how = at_resolution(trained, request.preprocessing)
    size = image_size(how, request.preprocessing)
    resized = None if size == image_size(trained, {}) else size
    model, weights, refitted = _filled(source, model, request, resized)
    library = dict(model.visual.preprocess_cfg)
    projection = without_projection(model.visual)
    if projection is None and request.layer in (PROJECTION, f"{PROJECTION}:input"):
        raise ConfigError(
            f"{source.called}: its projection can't be separated from the layers before it; leave --layer out"
        )
    return LoadedModel(
        ImageTower(model.visual, projection),
        weights,
        how,
        code=_code(source, model.visual, resized, refitted),
        layer=PROJECTION if projection is not None else OUTPUT,
        licence=source.licence,
        prefix_tokens=prefix_tokens(model.visual, names_of(request.layer or OUTPUT)),
        own_transform=own_transform(library),
    )


def _built(source: Source, size: tuple[int, int] | None = None) -> Any:
    """Return a model with random weights, always the same, for images of a size."""
    how = {name: value for name in TAG_SAYS if (value := source.published.get(name)) is not None}
    with _quiet(source), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return open_clip.create_model(
            source.identifier,
            load_weights=False,
            pretrained_text=False,
            force_image_size=size[0] if size and size[0] == size[1] else size,
            force_preprocess_cfg=how,
            text_cfg=dict(_TEXT),
        ).eval()


def _filled(
    source: Source, model: Any, request: BackboneRequest, size: tuple[int, int] | None
) -> tuple[Any, str, bool]:
    """Return the model with weights, for images of another size if one is given, and the digest of the weights.

    Last, whether open_clip fitted positions of the weights, trained at one resolution, to the model's.
    """
    is_timm = hasattr(model.visual, "set_input_size")  # which fits its weights to another size once they are there
    if size and not is_timm:
        model = _built(source, size)
    file = request.weights_file or (None if request.weights == "random" else source.weights())
    if file is None and request.weights != "random":
        raise ConfigError(f"{source.called}: no weights next to its configuration; give them with --weights FILE")
    refitted = file is not None and _fill(source, model, file, request.weights_part)
    if size and is_timm:
        with _quiet(source):
            model.visual.set_input_size(size)
    return model, request.weights_digest or (file_digest(file) if file else state_digest(model.visual)), refitted


def _fill(source: Source, model: Any, file: Path, part: str) -> bool:
    """Load the image tower's weights of a file; return whether their positions were fitted to another resolution.

    Raises ConfigError that lists what is missing or unexpected.
    """
    tensors = {name.removeprefix("module."): tensor for name, tensor in read_checkpoint(file, part).items()}
    tensors = convert_state_dict(model, tensors)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    resize_pos_embed(tensors, model)
    refitted = any(tensor.shape != shapes[name] for name, tensor in tensors.items())
    own = {name.removeprefix("visual."): t for name, t in tensors.items() if name.startswith("visual.")}
    load_weights(model.visual, own or tensors, file)
    if lost := unloaded(model.visual):
        raise ConfigError(f"{source.called}: {file} has no weights for part of the image tower:\n{listing(lost)}")
    return refitted


def _code(source: Source, visual: Any, resized: tuple[int, int] | None, refitted: bool) -> str:
    """Return what else than the weights makes the numbers. Raises ConfigError for a size that patches don't fill."""
    code = f"configuration {digest({name: source.said.get(name) for name in _IMAGE_PART})[:16]}"
    patch = patch_size(visual)
    if resized is not None and patch is not None:
        check_patches(source.called, resized, patch)
        log.info("%s: open_clip adapts the position embeddings to %d × %d pixels", source.called, *resized)
    elif refitted:
        log.info(
            "%s: open_clip adapts position embeddings of another image size to %d × %d pixels",
            source.called,
            *visual.image_size,
        )
    else:
        return code
    return f"{code}, positions fitted by open_clip {open_clip.__version__}"


@contextmanager
def _quiet(source: Source) -> Iterator[None]:
    """Raise as ConfigError what open_clip raises for a configuration. Its warnings of random weights are left out."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    except Exception as error:  # a configuration may be anyone's
        raise ConfigError(
            f"open_clip {open_clip.__version__} can't build {source.called} ({type(error).__name__}: "
            f"{shortened(str(error))}); see its configuration"
        ) from error
    finally:
        logging.disable(before)
