"""The backbone that ships inside the package; see CARD.md next to this file."""

from pathlib import Path

from frostline.stages.backbones.families.resnet8.model import ResNet8

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
WEIGHTS = Path(__file__).with_name("weights.safetensors")

__all__ = ["MEAN", "STD", "WEIGHTS", "ResNet8"]
