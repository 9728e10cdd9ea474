"""What is done once: a first settings file that runs as it is, a look at what is installed, shell completion."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from frostline.pipeline.cli.completion import SHELLS
from frostline.pipeline.cli.main import main
from frostline.pipeline.maintain.doctor import Finding, broken, doctor_text
from frostline.pipeline.run.init import recognised
from frostline.stages.errors import ConfigError
from support.pictures import paint
from support.project import Command


def images(place: Path) -> tuple[str, ...]:
    for name, row in (("cat", 0), ("dog", 1)):
        for i in range(12):
            paint(place / name / f"{i}.png", row, i, (40, 40))
    return (str(place), "--backbone", "pixels", "--resize", "8x8")


def texts(place: Path) -> tuple[str, ...]:
    rows = [f"{word} film number {i},{label}" for i in range(20) for word, label in (("good", "pos"), ("bad", "neg"))]
    place.with_suffix(".csv").write_text("\n".join(["text,class", *rows]))
    return (str(place.with_suffix(".csv")),)


def recordings(place: Path) -> tuple[str, ...]:
    soundfile = pytest.importorskip("soundfile", reason="recordings are written with soundfile")
    for name, tone in (("low", 200), ("high", 2000)):
        (place / name).mkdir(parents=True)
        for i in range(12):
            wave = np.sin(2 * np.pi * (tone + 10 * i) * np.arange(8000) / 8000)
            soundfile.write(place / name / f"{i}.wav", wave.astype("float32"), 8000)
    return (str(place),)


def vectors(place: Path) -> tuple[str, ...]:
    labels = np.repeat(["a", "b"], 20)
    features = np.random.default_rng(0).normal(size=(40, 5)) + (labels == "b")[:, None]
    np.savez(place.with_suffix(".npz"), features=features.astype("float32"), labels=labels)
    return (str(place.with_suffix(".npz")),)


@pytest.mark.parametrize("made", [images, texts, recordings, vectors])
def test_the_file_that_init_writes_runs_as_it_is(
    made: Callable[[Path], tuple[str, ...]], frostline: Command, tmp_path: Path
) -> None:
    written = frostline("init", *made(tmp_path / "samples"))
    assert written.returncode == 0, written.stderr
    *_, command = written.stdout.strip().splitlines()
    assert command == "frostline run --config frostline.toml" and "2 classes" in written.stdout
    assert tomllib.loads((tmp_path / "frostline.toml").read_text())["head"] == ["logreg", "knn"]
    done = frostline(*command.split()[1:], "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "\nTake " in done.stdout and "accuracy" in done.stdout


def test_init_never_writes_over_a_file(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 3")
    assert main(["init", *vectors(tmp_path / "v"), "--out", str(file)]) == 2
    assert "expected a new file" in capsys.readouterr().err and file.read_text() == "seed = 3"


def test_init_takes_the_only_other_column_of_texts_as_the_label(work: Path, tmp_path: Path) -> None:
    texts(tmp_path / "reviews")
    table, file = tmp_path / "reviews.csv", tmp_path / "first.toml"
    table.write_text(table.read_text().replace("text,class", "text,sentiment"))
    assert main(["init", str(table), "--out", str(file)]) == 0
    written = file.read_text()
    assert tomllib.loads(written)["columns"] == {"label": "sentiment"}
    assert "# shots = [1, 4, 16]" in written.partition("learning curve")[2]


def test_a_place_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(ConfigError, match="no file or folder nothere; expected one, or the name of a dataset"):
        recognised("nothere")
    with pytest.raises(ConfigError, match="did you mean 'cifar10'"):
        recognised("cifar1O")


def test_what_a_place_holds_is_recognised(tmp_path: Path) -> None:
    for name in ("a.csv", "b.parquet", "c.tar", "d.npz", "e.h5", "f.jsonl", "g.zip", "saved/dataset_dict.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name, prefix in {"a.csv": "csv", "b.parquet": "parquet", "c.tar": "tar", "d.npz": "vectors"}.items():
        assert recognised(str(tmp_path / name)) == f"{prefix}:{tmp_path / name}"
    for name, prefix in {"e.h5": "vectors", "f.jsonl": "jsonl", "g.zip": "zip", "saved": "hf-disk"}.items():
        assert recognised(str(tmp_path / name)) == f"{prefix}:{tmp_path / name}"
    assert recognised("cifar10") == "cifar10" and recognised(str(tmp_path)) == f"parquet:{tmp_path / '*'}.parquet"
    only = tmp_path / "only"
    images(only / "cat")
    assert recognised(str(only)) == f"folder:{only}"
    (tmp_path / "x.docx").touch()
    with pytest.raises(ConfigError, match="expected a folder, a table"):
        recognised(str(tmp_path / "x.docx"))


def test_doctor_says_what_is_here_and_exits_with_0(frostline: Command) -> None:
    done = frostline("doctor", "--json", TORCH_HOME="/nowhere/torch")
    found = json.loads(done.stdout)
    names = {one["name"]: one for one in found["findings"]}
    assert done.returncode == 0 and found["broken"] is False
    assert {"torch", "threads", "bf16 on CPU", "locks", "free space", "timm", "hf"} <= set(names)
    assert names["torchvision"]["found"] and "TORCH_HOME is set" in str(found)
    assert not [name for name in names if name == "pytest"]


def test_doctor_says_what_to_install_and_what_is_broken() -> None:
    missing = Finding("extras", "timm", "timm not installed", "missing", "for timm: pip install 'timm>=1.0.20'")
    assert not broken([missing]) and doctor_text([missing]).endswith(
        "what to do\n- for timm: pip install 'timm>=1.0.20'"
    )
    bad = Finding("machine", "torch", "ImportError", "broken", "reinstall torch")
    assert broken([missing, bad]) and "BROKEN" in doctor_text([missing, bad])
    assert doctor_text([bad, bad._replace(name="numpy")]).count("reinstall torch") == 1
    assert doctor_text([Finding("packages", "torch", "2.10")]).endswith("Nothing is missing.")


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("builtins.print", lambda text, *_, name=shell, **__: (folder / name).write_text(text))
            assert main(["completion", shell]) == 0
    return folder


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("r", {"run", "rank", "report"}),
        ("run --pre", {"--precision"}),
        ("run --precision ", {"auto", "fp32", "bf16", "fp16"}),
        ("evaluate --head dinov2-", {"dinov2-logreg", "dinov2-knn", "dinov2-linear"}),
        ("run --device cu", {"cuda", "cuda:N"}),
        ("predict some", {"some.toml"}),
        ("run --config so", {"some.toml"}),
        ("completion ", {"bash", "zsh", "fish"}),
        ("run --backbone resnet8", {"resnet8-cifar10"}),
        ("run --backbone st", {"st:"}),
        ("run --dataset fold", {"folder:"}),
        ("run --dataset cifar1", {"cifar10", "cifar100"}),
    ],
)
def test_bash_completes_commands_flags_choices_and_files(
    scripts: Path, tmp_path: Path, typed: str, offered: set[str]
) -> None:
    if not (bash := shutil.which("bash")):
        pytest.skip("bash is not installed")
    (tmp_path / "some.toml").touch()
    words = ["frostline", *typed.split(" ")]
    ask = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_frostline; printf "%s\\n" "${COMPREPLY[@]}"'
    given = [bash, "-c", ask, scripts / "bash", *words]
    done = subprocess.run(given, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == offered, done.stderr


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_of_other_shells_are_read_by_them(scripts: Path, shell: str) -> None:
    if not (found := shutil.which(shell)):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([found, "-n", scripts / shell], env={**os.environ, "HOME": str(scripts)}, check=True)


def test_another_shell_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bassh"]) == 2
    assert "unknown shell 'bassh'; did you mean 'bash'?" in capsys.readouterr().err
