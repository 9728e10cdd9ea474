"""Samples from a bucket beside the same on the local disk, with latency added to every request.

    python -m benchmarks.extraction.buckets FOLDER [--backbone resnet8-cifar10] [--images 2000] [--latency 0.02]
        [--rounds 3] [--precision bf16]

Images below FOLDER become tar files of 1,000, on disk and in a bucket of moto's server. That runs in a process of its
own, behind a proxy that holds back what goes each way for --latency seconds: a round trip takes twice that. Timed are
the pass that takes the digests, and the extraction with the index made, each into a new store, in turn. Rates are
images/s, medians of the rounds.
"""

from __future__ import annotations

import argparse
import io
import os
import tarfile
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from benchmarks.common.images import images_below, spread
from benchmarks.common.slow_bucket import slow_bucket
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.datasets import Samples, open_dataset
from frostline.stages.datasets.buckets.blocks import BLOCKS
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.store import FeatureStore, Layout, Provenance
from frostline.stages.store.key import FeatureKey
from frostline.stages.store.targets import target_file

SHARD = 1000


def shards(files: list[Path]) -> dict[str, bytes]:
    """Return tar files of images in two class folders, by their names."""
    found = {}
    for first in range(0, len(files), SHARD):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for i, file in enumerate(files[first : first + SHARD], first):
                tar.add(file, f"{'even' if i % 2 else 'odd'}/{i:06d}{file.suffix}")
        found[f"shard-{first // SHARD:04d}.tar"] = data.getvalue()
    return found


def timed(samples: Samples, backbone: Backbone, folder: Path) -> float:
    """Return the seconds of an extraction into a new store."""
    key = FeatureKey(samples.content, backbone.spec, "a decoder")
    layout = Layout(key.fields(), samples.dataset, samples.split, len(samples), backbone.width, 1024)
    features = FeatureStore(folder).begin(layout, Provenance(), target_file(samples.targets, samples.ids))
    return extract(Extraction(samples, backbone, features, batch_size=32)).seconds


def upload(endpoint: str, files: dict[str, bytes]) -> None:
    import boto3

    how = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **how)
    client.create_bucket(Bucket="images")
    for name, data in files.items():
        client.put_object(Bucket="images", Key=name, Body=data)


def measured(args: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Return the rates of each place and pass, by the rounds."""
    files = spread(images_below(args.folder), args.images)
    tars, rates = shards(files), defaultdict[str, list[float]](list)
    for name, data in tars.items():
        (folder / name).write_bytes(data)
    with slow_bucket(args.latency) as (direct, slow):
        upload(direct, tars)
        os.environ |= {"AWS_ENDPOINT_URL": slow, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
        os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
        backbone = None
        for number in range(args.rounds):
            for where, place in {"disk": str(folder), "bucket": "s3://images"}.items():
                started = time.perf_counter()
                train = open_dataset(f"tar:{place}/shard-{{0000..{len(tars) - 1:04d}}}.tar").train
                rates[f"{where} index"].append(len(files) / (time.perf_counter() - started))
                backbone = backbone or load_backbone(
                    BackboneRequest(args.backbone), train.read(0), precision=args.precision
                )
                BLOCKS.forget()  # or what the first pass left would be found
                seconds = timed(train, backbone, folder / f"store-{number}-{where}")
                rates[f"{where} extract"].append(len(train) / seconds)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", default="resnet8-cifar10")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="bf16")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rates = {name: median(some) for name, some in measured(args, Path(folder)).items()}
    for step in ("index", "extract"):
        local, bucket = rates[f"disk {step}"], rates[f"bucket {step}"]
        print(f"{step:8} disk {local:8,.0f}  bucket {bucket:8,.0f}  ratio {bucket / local:.2f}")


if __name__ == "__main__":
    main()
