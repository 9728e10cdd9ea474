"""Vectors from the command line: the same promises as for images, and the numbers of scikit-learn."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from frostline.pipeline.cli.main import main
from frostline.stages.heads import read_head
from support.killed import contents, killed
from support.warm import Warm

DIGITS = load_digits()
X, Y = DIGITS.data.astype(np.float32), DIGITS.target
RUN = ["--grid", "C=0.01", "--scaling", "none"]


@pytest.fixture
def file(work: Path) -> Path:
    file = work.with_name("digits.npz")
    np.savez(file, X_train=X[:600], y_train=Y[:600], X_test=X[600:900], y_test=Y[600:900])
    return file


def test_a_run_scores_as_scikit_learn_does_on_the_same_arrays(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dataset", f"vectors:{file}", *RUN, "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    theirs = LogisticRegression(C=0.01, tol=1e-8, max_iter=10_000).fit(X[:600].astype(np.float64), Y[:600])
    accuracy = done["probes"][0]["evaluation"]["scores"]["accuracy"]["value"]
    assert accuracy == pytest.approx(theirs.score(X[600:900], Y[600:900]), abs=1e-9)
    head = next(file.parent.glob("data/heads/*"))
    np.save(file.with_name("new.npy"), X[900:1000])
    assert main(["predict", str(head), str(file.with_name("new.npy")), "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [one["path"].rpartition("/")[2] for one in answers[:2]] == ["new.npy#000001", "new.npy#000002"]
    assert [int(one["label"]) for one in answers] == theirs.predict(X[900:1000]).tolist()
    page = next(file.parent.glob("data/runs/*/report.html")).read_text()
    assert "data:image" not in page and "vectors" in page


def test_a_cached_run_loads_no_torch(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dataset", f"vectors:{file}", *RUN]) == 0
    code = f"""
import sys
from frostline.pipeline.cli.main import main
status = main({["run", "--dataset", f"vectors:{file}", *RUN]!r})
assert "torch" not in sys.modules
sys.exit(status)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "features from the cache, no backbone run" in ran.stdout


def test_the_same_numbers_in_another_file_are_cached(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", "--dataset", f"vectors:{file}"]) == 0
    labels = {"y_train": Y[:600], "y_test": Y[600:900]}
    np.savez_compressed(file.with_name("b.npz"), X_train=X[:600].astype(">f8"), X_test=X[600:900], **labels)
    capsys.readouterr()
    assert main(["extract", "--dataset", f"vectors:{file.with_name('b.npz')}"]) == 0
    assert capsys.readouterr().err.count("rows cached") == 2


def test_health_bench_and_verify_take_them(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract", "--dataset", f"vectors:{file}"]) == 0
    assert main(["health", "--dataset", f"vectors:{file}"]) == 0
    assert "600 training and 300 test samples" in capsys.readouterr().out
    matrix = file.with_name("m.toml")
    names = '[[backbone]]\nbackbone = "vectors"\n[[head]]\nhead = ["centroid"]\n[[head]]\nhead = ["ridge"]\n'
    matrix.write_text(f'[[dataset]]\ndataset = "vectors:{file}"\n{names}')
    assert main(["bench", str(matrix)]) == 0
    assert re.search(r"vectors.*ridge", capsys.readouterr().out)
    assert main(["verify"]) == 0


def test_rows_that_are_not_finite_stop_a_run_unless_they_are_tolerated(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = X[:600].copy()
    odd[4, 2] = np.nan
    np.savez(file, X=odd, y=Y[:600])
    assert main(["run", "--dataset", f"vectors:{file}", *RUN]) == 3
    assert "000005: number 3 of 64 is NaN" in capsys.readouterr().err
    assert main(["run", "--dataset", f"vectors:{file}", *RUN, "--max-bad", "1"]) == 5


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--resize", "8"], "--resize for the vectors of vectors:"),
        (["--views", "plain,hflip"], "--views for the vectors of vectors:"),
        (["--backbone", "pixels"], "pixels takes images, but the samples are vectors"),
        (["--pool", "avg"], "vectors has no layers and no pooling; leave --layer and --pool out"),
        (["--root", "."], "expected --root only with csv"),
        (["--bit-depth", "12"], "expected --bit-depth only with "),
    ],
)
def test_what_is_for_images_is_refused(
    file: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert main(["run", "--dataset", f"vectors:{file}", *flags]) == 2
    assert said in capsys.readouterr().err and not list(file.parent.glob("data/features/*"))


def test_images_are_not_for_the_backbone_of_vectors(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dataset", "digits", "--backbone", "vectors"]) == 2
    assert "vectors takes vectors, but the samples are images" in capsys.readouterr().err


@pytest.mark.parametrize("scaling", ["none", "standardize"])
def test_a_head_of_vectors_is_exported_alone_and_takes_them(
    file: Path, scaling: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--dataset", f"vectors:{file}", *RUN, "--scaling", scaling]) == 0
    folder = next(file.parent.glob("data/heads/*"))
    head, files = read_head(folder)[0], [file.with_name("head.pt2"), file.with_name("head.onnx")]
    for out in files:
        capsys.readouterr()
        assert main(["export", str(folder), str(out)]) == 0
        assert f"float32 features (batch, {head.width}) to a probability per class" in capsys.readouterr().out
    rows = np.random.default_rng(7).standard_normal((9, head.width)).astype(np.float32)
    by_torch = torch.export.load(files[0]).module()(torch.from_numpy(rows)).numpy()
    [by_onnx] = ReferenceEvaluator(str(files[1])).run(None, {"features": rows})
    for found in (by_torch, by_onnx):
        np.testing.assert_allclose(found, head.decision_values(rows), atol=1e-5)


def test_an_extraction_that_is_killed_is_resumed_to_the_same_bytes(tmp_path: Path, warm: Warm) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", X=rng.standard_normal((6_000, 8), np.float32), y=rng.integers(0, 2, 6_000))
    command = ["-m", "frostline", "extract", "--dataset", "vectors:a.npz", "--batch-size", "16"]
    features = tmp_path / "data" / "features"
    committed = killed(warm.start(command, cwd=tmp_path), features, after=2)
    assert len(committed) >= 2 and not list(features.glob("*-test-*"))
    assert warm.start(command, cwd=tmp_path).wait() == 0
    resumed = _features(features)
    shutil.rmtree(features)
    assert warm.start(command, cwd=tmp_path).wait() == 0
    assert resumed == _features(features) and len(resumed) > 10


def _features(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(folder).items() if not name.endswith("speed.json")}


def test_a_file_of_many_rows_is_indexed_in_little_memory(tmp_path: Path) -> None:
    """256 MB of numbers; what grows is the row's digest, id and label."""
    with (tmp_path / "a.npy").open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": "<f4", "fortran_order": False, "shape": (250_000, 256)})
        block = np.random.default_rng(0).standard_normal((10_000, 256), np.float32)
        for number in range(25):
            out.write((block + number).tobytes())
    (tmp_path / "a.csv").write_text("label\n" + "a\nb\n" * 125_000)
    code = """
import resource
from frostline.stages.datasets import open_dataset
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = open_dataset("vectors:a.npy")
print(len(found.train) + len(found.test), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    rows, more = map(int, ran.stdout.split())
    assert rows == 250_000 and more < 200_000, f"{more} kB"
