"""torchvision's datasets: from files laid out by hand, and without a network."""

from __future__ import annotations

import bz2
import hashlib
import inspect
import json
import pickle
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import torchvision

from frostline.stages.datasets import open_dataset
from frostline.stages.datasets.memo import GRAIN_NS
from frostline.stages.datasets.sources.torchvision_catalogue import CATALOGUE
from frostline.stages.errors import DataError, UnreadableSample
from support.pictures import encoded, picture, put
from support.project import REPOSITORY


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Every download is refused at once: the proxy is a closed port of this machine."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def idx(values):
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def write_mnist(root, n_train=20, n_test=10):
    """Write MNIST's four files, label i % 10, image all i."""
    for prefix, n in (("train", n_train), ("t10k", n_test)):
        pixels = np.repeat(np.arange(n, dtype=np.uint8), 28 * 28).reshape(n, 28, 28)
        put(root / f"MNIST/raw/{prefix}-images-idx3-ubyte", idx(pixels))
        put(root / f"MNIST/raw/{prefix}-labels-idx1-ubyte", idx(np.arange(n, dtype=np.uint8) % 10))
    return root


def write_usps(root):
    for name, n in (("usps.bz2", 20), ("usps.t.bz2", 10)):
        rows = [" ".join([str(1 + i % 10), *(f"{j}:{-1 + (i + j) % 3}" for j in range(1, 257))]) for i in range(n)]
        put(root / name, bz2.compress("\n".join(rows).encode()))


def write_clevr(root, damaged=None):
    """Write CLEVR's layout; the label is the number of objects, from 3 on."""
    for split, n in (("train", 4), ("val", 2)):
        folder = root / "clevr/CLEVR_v1.0"
        scenes = [{"image_filename": f"{i}.png", "objects": [{}] * (3 + i % 2)} for i in range(n)]
        put(folder / f"scenes/CLEVR_{split}_scenes.json", json.dumps({"scenes": scenes}).encode())
        for i in range(n):
            put(folder / f"images/{split}/{i}.png", encoded(picture(i)))
    if damaged:
        put(root / "clevr/CLEVR_v1.0/images" / damaged, b"no image")
    return root


def write_cifar10(root, monkeypatch):
    """Write CIFAR-10's batches, four images in each, and give torchvision their checksums."""
    cls, sums = torchvision.datasets.CIFAR10, {}
    for batch, (name, _) in enumerate(cls.train_list + cls.test_list):
        images = [np.asarray(picture(100 * batch + i, (32, 32))).transpose(2, 0, 1).reshape(-1) for i in range(4)]
        sums[name] = write_pickle(root / cls.base_folder / name, {"data": np.stack(images), "labels": [0, 1, 0, 1]})
    meta = write_pickle(root / cls.base_folder / "batches.meta", {"label_names": ["a", "b"]})
    monkeypatch.setattr(cls, "train_list", [[name, sums[name]] for name, _ in cls.train_list])
    monkeypatch.setattr(cls, "test_list", [[name, sums[name]] for name, _ in cls.test_list])
    monkeypatch.setattr(cls, "meta", {**cls.meta, "md5": meta})


