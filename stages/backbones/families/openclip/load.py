"""open_clip's image towers, built by open_clip and filled with weights that are read here."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.convert import convert_state_dict
from open_clip.model import resize_pos_embed
from open_clip.transform import PreprocessCfg, image_transform_v2

from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint, state_digest
from frostline.stages.backbones.checkpoints.unloaded import unloaded
from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.huggingface.download import download
from frostline.stages.backbones.families.huggingface.folder import ModelFolder
from frostline.stages.backbones.families.huggingface.preprocessing import understood
from frostline.stages.backbones.families.openclip.places import (
    CONFIG,
    HUB,
    LOCAL,
    WEIGHTS,
    configurations,
    folder_of,
    parted,
    weights_of,
)
from frostline.stages.backbones.families.openclip.tower import (
    ImageTower,
    patch_size,
    prefix_tokens,
    without_projection,
)
from frostline.stages.backbones.families.resolution import at_resolution, check_patches, image_size
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError, listing, shortened, unknown_name
from frostline.stages.modalities.image.spec import LibraryTransform, Preprocessing
from frostline.stages.records.sealed import canonical_json, digest, file_digest

log = logging.getLogger("frostline")
PROJECTION = "projection"
_IMAGE_PART = ("embed_dim", "vision_cfg", "quick_gelu")
_TAG_SAYS = ("mean", "std", "interpolation", "resize_mode", "fill_color")
_TEXT = {"context_length": 8, "vocab_size": 8, "width": 8, "heads": 1, "layers": 1}  # of a tower that is thrown away
_ARCHITECTURE = re.compile(r"\w[\w.]*", re.ASCII)  # of timm; with a colon it would be a place to load from


@dataclass(frozen=True)
class _Source:
    """Where a model comes from. ``identifier``: open_clip's name of it. ``published``: how its weights were trained."""

    called: str
    identifier: str
    said: Mapping[str, Any]
    published: Mapping[str, Any]
    weights: Callable[[], Path | None]
    licence: str = ""


def from_open_clip(request: BackboneRequest) -> LoadedModel:
    """Return the image tower that a request names. Raises ConfigError: see ``Family.load``."""
    source = _source(request.name)
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
        raise ConfigError(f"{source.called}: its projection can't be told from what is before it; leave --layer out")
    return LoadedModel(
        ImageTower(model.visual, projection),
        weights,
        how,
        code=_code(source, model.visual, resized, refitted),
        layer=PROJECTION if projection is not None else OUTPUT,
        licence=source.licence,
        prefix_tokens=prefix_tokens(model.visual),
        own_transform=_own_transform(library),
    )


def translated(said: Mapping[str, Any]) -> Preprocessing:
    """Return what open_clip's configuration of a preprocessing means."""
    side = said["size"]
    height, width = (side, side) if isinstance(side, int) else (int(side[0]), int(side[1]))
    filtering: Any = "bilinear" if said["interpolation"] == "bilinear" else "bicubic"
    mean, std = (tuple(map(float, said[name])) for name in ("mean", "std"))
    if said["resize_mode"] == "squash":
        return Preprocessing((height, width), None, filtering, mean, std)
    if said["resize_mode"] == "longest":
        return Preprocessing((height, width), (height, width), filtering, mean, std, "long", (said["fill_color"],) * 3)
    return Preprocessing(max(height, width), (height, width), filtering, mean, std)


def _source(name: str) -> _Source:
    model, tag = parted(name)
    if model.startswith((LOCAL, HUB)):
        return _of_folder(model)
    said = open_clip.get_model_config(model)
    published = _published(model, tag)
    other = model.removesuffix("-quickgelu") if said.get("quick_gelu") else f"{model}-quickgelu"
    is_other = bool(published.get("quick_gelu")) != bool(said.get("quick_gelu"))
    if tag and is_other and other != model and other in configurations():
        raise ConfigError(f"the weights {tag} were trained with another activation; wanted open_clip:{other}/{tag}")
    return _Source(f"open_clip:{name}", model, said, published, lambda: _downloaded(published) if tag else None)


def _of_folder(name: str) -> _Source:
    folder = folder_of(name)
    if name.startswith(HUB) and (folder is None or weights_of(folder) is None):
        download(name.removeprefix(HUB), (CONFIG, *WEIGHTS, "README.md"), "give a folder: open_clip:local-dir:FOLDER")
        folder = folder_of(name)
    said = folder.json(CONFIG) if folder else None
    if folder is None or said is None:
        raise ConfigError(f"open_clip:{name} has no {CONFIG}; wanted what open_clip saved")
    found = said.get("model_cfg", said)
    _check(folder, found)
    place = f"{LOCAL}{folder.path}"
    return _Source(folder.name, place, found, {}, lambda: weights_of(folder), folder.licence())


