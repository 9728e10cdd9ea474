"""Pretrain the shipped ResNet-8 on CIFAR-10 and write its weights.

    python -m tools.pretrain_resnet8 IMAGES [--epochs 16] [--out weights.safetensors]

IMAGES holds ``train/<class>/*`` and ``test/<class>/*``, 32 x 32 each. Seeded: the same
machine and versions give the same weights. The test images are scored once, at the end.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from frostline.stages.backbones.families.resnet8 import MEAN, STD
from frostline.stages.backbones.families.resnet8.model import CLASSES, ResNet8

BATCH = 128


def read_split(folder: Path) -> tuple[Tensor, Tensor]:
    """Return all images of a split, uint8 (n, 3, 32, 32), and their labels, int64 (n,)."""
    files = [(f, label) for label, name in enumerate(CLASSES) for f in sorted((folder / name).iterdir())]
    pixels = np.stack([np.asarray(Image.open(f).convert("RGB")) for f, _ in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.tensor([label for _, label in files])


def normalise(pixels: Tensor) -> Tensor:
    """Map uint8 pixels to the network's input: RGB / 255, less the mean, over the deviation."""
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return ((pixels.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def augment(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Pad by 4, crop 32 x 32 at random, flip half of the images (He et al., section 4.2)."""
    n = len(pixels)
    padded = nn.functional.pad(pixels, (4, 4, 4, 4))
    top, left = torch.randint(0, 9, (2, n), generator=generator)
    rows = (top[:, None] + torch.arange(32)).view(n, 1, 32, 1)
    columns = left[:, None] + torch.arange(32)
    flip = torch.rand(n, generator=generator) < 0.5
    columns[flip] = columns[flip].flip(1)
    return padded[torch.arange(n).view(n, 1, 1, 1), torch.arange(3).view(1, 3, 1, 1), rows, columns.view(n, 1, 1, 32)]


def train(pixels: Tensor, labels: Tensor, epochs: int, seed: int) -> ResNet8:
    """Fit by SGD with Nesterov momentum, a one-cycle rate and label smoothing."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = ResNet8().to(memory_format=torch.channels_last).train()
    steps = epochs * (len(labels) // BATCH)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.4, total_steps=steps, pct_start=0.2)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
    for epoch in range(epochs):
        started, total = time.perf_counter(), 0.0
        order = torch.randperm(len(labels), generator=generator)[: len(labels) // BATCH * BATCH]
        for rows in torch.split(order, BATCH):
            optimiser.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(normalise(augment(pixels[rows], generator)))
            loss = loss_of(logits.float(), labels[rows])
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        seconds = time.perf_counter() - started
        print(f"epoch {epoch + 1}/{epochs}: loss {total * BATCH / len(order):.4f}, {seconds:.0f} s", flush=True)
    return model.eval()


@torch.inference_mode()
def accuracy(model: ResNet8, pixels: Tensor, labels: Tensor) -> float:
    """Return the share of images whose largest logit is the label's."""
    hits = 0
    for batch, target in zip(torch.split(pixels, 500), torch.split(labels, 500), strict=True):
        hits += int((model(normalise(batch)).argmax(1) == target).sum())
    return hits / len(labels)


def main() -> None:
    """Train, round to half precision, save, and print the accuracy of what was saved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("weights.safetensors"))
    args = parser.parse_args()
    model = train(*read_split(args.images / "train"), args.epochs, args.seed)
    halves = {k: v.half().contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    model.load_state_dict(halves)
    save_file(halves, args.out)
    print(f"accuracy on the test images, weights as stored: {accuracy(model, *read_split(args.images / 'test')):.4f}")


if __name__ == "__main__":
    main()
