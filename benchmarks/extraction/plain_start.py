"""The peer of `startup`: features of some images by plain torchvision, sharing no code with Frostline.

    python -m benchmarks.extraction.plain_start IMAGES WEIGHTS.pth [--images 10] [--model mobilenet_v2]
        [--precision fp32]

The spatial mean of ``model.features``, eager, of the first images below IMAGES, resized to 256 and cropped to 224, in
batches of 16. Nothing is checked and nothing is kept. Each phase is told on stderr when it begins.
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--images", dest="n", type=int, default=10)
    parser.add_argument("--model", default="mobilenet_v2")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    args = parser.parse_args()
    print("loading", file=sys.stderr, flush=True)
    import torch
    from PIL import Image
    from torchvision import models, transforms

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[args.precision]
    model = getattr(models, args.model)()
    model.load_state_dict(torch.load(args.weights, weights_only=True))
    features = model.eval().features.to(dtype=dtype, memory_format=torch.channels_last)
    scaled = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(), scaled]
    transform = transforms.Compose(steps)
    files = sorted(args.images.rglob("*.jpg"))[: args.n]
    print("layer features", file=sys.stderr, flush=True)
    rows, left = 0, iter(files)
    with torch.inference_mode():
        while some := list(islice(left, 16)):
            batch = torch.stack([transform(Image.open(file).convert("RGB")) for file in some]).to(dtype)
            rows += len(features(batch.contiguous(memory_format=torch.channels_last)).mean((2, 3)))
    print(rows)


if __name__ == "__main__":
    main()
