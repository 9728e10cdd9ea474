"""A run over a table of texts: every stage, from the cache without torch, and after a kill to the same bytes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import transformers as hf

from frostline.pipeline.diagnose.rank import rank
from frostline.pipeline.run.run import preview_run, run
from frostline.pipeline.serve.export import export_head
from frostline.pipeline.serve.predict import predict
from frostline.pipeline.settings import PredictSettings, RankSettings, Settings
from frostline.stages.errors import ConfigError
from frostline.stages.store import load, open_set
from support.killed import contents, killed
from support.model_folders import save_transformers
from support.text_features import features, loaded
from support.text_models import save_sentences, save_text_model
from support.warm import Started, Warm

SAID = {"animal": ["the cat sat on the mat", "a dog was on a mat"], "place": ["the river is long", "what river is it"]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    folder = tmp_path_factory.mktemp("model") / "bert"
    save_text_model(folder, "bert")
    return folder


def write(file: Path, rows: int, longest: int = 5) -> Path:
    lines = ["text,label,split"]
    for i in range(rows):
        label = "animal" if i % 2 else "place"
        text = " ".join([SAID[label][i // 2 % 2], *["mat"] * (i % longest)])
        lines.append(f"{text},{label},{'test' if i % 4 == 3 or i % 8 == 0 else 'train'}")
    file.write_text("\n".join([*lines, ("long mat " * 100) + ",animal,train"]))
    return file


def settings(model: Path, folder: Path, rows: int = 64, **more: Any) -> Settings:
    how = {"backbone": f"hf:{model}", "pool": "mean", "data_dir": folder / "data", "baseline": "none"}
    return Settings(**{"dataset": f"csv:{write(folder / 'said.csv', rows)}", "precision": "fp32", **how, **more})


def test_a_run_has_the_encoders_features_and_says_what_was_cut(model: Path, tmp_path: Path) -> None:
    report = run(settings(model, tmp_path, baseline="auto"))
    mine, beside = report.probes
    assert beside.backbone.startswith("tfidf:said-") and mine.evaluation and beside.evaluation
    assert mine.evaluation.scores["accuracy"].value > 0.9
    assert mine.fitted and mine.fitted.selection.grid[-1] == 1e4
    assert beside.fitted and beside.fitted.selection.grid[-1] == pytest.approx(1e6)
    stored = load(open_set(mine.features[1].folder))
    texts = [line.split(",")[0] for line in (tmp_path / "said.csv").read_text().splitlines()]
    wanted = features(loaded(f"hf:{model}", "mean"), [texts[int(one.split()[1]) - 1] for one in stored.ids])
    np.testing.assert_allclose(np.asarray(stored.X), wanted, atol=1e-5)
    said = "train: 1 of 41 texts (2.4 %) are truncated: 138 of"
    assert sum(note.startswith(said) for note in report.notes) == 1
    assert said in " ".join(json.loads(report.path.read_text())["notes"])
    page = report.path.with_name("report.html").read_text()
    assert said.replace(" %", "\u00a0%") in page and "up to 64 tokens" in page and ">Images<" not in page


def test_a_cached_run_loads_neither_torch_nor_transformers(model: Path, tmp_path: Path) -> None:
    run(settings(model, tmp_path))
    arguments = ["run", "--dataset", f"csv:{tmp_path / 'said.csv'}", "--backbone", f"hf:{model}", "--pool", "mean"]
    arguments += ["--data-dir", str(tmp_path / "data"), "--precision", "fp32", "--baseline", "none"]
    code = (
        "import sys; from frostline.pipeline.cli.main import main; code = main(sys.argv[1:]); "
        "assert not {'torch', 'transformers', 'tokenizers'} & set(sys.modules), 'loaded'; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "from the cache" in done.stdout, done.stderr


def test_a_killed_extraction_ends_with_the_same_bytes(model: Path, tmp_path: Path, warm: Warm) -> None:
    file = write(tmp_path / "said.csv", 3600, 40)
    arguments = ["-m", "frostline", "extract", "--dataset", f"csv:{file}", "--backbone", f"hf:{model}"]
    arguments += ["--pool", "mean", "--precision", "fp32", "--batch-size", "8", "--workers", "1", "--data-dir"]

    def start(name: str) -> Started:
        return warm.start([*arguments, str(tmp_path / name)])

    assert start("whole").wait() == 0
    wanted = contents(tmp_path / "whole" / "features")
    kept = killed(start("halved"), tmp_path / "halved" / "features", 1)
    assert 1 <= len(kept) < sum(name.endswith(".json") and "shards" in name for name in wanted)
    assert start("halved").wait() == 0
    found = contents(tmp_path / "halved" / "features")
    assert all(found[name] == wanted[name] for name in wanted if "shards" in name)


def test_a_head_answers_for_files_tables_and_lines(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run(settings(model, tmp_path))
    fitted = report.probes[0].fitted
    assert fitted
    (tmp_path / "one.txt").write_text("the cat sat on the mat\n")
    (tmp_path / "some.csv").write_text("said,text\nthe river is long,x\n")
    stdin = SimpleNamespace(buffer=io.BytesIO("what river is it\n\n\xff".encode("latin-1")))
    monkeypatch.setattr(sys, "stdin", stdin)
    asked = PredictSettings(backbone=f"hf:{model}", input="said")
    answers = predict(fitted.folder, [tmp_path / "one.txt", tmp_path / "some.csv", "-"], asked)
    assert [str(one.path) for one in answers][1:] == [f"{tmp_path / 'some.csv'}: line 2", "line 1", "line 3"]
    assert [one.classes[0][0] for one in answers[:3]] == ["animal", "place", "place"]
    assert "not UTF-8" in (answers[3].problem or "")
    with pytest.raises(ConfigError, match="only heads for images and vectors can be exported"):
        export_head(fitted.folder, tmp_path / "head.onnx", asked)


def test_a_run_over_a_folder_of_texts_has_a_baseline_excerpts_and_answers(model: Path, tmp_path: Path) -> None:
    for i in range(64):
        label = "animal" if i % 2 else "place"
        place = tmp_path / "said" / ("test" if i % 8 > 5 else "train") / label
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}.txt").write_text(" ".join([SAID[label][i // 2 % 2], *["mat"] * (i % 5)]) + "\n")
    (tmp_path / "said" / "test" / "place" / "x.txt").write_text("the cat sat on the mat mat mat mat mat mat")
    report = run(settings(model, tmp_path, dataset=f"folder:{tmp_path / 'said'}", baseline="auto"))
    mine, beside = report.probes
    assert beside.backbone.startswith("tfidf:said-") and mine.evaluation and mine.fitted
    assert beside.fitted  # a vocabulary is no code: no flag names it again
    assert predict(beside.fitted.folder, [tmp_path / "said" / "test"], PredictSettings())
    assert mine.evaluation.scores["accuracy"].value > 0.9
    page = report.path.with_name("report.html").read_text()
    assert "the cat sat on the mat mat mat mat mat mat" in page
    asked = PredictSettings(backbone=f"hf:{model}")
    answers = predict(mine.fitted.folder, [tmp_path / "said" / "test"], asked)
    wrong = [one.path.name for one in answers if one.classes[0][0] != one.path.parent.name]
    assert (len(answers), wrong) == (17, ["x.txt"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"resize": 64}, "--resize for the texts"),
        ({"views": ("plain", "hflip")}, "--views for the texts"),
        ({"baseline": "pixels"}, "baseline pixels"),
        ({"pool": None}, "no --pool for the texts"),
        ({"backbone": "resnet8-cifar10", "pool": None}, "takes images, but the samples are texts"),
    ],
)
def test_what_is_for_images_is_refused(model: Path, tmp_path: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(settings(model, tmp_path, **asked))


@pytest.mark.parametrize(
    "asked", [{"prompt": "query: "}, {"max_length": 9}, {"windows": "mean"}, {"baseline": "tfidf"}]
)
def test_what_is_for_texts_is_refused_for_images(tmp_path: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="image"):
        run(Settings(dataset="digits", data_dir=tmp_path, **asked))


def test_a_dry_run_writes_nothing(model: Path, tmp_path: Path) -> None:
    preview_run(settings(model, tmp_path, baseline="auto"))
    assert not (tmp_path / "data" / "vocabularies").exists()


def test_texts_of_unknown_words_alone_are_counted_and_one_is_named(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    how = settings(model, tmp_path)
    table = Path(str(how.dataset).partition(":")[2])
    with table.open("a") as file:
        file.write("\nzzz qqq,animal,test\n")
    said = "test: 1 of 25 texts has no known tokens, such as line 67: its features carry no information"
    report = run(how)
    assert said in caplog.text and said in "\n".join(report.notes)


@pytest.mark.parametrize("family", ["st", "hf"])
def test_a_plan_refuses_images_for_a_backbone_of_texts_as_the_run_does(
    model: Path, tmp_path: Path, family: str
) -> None:
    save_sentences(tmp_path / "encoder", model)
    named = {"st": f"st:{tmp_path / 'encoder'}", "hf": f"hf:{model}"}[family]
    how = Settings(dataset="digits", backbone=named, data_dir=tmp_path)
    for asked in (preview_run, run):
        with pytest.raises(ConfigError, match="takes texts, but the samples are images"):
            asked(how)


@pytest.mark.parametrize("kind", ["vit", "clip"])
def test_a_plan_refuses_texts_for_a_model_of_images_as_the_run_does(tmp_path: Path, kind: str) -> None:
    save_transformers(tmp_path / "model", kind)
    for asked in (preview_run, run):
        with pytest.raises(ConfigError, match="takes images, but the samples are texts"):
            asked(settings(tmp_path / "model", tmp_path))


def test_encoders_of_texts_are_ranked_beside_tfidf_and_past_runs(model: Path, tmp_path: Path) -> None:
    save_sentences(tmp_path / "encoder", model)
    how = settings(model, tmp_path, baseline="tfidf")
    run(how)
    (words,) = (tmp_path / "data" / "vocabularies").iterdir()
    names = [f"hf:{model}", f"st:{tmp_path / 'encoder'}", f"tfidf:{words}"]
    asked = {"dataset": how.dataset, "data_dir": how.data_dir, "precision": "fp32", "pool": "mean"}
    found = rank(names, RankSettings(**asked))
    assert {one.backbone for one in found.backbones} == {*names}
    measured = {one.backbone.partition(":")[0] for one in found.backbones if one.accuracy is not None}
    assert measured == {"hf", "tfidf"}
    assert all(np.isfinite(one.scores.logme) for one in found.backbones)