def write_pickle(file, value):
    return hashlib.md5(put(file, pickle.dumps(value)).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_name_is_a_class_of_the_installed_torchvision_that_takes_its_arguments(name, tmp_path):
    entry = CATALOGUE[name]
    make = getattr(torchvision.datasets, entry.cls)
    for arguments in filter(None, (entry.train, entry.test, entry.validation)):
        inspect.signature(make).bind(str(tmp_path), download=False, **arguments)
    for arguments in (entry.train, entry.test, entry.validation):
        if arguments is not None:
            # An unknown split would be a ValueError: it is checked before the files are.
            with pytest.raises((RuntimeError, FileNotFoundError)):
                make(str(tmp_path), download=False, **arguments)


def write_dtd(root):
    """Write DTD's layout: two textures, of the first split two images of each for training, one else."""
    folder = root / "dtd/dtd"
    for split, n in (("train", 2), ("val", 1), ("test", 1)):
        names = [f"{texture}/{split}{i}.jpg" for texture in ("bumpy", "woven") for i in range(n)]
        put(folder / f"labels/{split}1.txt", "\n".join(names).encode())
        for i, name in enumerate(names):
            put(folder / "images" / name, encoded(picture(len(split) * 10 + i)))


def test_a_validation_split_follows_the_training_rows_by_its_own_ids(tmp_path):
    write_dtd(tmp_path / "dtd")
    train, test = open_dataset("dtd-trainval", downloads=tmp_path).splits
    alone = open_dataset("dtd", downloads=tmp_path).train
    assert list(train.ids) == [*alone.ids, "val/000000", "val/000001"]
    assert train.targets.names == ("bumpy", "woven") and train.targets.values.tolist() == [0, 0, 1, 1, 0, 1]
    assert np.array_equal(train.digests[:4], alone.digests) and len(test) == 2
    for row in (1, 4, 5):
        pixels = train.read(row)
        content = b"RGB %d %d " % pixels.size + pixels.tobytes()
        assert hashlib.sha256(content).digest() == train.digests[row].tobytes()


def test_mnist_is_read_from_its_files(tmp_path):
    dataset = open_dataset("mnist", root=write_mnist(tmp_path))
    assert (len(dataset.train), len(dataset.test)) == (20, 10)
    assert dataset.train.targets.values.tolist() == [i % 10 for i in range(20)]
    assert dataset.train.targets.names[3] == "3 - three" and dataset.train.ids[7] == "train/000007"
    image = dataset.train.read(7)
    assert (image.mode, image.size, image.getpixel((5, 5))) == ("RGB", (28, 28), (7, 7, 7))
    assert dataset.train.digests[7].tobytes() == dataset.test.digests[7].tobytes() != dataset.test.digests[8].tobytes()


def test_downloads_have_one_folder_per_dataset(tmp_path):
    write_mnist(tmp_path / "mnist")
    assert len(open_dataset("mnist", downloads=tmp_path).train) == 20


def test_moving_the_files_changes_no_content(tmp_path):
    first = open_dataset("mnist", root=write_mnist(tmp_path / "a"))
    second = open_dataset("mnist", root=(tmp_path / "a").rename(tmp_path / "b"))
    assert [x.content for x in first.splits] == [x.content for x in second.splits]


@pytest.mark.parametrize("name, labels", [("usps", [str(i) for i in range(10)]), ("clevr", ["3", "4"])])
def test_labels_without_names_are_named_by_their_numbers(tmp_path, name, labels):
    write_usps(tmp_path)
    write_clevr(tmp_path)
    train, test = open_dataset(name, root=tmp_path).splits
    assert train.targets.names == test.targets.names == tuple(labels)
    assert train.targets.values.tolist()[:3] == [i % len(labels) for i in range(3)]


def test_cifar10_is_read_from_its_batches(tmp_path, monkeypatch):
    write_cifar10(tmp_path, monkeypatch)
    train, test = open_dataset("cifar10", root=tmp_path).splits
    assert train.targets.names == ("a", "b") and (len(train), len(test)) == (20, 4)
    assert train.targets.values.tolist()[:4] == [0, 1, 0, 1]
    assert np.array_equal(test.read(2), picture(502, (32, 32)))


def test_an_image_that_cannot_be_read_is_a_problem_of_its_row(tmp_path):
    train = open_dataset("clevr", root=write_clevr(tmp_path, damaged="train/2.png")).train
    assert list(train.problems) == [2] and train.targets.values.tolist() == [0, 1, 0, 1]
    with pytest.raises(UnreadableSample, match="cannot identify image file"):
        train.read(2)


def test_an_image_that_goes_after_it_was_scanned_is_an_error(tmp_path):
    train = open_dataset("clevr", root=write_clevr(tmp_path)).train
    (tmp_path / "clevr/CLEVR_v1.0/images/train/2.png").unlink()
    with pytest.raises(DataError, match="sample 2 of clevr can no longer be read") as caught:
        train.read(2)
    assert not isinstance(caught.value, UnreadableSample)


def test_missing_files_without_a_network_are_an_error_that_says_where_to_put_them(tmp_path):
    with pytest.raises(DataError, match="could not be downloaded") as caught:
        open_dataset("kmnist", downloads=tmp_path)
    assert f"torchvision's KMNIST is not in {tmp_path / 'kmnist'}" in str(caught.value)
    assert "put its files there in torchvision's layout, or give their folder with --root" in str(caught.value)


def test_a_folder_that_cannot_be_made_is_the_same_error(tmp_path):
    with pytest.raises(DataError, match="could not be downloaded"):
        open_dataset("cifar10", root=put(tmp_path / "file", b"") / "below")


def test_damaged_files_are_an_error_that_names_their_folder(tmp_path):
    write_mnist(tmp_path)
    put(tmp_path / "MNIST/raw/train-images-idx3-ubyte", b"no idx file")
    with pytest.raises(DataError, match=r"MNIST in .* is damaged .*; delete its files there"):
        open_dataset("mnist", root=tmp_path)


LOOK = """
import sys
from pathlib import Path
from frostline.stages.datasets import open_dataset
dataset = open_dataset("clevr", root=Path(sys.argv[1]), memory=Path(sys.argv[2]))
print("torch" in sys.modules, dataset.train.content, *dataset.train.problems)
"""


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """CLEVR's files, old enough to be remembered."""
    root = write_clevr(tmp_path_factory.mktemp("settled"), damaged="train/2.png")
    time.sleep(1.1 * GRAIN_NS / 1e9)
    return root


def test_what_is_remembered_is_opened_without_torch(settled, tmp_path):
    first = open_dataset("clevr", root=settled, memory=tmp_path / "memory.npz").train
    command = [sys.executable, "-c", LOOK, str(settled), str(tmp_path / "memory.npz")]
    second = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout.split()
    assert second == ["False", first.content, "2"]


def test_images_are_scanned_again_only_after_a_change(settled, tmp_path):
    seen = []

    def look():
        seen.clear()
        memory = tmp_path / "memory.npz"
        return open_dataset("clevr", root=settled, memory=memory, progress=lambda *at: seen.append(at)).train

    assert look() and len(seen) == 6
    before = look()
    assert not seen and np.array_equal(before.read(1), picture(1))
    put(settled / "clevr/CLEVR_v1.0/images/train/1.png", encoded(picture(9)))
    assert look().content != before.content and len(seen) == 6
    assert look() and len(seen) == 6  # too young to be trusted
