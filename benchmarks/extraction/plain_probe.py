"""The peer: a linear probe in plain torchvision and scikit-learn, sharing no code with Frostline.

    python -m benchmarks.extraction.plain_probe IMAGES mobilenet_v2 WEIGHTS.pth [--C 0.01] [--features OUT.npz]

IMAGES holds ``train/<class>/*`` and ``test/<class>/*``. The features are the spatial mean of
``model.features``, in fp32, of images resized to 256 and cropped to 224.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from torchvision import transforms


def features_of(model: torch.nn.Module, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    transform = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    data = torchvision.datasets.ImageFolder(str(folder), transform)
    loader = torch.utils.data.DataLoader(data, batch_size=32, num_workers=2)
    rows, labels = [], []
    features = model.get_submodule("features")
    with torch.inference_mode():
        for images, targets in loader:
            batch = images.contiguous(memory_format=torch.channels_last)
            rows.append(features(batch).mean((2, 3)).numpy())
            labels.append(targets.numpy())
    return np.concatenate(rows), np.concatenate(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("model")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--C", type=float, default=0.01)
    parser.add_argument("--features", type=Path, help="keep the features in this .npz")
    args = parser.parse_args()
    model = getattr(torchvision.models, args.model)()
    model.load_state_dict(torch.load(args.weights, weights_only=True))
    model.eval().to(memory_format=torch.channels_last)
    started = time.perf_counter()
    X, y = features_of(model, args.images / "train")
    X_test, y_test = features_of(model, args.images / "test")
    extracted = time.perf_counter()
    if args.features:
        np.savez(args.features, X=X, y=y, X_test=X_test, y_test=y_test)
    head = LogisticRegression(C=args.C, max_iter=5000).fit(X, y)
    fitted = time.perf_counter()
    predicted = head.predict(X_test)
    result = {
        "model": args.model,
        "C": args.C,
        "rows": [len(y), len(y_test)],
        "width": X.shape[1],
        "accuracy": float(np.mean(predicted == y_test)),
        "macro_f1": float(f1_score(y_test, predicted, average="macro")),
        "iterations": int(head.n_iter_.max()),
        "seconds": {"extract": round(extracted - started, 1), "fit": round(fitted - extracted, 1)},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
