"""Small models of transformers and open_clip: is the default feature what their library gives? As a table.

    PYTHONPATH=tests python -m support.encoder_table

Each model is saved in a folder, loaded from it by Frostline and by its library, and given the same photograph of noise,
prepared by each in its own way. Exits with status 1 where the features differ, or the widths do.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import transformers
from PIL import Image

from frostline.stages.backbones import BackboneRequest, load_backbone
from support.model_folders import ARCHITECTURES, TOWERS, save_open_clip, save_transformers

IMAGE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8))
# dinov3: its pixels are floats before they are resized: a grey level apart
TOLERANCES = {"hf: dinov3 vit": 2e-3, "hf: dinov3 convnext": 2e-3}
NOT_POOLED = ("i-jepa", "vit-mae", "pvt")


def of_transformers(folder: Path) -> Any:
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tower = model.vision_model if hasattr(model, "text_model") else model
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    pixels = processor(images=IMAGE, return_tensors="pt")["pixel_values"]
    return tower(pixel_values=pixels).pooler_output.flatten(1)


def of_open_clip(folder: Path) -> Any:
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    return model.eval().encode_image(transform(IMAGE)[None], normalize=False)


def line(name: str, prefix: str, folder: Path, own: Callable[[Path], Any]) -> tuple[bool, str]:
    """Return whether a model's features agree with its library's own, and its line of the table."""
    backbone = load_backbone(BackboneRequest(f"{prefix}{folder}"), IMAGE)
    found = backbone.embed({"pixels": backbone.spec.preprocessing.item(IMAGE)["pixels"][None]})
    with torch.no_grad():
        wanted = own(folder).numpy()
    difference = float(np.abs(found - wanted).max() / np.abs(wanted).max()) if found.shape == wanted.shape else np.nan
    agrees = difference <= TOLERANCES.get(name, 1e-5)
    return (
        agrees,
        f"{name:32} {backbone.width:>6,} {wanted.shape[1]:>6,}  {difference:.1e}{'' if agrees else '  DIFFERS'}",
    )


def main() -> int:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    print(f"{'model':32} {'width':>6} {'its':>6}  largest difference, of the largest value")
    agreeing = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, name in enumerate((*ARCHITECTURES, *TOWERS)):
            folder = Path(scratch, str(number))
            if name in NOT_POOLED:
                continue
            is_tower = number >= len(ARCHITECTURES)
            (save_open_clip if is_tower else save_transformers)(folder, name)
            how: Any = ("open_clip:local-dir:", folder, of_open_clip) if is_tower else ("hf:", folder, of_transformers)
            agrees, text = line(f"{'open_clip' if is_tower else 'hf'}: {name}", *how)
            agreeing.append(agrees)
            print(text, flush=True)
    print(f"{sum(agreeing)} of {len(agreeing)} agree")
    return 0 if all(agreeing) else 1


if __name__ == "__main__":
    sys.exit(main())