def _check(folder: ModelFolder, said: Any) -> None:
    """Raise ConfigError unless a configuration is one, whose tower is open_clip's own or one that timm has by name."""
    parts = [said.get(name) if isinstance(said, dict) else None for name in ("vision_cfg", "text_cfg")]
    if not all(isinstance(part, dict) for part in parts) or not isinstance(said.get("embed_dim"), int):
        raise ConfigError(f"{folder.name}: its {CONFIG} has no embed_dim, vision_cfg and text_cfg; wanted a model's")
    tower = (parts[0] or {}).get("timm_model_name")
    if tower is not None and not (isinstance(tower, str) and _ARCHITECTURE.fullmatch(tower)):
        raise ConfigError(f"{folder.name}: its image tower is {shortened(str(tower))}; wanted a name of timm's")


def _published(model: str, tag: str) -> dict[str, Any]:
    """Return what open_clip says of published weights; without a tag, how all weights of the model take images."""
    tags = open_clip.list_pretrained_tags_by_model(model)
    if tag:
        found: dict[str, Any] = open_clip.get_pretrained_cfg(model, tag)
        if not found:
            raise unknown_name(f"weights of open_clip:{model}", tag, tags)
        return found
    all_say = [{n: open_clip.get_pretrained_cfg(model, t).get(n) for n in _TAG_SAYS} for t in tags]
    return all_say[0] if all_say and all(said == all_say[0] for said in all_say) else {}


def _downloaded(published: Mapping[str, Any]) -> Path:
    try:
        return Path(open_clip.download_pretrained(dict(published)))
    except Exception as error:  # its own errors, and those of the libraries below it
        place = published.get("hf_hub") or published.get("url")
        raise ConfigError(
            f"can't download {place} ({type(error).__name__}: {shortened(str(error))}); name the weights where they "
            "are: --weights FILE"
        ) from error


def _built(source: _Source, size: tuple[int, int] | None = None) -> Any:
    """Return a model with random weights, always the same, for images of a size."""
    how = {name: value for name in _TAG_SAYS if (value := source.published.get(name)) is not None}
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
    source: _Source, model: Any, request: BackboneRequest, size: tuple[int, int] | None
) -> tuple[Any, str, bool]:
    """Return the model with weights, for images of another size if one is given, and the digest of the weights.

    Last, whether open_clip fitted positions of the weights, trained at one resolution, to the model's.
    """
    is_timm = hasattr(model.visual, "set_input_size")  # which fits its weights to another size once they are there
    if size and not is_timm:
        model = _built(source, size)
    file = request.weights_file or (None if request.weights == "random" else source.weights())
    if file is None and request.weights != "random":
        raise ConfigError(f"{source.called}: no weights beside its configuration; name them with --weights FILE")
    refitted = file is not None and _fill(source, model, file, request.weights_part)
    if size and is_timm:
        with _quiet(source):
            model.visual.set_input_size(size)
    return model, request.weights_digest or (file_digest(file) if file else state_digest(model.visual)), refitted


def _fill(source: _Source, model: Any, file: Path, part: str) -> bool:
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
        raise ConfigError(f"{source.called}: {file} has no weights for a part of the tower:\n{listing(lost)}")
    return refitted


def _code(source: _Source, visual: Any, resized: tuple[int, int] | None, refitted: bool) -> str:
    """Return what else than the weights makes the numbers. Raises ConfigError for a size that patches don't fill."""
    code = f"configuration {digest({name: source.said.get(name) for name in _IMAGE_PART})[:16]}"
    patch = patch_size(visual)
    if resized is not None and patch is not None:
        check_patches(source.called, resized, patch)
        log.info("%s: open_clip fits its positions to %d × %d pixels", source.called, *resized)
    elif refitted:
        log.info(
            "%s: open_clip fits positions of weights for other images to %d × %d pixels",
            source.called,
            *visual.image_size,
        )
    else:
        return code
    return f"{code}, positions fitted by open_clip {open_clip.__version__}"


def _own_transform(said: Mapping[str, Any]) -> LibraryTransform:
    transform = image_transform_v2(PreprocessCfg(**said), is_train=False)
    return LibraryTransform(f"open_clip {open_clip.__version__}", canonical_json(dict(said)).decode(), transform)


@contextmanager
def _quiet(source: _Source) -> Iterator[None]:
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
