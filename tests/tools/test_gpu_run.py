"""The GPU run, rehearsed on the processor; its steps fail, end and are written one by one."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from support.project import REPOSITORY
from support.warm import Warm
from tools.gpu.report import Found, Report, Skipped

ON_A_GPU = {
    "tests": "these tests need a GPU; the suite runs what can be tested without one",
    "kernels": "these operations exist on a GPU alone",
}


def written(folder: Path) -> dict[str, Found]:
    found: dict[str, Found] = json.loads((folder / "result.json").read_text())
    return found


def ran(warm: Warm, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run(["-m", "tools.gpu_run", *arguments], {**os.environ, "PYTHONPATH": str(REPOSITORY)}, REPOSITORY)


def test_every_step_is_rehearsed_on_a_processor_or_says_why_not(tmp_path: Path, warm: Warm) -> None:
    from tools.gpu_run import STEPS

    done = ran(warm, str(tmp_path), "--device", "cpu", "--scale", "0.001")
    assert done.returncode == 0, done.stderr
    found = written(tmp_path)
    assert list(found) == list(STEPS)
    assert {name: one["error"] for name, one in found.items() if "error" in one} == {}
    assert {name: one["skipped"] for name, one in found.items() if "skipped" in one} == ON_A_GPU
    assert all(len(one) > 1 for one in found.values())
    for kind in ("thumbnails", "photographs"):
        whole = found["whole"][f"mobilenet_v2, {kind}"]
        assert isinstance(whole, dict) and whole["steady images/s"] > 0 and whole["share of resident"] > 0
        assert found["decode"][f"{kind}, torchvision's pixels are Pillow's"] == "in 16 of 16 files"
    assert found["heads"]["largest difference of probabilities (expected below 1e-4)"] == 0
    assert "no step failed" in done.stdout
    assert "== mobilenet_v2: kernels of 5 batches" in (tmp_path / "profile.txt").read_text()


def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path: Path, warm: Warm) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = ran(warm, str(tmp_path / "out"))
    assert done.returncode == 1 and "torch finds no GPU here" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_tests_that_it_names_exist() -> None:
    from tools.gpu.correctness import AFTER_A_FAILED_CAPTURE, MOST

    assert "tests/stages/extract/test_cuda_extract.py" in MOST
    named = [one for one in (*MOST, *AFTER_A_FAILED_CAPTURE) if "::" in one]
    assert len(named) == 4
    for test in named:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (REPOSITORY / file).read_text()


def test_a_step_that_fails_or_takes_too_long_is_noted_and_the_next_one_runs(tmp_path: Path) -> None:
    report = Report(tmp_path, 60)

    def fails(found: Found) -> None:
        found["first half"] = 1
        raise ValueError("the second half is broken")

    def hangs(_found: Found) -> None:
        while True:
            try:
                time.sleep(60)
            except Exception:  # as a library may have it
                continue

    report.run("fails", 5, fails)
    assert written(tmp_path)["fails"]["first half"] == 1
    report.run("hangs", 0.2, hangs)
    report.run("works", 5, lambda found: found.update(rate=3))
    found = written(tmp_path)
    assert found["fails"]["error"] == "ValueError: the second half is broken"
    assert str(found["hangs"]["error"]).startswith("TooLate: it took more than")
    assert found["works"]["rate"] == 3 and "error" not in found["works"]
    assert "the second half is broken" in (tmp_path / "errors.txt").read_text()


def test_what_does_not_apply_is_skipped_with_its_reason_and_so_is_what_no_time_is_left_for(tmp_path: Path) -> None:
    def no_gpu(_found: Found) -> None:
        raise Skipped("it needs a GPU")

    Report(tmp_path, 60).run("a", 5, no_gpu)
    assert written(tmp_path)["a"]["skipped"] == "it needs a GPU"
    late = Report(tmp_path, 0)
    late.run("b", 5, lambda found: found.update(rate=3))
    assert written(tmp_path)["b"]["skipped"] == "no time was left for it; run it alone with --only"
    assert "rate" not in written(tmp_path)["b"]


def test_a_step_run_again_keeps_what_the_others_found(tmp_path: Path) -> None:
    first = Report(tmp_path, 60)
    for name in ("a", "b"):
        first.run(name, 5, lambda found: found.update(rate=1))
    Report(tmp_path, 60, keep=True).run("b", 5, lambda found: found.update(rate=2))
    assert [one["rate"] for one in written(tmp_path).values()] == [1, 2]
    Report(tmp_path, 60).run("b", 5, lambda found: found.update(rate=3))
    assert list(written(tmp_path)) == ["b"]
