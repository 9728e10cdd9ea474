"""Small models of other libraries, with random weights, in folders as those libraries save them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import open_clip
import torch
import transformers as hf
from safetensors.torch import save_file
from torch import nn
from transformers.models.auto.image_processing_auto import get_image_processor_class_from_name

SIDE = 32
_ATTENTION = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_PATCHES = {"image_size": SIDE, "patch_size": 8}
_STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
_TEXT = {**_ATTENTION, "vocab_size": 50, "max_position_embeddings": 8}
_VIT = {**_ATTENTION, **_PATCHES}

ARCHITECTURES: dict[str, tuple[Callable[[], Any], str]] = {
    "vit": (lambda: hf.ViTConfig(**_VIT), "ViT"),
    "deit": (lambda: hf.DeiTConfig(**_VIT), "DeiT"),
    "dinov2": (lambda: hf.Dinov2Config(**_VIT), "Bit"),
    "dinov2 with registers": (lambda: hf.Dinov2WithRegistersConfig(**_VIT), "Bit"),
    "dinov3 vit": (lambda: hf.DINOv3ViTConfig(**_VIT, num_register_tokens=2), "DINOv3ViT"),
    "swin": (
        lambda: hf.SwinConfig(
            image_size=SIDE, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4
        ),
        "ViT",
    ),
    "convnext": (lambda: hf.ConvNextConfig(**_STAGES), "ConvNext"),
    "resnet": (lambda: hf.ResNetConfig(embedding_size=8, layer_type="basic", **_STAGES), "ConvNext"),
    "regnet": (lambda: hf.RegNetConfig(embedding_size=8, groups_width=8, **_STAGES), "ConvNext"),
    "clip": (lambda: hf.CLIPConfig(text_config=_TEXT, vision_config=_VIT, projection_dim=16), "CLIP"),
    "clip vision": (lambda: hf.CLIPVisionConfig(**_VIT), "CLIP"),
    "siglip": (lambda: hf.SiglipConfig(text_config=_TEXT, vision_config=_VIT), "Siglip"),
    "beit": (lambda: hf.BeitConfig(**_VIT), "Beit"),
    "mobilevit": (
        lambda: hf.MobileViTConfig(
            image_size=SIDE, hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 16, 16, 24, 32, 40]
        ),
        "MobileViT",
    ),
    "mobilenet v2": (lambda: hf.MobileNetV2Config(image_size=SIDE, depth_multiplier=0.25), "MobileNetV2"),
    "efficientnet": (
        lambda: hf.EfficientNetConfig(image_size=SIDE, width_coefficient=0.25, hidden_dim=320),
        "EfficientNet",
    ),
    "aimv2": (lambda: hf.Aimv2VisionConfig(**_VIT), "CLIP"),
    "pvt": (
        lambda: hf.PvtConfig(image_size=SIDE, hidden_sizes=[8] * 4, depths=[1] * 4, num_attention_heads=[1] * 4),
        "ViT",
    ),
    "dinov3 convnext": (lambda: hf.DINOv3ConvNextConfig(image_size=SIDE, **_STAGES), "DINOv3ViT"),
    "i-jepa": (lambda: hf.IJepaConfig(**_VIT), "ViT"),
    "vit-mae": (lambda: hf.ViTMAEConfig(**_VIT), "ViT"),
}
"""Configurations, and the image processors that such models come with."""


def save_transformers(folder: Path, name: str, kind: Any = hf.AutoModel) -> Any:
    """Save a model of ``ARCHITECTURES`` and its image processor in a folder; return the model."""
    configuration, processor = ARCHITECTURES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = kind.from_config(configuration()) if kind is hf.AutoModel else kind(configuration())
        spread(model)
    model.eval().save_pretrained(folder)
    save_processor(folder, processor)
    return model


def save_processor(folder: Path, name: str) -> None:
    """Save an image processor for images of ``SIDE`` pixels."""
    kind: Any = get_image_processor_class_from_name(f"{name}ImageProcessorPil")
    kind = kind or get_image_processor_class_from_name(f"{name}ImageProcessor")
    sides = {"height": SIDE, "width": SIDE}
    how = {"size": {"shortest_edge": SIDE}} if name == "ConvNext" else {"size": sides, "crop_size": sides}
    kind(**how).save_pretrained(folder)


def spread(model: nn.Module) -> None:
    """Draw anew what starts as zeros or ones, so that no part of a network is idle."""
    for parameter in model.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, std=0.5)


def change_json(file: Path, changes: Mapping[str, Any]) -> None:
    """Change fields of a JSON file; None takes one out."""
    fields = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))


_OPEN_CLIP_TEXT = {"context_length": 8, "vocab_size": 16, "width": 16, "heads": 2, "layers": 1}
_OPEN_CLIP_VIT = {"image_size": SIDE, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32}
_TIMM = {"timm_model_pretrained": False}
TOWERS: dict[str, dict[str, Any]] = {
    "vit": {"vision_cfg": _OPEN_CLIP_VIT},
    "resnet": {"vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}},
    "coca": {
        "vision_cfg": {**_OPEN_CLIP_VIT, "attentional_pool": True, "attn_pooler_heads": 4, "output_tokens": True},
        "text_cfg": {**_OPEN_CLIP_TEXT, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {**_OPEN_CLIP_TEXT, "attn_pooler_heads": 2},
        "custom_text": True,
    },
    "timm, projected": {
        "vision_cfg": {**_TIMM, "image_size": 64, "timm_model_name": "resnet10t", "timm_proj": "linear"},
        "custom_text": True,
    },
    "timm, not projected": {
        "embed_dim": 192,
        "vision_cfg": {
            **_TIMM,
            **{"image_size": 224, "timm_model_name": "vit_tiny_patch16_224", "timm_pool": "token", "timm_proj": "none"},
        },
        "custom_text": True,
    },
}
"""Configurations of open_clip."""


def save_open_clip(folder: Path, name: str, resize_mode: str = "shortest") -> None:
    """Save a model of ``TOWERS`` in a folder."""
    said = {"embed_dim": 24, "text_cfg": _OPEN_CLIP_TEXT, **TOWERS[name]}
    how = {"mean": [0.5, 0.4, 0.3], "std": [0.25, 0.25, 0.2], "interpolation": "bicubic", "fill_color": 7}
    folder.mkdir(exist_ok=True)
    whole = {"model_cfg": said, "preprocess_cfg": {**how, "resize_mode": resize_mode}}
    (folder / "open_clip_config.json").write_text(json.dumps(whole))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
        spread(model)
    tensors = {n: t.contiguous() for n, t in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
