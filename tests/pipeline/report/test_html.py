"""The pages: what they show, what they survive, and that they ask nothing of anyone."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
import shutil
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from frostline.pipeline.cli.main import main
from frostline.pipeline.records.run import Report
from frostline.pipeline.report.html import write_page
from frostline.pipeline.report.html.predictions import read_predictions
from frostline.pipeline.report.text import table as terminal
from frostline.pipeline.run.run import run
from frostline.pipeline.settings import Settings
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.records.sealed import sealed, unsealed
from support.pages import Page, balanced, made, photographs

NOT_LOOKED = "This run did not look for near duplicates"
HOSTILE = (
    "<script>alert(1)</script>",
    "\"quoted\" & 'so'",
    "日本語",
    "عربى",
    "$x_1$",
    "w" * 300,
    "font-family:x",
    "\u202eevil",
    "_hidden",
)


def mistaken(root: Path) -> Path:
    """Return the folder of a run of two heads, one with probabilities, on test labels of which some are wrong."""
    table = photographs(root, balanced("abc", 20, 16))
    lines = table.read_text().splitlines()
    lines[-1], lines[-20] = lines[-1].replace(",c,", ",a,"), lines[-20].replace(",b,", ",c,")
    table.write_text("\n".join(lines) + "\n")
    return made(table, head=("logreg", "centroid"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to be looked at alone."""
    return mistaken(tmp_path_factory.mktemp("kept"))


def test_a_run_writes_a_page_with_every_section(kept: Path) -> None:
    page = Page(kept / "report.html")
    wanted = {"heads", "scores", "setup", "mistakes", "confidence", "map", "data", "provenance"}
    assert page.sections == wanted
    assert page.all("html") == [{"lang": "en"}]
    score = json.loads((kept / "run.json").read_text())["probes"][0]["evaluation"]["scores"]["accuracy"]
    first = page.text[page.text.index("Frostline") :][:200]
    assert f"{100 * score['value']:.1f} %" in first
    low, high = re.findall(r"interval ([\d.]+) – ([\d.]+) %, allowing for the choice", first)[0]
    assert float(low) < 100 * score["low"] and high == f"{100 * score['high']:.1f}"
    assert "This head was chosen on them as the best of 2" in page.text and "Nothing was chosen" not in page.text
    assert page.text.count("No interval covers other training samples") == 1


def test_a_page_asks_nothing_of_anyone_and_runs_nothing(kept: Path) -> None:
    page = Page(kept / "report.html")
    policy = [m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy and "default-src 'none'" in policy[0] and "script" not in policy[0]
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "form", "foreignobject", "base", "metadata"}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "xlink:href"):
            target = attributes.get(name, "#")
            assert target.startswith("#") or ((kept / unquote(target)).is_file() and ":" not in target)
        assert attributes.get("src", "data:image/").startswith("data:image/")
    assert not re.search(r"url\((?!#)|@import", page.source)
    assert "://" not in page.source


def test_the_same_run_gives_the_same_bytes(kept: Path) -> None:
    first = (kept / "report.html").read_bytes()
    assert write_page(kept, kept / "again.html").read_bytes() == first


@pytest.fixture(scope="module")
def differing(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of a run whose head differs from its baseline."""
    return run(Settings(head=("centroid",), resize=(16, 16), data_dir=tmp_path_factory.mktemp("differing")))


def test_a_page_that_is_written_again_ranks_heads_that_differ_as_the_run_did(differing: Report) -> None:
    folder = differing.path.parent
    first = (folder / "report.html").read_bytes()
    assert write_page(folder).read_bytes() == first


def test_figures_speak_to_those_who_see_no_colour_and_to_those_who_see_nothing(kept: Path) -> None:
    page = Page(kept / "report.html")
    figures = page.all("svg")
    assert len(figures) >= 5
    assert all(one["role"] == "img" and one["aria-label"] for one in figures)
    assert all(image["alt"] for image in page.all("img"))
    assert not re.search(r"(fill|stroke): #", page.source)
    assert "prefers-color-scheme: dark" in page.style and "@media print" in page.style


def test_ids_are_there_once(kept: Path) -> None:
    ids = [attributes["id"] for _, attributes in Page(kept / "report.html").tags if "id" in attributes]
    links = {a["href"][1:] for a in Page(kept / "report.html").all("a") if a["href"].startswith("#")}
    assert len(set(ids)) == len(ids)
    assert links <= set(ids)


def test_the_worst_mistakes_are_shown_as_they_are(kept: Path) -> None:
    page = Page(kept / "report.html")
    assert "Most confident mistakes" in page.text and "Most frequent confusions" not in page.text  # the same ones
    path = next(kept.glob("*logreg.csv"))
    answers = read_predictions(path, path.read_bytes(), ("a", "b", "c"))
    rows = answers.mistakes()
    assert len(rows) and page.text.index(answers.ids[rows[0]]) <= page.text.index(answers.ids[rows[-1]])
    source = next(image["src"] for image in page.all("img") if image["title"] == answers.ids[rows[0]])
    shown = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    original = Image.open(kept.parents[2] / answers.ids[rows[0]])
    assert np.array_equal(np.asarray(shown), np.asarray(original))


def with_defects(root: Path) -> Path:
    """Return the folder of a run on samples of which two are copies, one nearly is, and one training label is wrong."""
    table = photographs(root, balanced("abc", 20, 16))
    images = root / "images"
    lines = table.read_text().splitlines()
    lines[3] = lines[3].replace(",a,", ",c,")
    lines += ["images/copy.png,a,test", "images/near.png,b,test"]
    table.write_text("\n".join(lines) + "\n")
    shutil.copy(images / "5.png", images / "copy.png")
    pixels = np.array(Image.open(images / "25.png"))
    pixels[0, 0] += 2
    Image.fromarray(pixels).save(images / "near.png")
    return made(table, head=("centroid",))


@pytest.fixture(scope="module")
def defective(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a run, to be looked at alone."""
    return with_defects(tmp_path_factory.mktemp("defective"))


def test_a_small_runs_page_says_what_is_wrong_with_its_data(defective: Path) -> None:
    page = Page(defective / "report.html")
    for said in (
        "1 sample both in train and in test",
        "images/5.png = images/copy.png",
        "images/near.png ≈ images/25.png",
        "1 training label worth a second look; ",
        "labelled cmore likely a",
        "0 samples with NaN or infinite features",
        "without the 2 samples that train has",
        "frostline health --backbone pixels",
    ):
        assert said in page.text
    assert len([one for one in page.tags if one == ("dt", {"class": "seen"})]) == 4


def test_doubtful_labels_and_near_duplicates_are_shown_as_they_are(defective: Path) -> None:
    images = {image["title"]: image for image in Page(defective / "report.html").all("img")}
    for name, alt in (
        ("images/2.png", "A training sample labelled c, more likely a"),
        ("images/near.png", "A test sample"),
        ("images/25.png", "Its near duplicate in the training set"),
    ):
        shown = Image.open(io.BytesIO(base64.b64decode(images[name]["src"].partition(",")[2])))
        assert images[name]["alt"] == alt
        assert np.array_equal(np.asarray(shown), np.asarray(Image.open(defective.parents[2] / name)))


def test_many_doubtful_labels_make_no_heavy_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(str(rng.choice(["a", "b"], p=p)), "train") for p in ([0.88, 0.12], [0.12, 0.88]) for _ in range(60)]
    table = photographs(tmp_path, [*rows, *balanced("ab", 0, 6)])
    for i in range(120):  # what the images show is not what some labels say
        shown = np.random.default_rng(i).integers(0, 60, (160, 160, 3)) + np.array(
            [120, 0, 0] if i < 60 else [0, 0, 120]
        )
        Image.fromarray(shown.astype(np.uint8)).save(tmp_path / "images" / f"{i}.png")
    page = Page(made(table) / "report.html")
    assert page.text.count("more likely") == 12 and "more are left out" in page.text
    assert len(page.source) < 500_000


def test_an_image_that_is_there_many_times_fills_no_page(tmp_path: Path) -> None:
    table = photographs(tmp_path, balanced("ab", 40, 6))
    for i in range(1, 30):
        shutil.copy(tmp_path / "images" / "0.png", tmp_path / "images" / f"{i}.png")
    page = Page(made(table) / "report.html")
    assert "1 sample more than once in one split" in page.text and "images/9.png = 20 more" in page.text


def test_a_large_runs_page_has_the_command_until_health_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostline.pipeline.diagnose.health._QUICK", 1000)
    folder = made(photographs(tmp_path, balanced("ab", 12, 6)))
    assert NOT_LOOKED in Page(folder / "report.html").text and not (tmp_path / "data" / "health").exists()
    command = re.search(r"frostline health [^<\n]*", (folder / "report.html").read_text())
    assert command
    assert main([*shlex.split(unescape(command[0]))[1:], "--data-dir", str(tmp_path / "data")]) == 0
    assert "0 outliers (unusual feature norm)" in Page(write_page(folder)).text
    (memory,) = (tmp_path / "data" / "health").iterdir()
    memory.write_bytes(memory.read_bytes().replace(b'"width":192', b'"width":193'))
    assert NOT_LOOKED in Page(write_page(folder)).text


def test_training_samples_that_changed_since_are_not_shown(tmp_path: Path) -> None:
    folder = with_defects(tmp_path)
    table = tmp_path / "samples.csv"
    table.write_text(table.read_text().replace("images/2.png,c,train\n", ""))
    page = Page(write_page(folder))
    titles = {image["title"] for image in page.all("img")}
    assert "images/near.png" in titles and not titles & {"images/2.png", "images/25.png"}
    assert "images/25.png" in page.text and "images/2.png" in page.text  # by their ids alone
    assert "not shown" not in page.text


def test_names_of_any_kind_are_text_and_nothing_else(tmp_path: Path) -> None:
    folder = made(photographs(tmp_path, balanced(HOSTILE, 12, 8)), head=("logreg",))
    page = Page(folder / "report.html")
    assert not page.all("script")
    for name in HOSTILE[:5]:
        assert name in page.text
    texts = re.findall(r"<text[^>]*>(.*?)</text>", page.source)
    assert {" _hidden", "$x_1$", "日本語", "عربى", "font-family:x", "wwwwwwwwwwwwww…wwwww"} <= set(texts)
    assert not [text for text in texts if "font-family" in text and text.strip() != "font-family:x"]
    assert "\u202e" not in page.source


def test_a_head_without_probabilities_says_so(tmp_path: Path) -> None:
    page = Page(made(photographs(tmp_path, balanced("ab", 6, 6)), head=("ridge",)) / "report.html")
    assert "gives no probabilities" in page.text
    assert not [svg for svg in page.all("svg") if svg["aria-label"].startswith("Reliability")]


@pytest.mark.parametrize("tested", ["a", "ab"])
def test_classes_without_test_samples_are_named(tmp_path: Path, tested: str) -> None:
    rows = [*balanced("abc", 5, 0), *[(name, "test") for name in tested for _ in range(4)]]
    page = Page(made(photographs(tmp_path, rows)) / "report.html")
    absent = ", ".join(name for name in "abc" if name not in tested)
    assert f"Classes without test samples: {absent}." in page.text
    assert "map" not in page.sections


def test_hundreds_of_classes_make_no_table_of_hundreds_of_columns(tmp_path: Path) -> None:
    names = [f"class {i:03d}" for i in range(300)]
    folder = made(photographs(tmp_path, balanced(names, 1, 1), spread=30))
    page = Page(folder / "report.html")
    assert "A matrix of 300 classes would be too wide" in page.text
    assert "270 others are left out" in page.text
    assert "confused pairs of classes are less frequent" in page.text
    assert len(page.all("img")) <= 24
    assert "100 classes with higher recall are left out" in page.text
    assert len(page.source) < 2_000_000


def test_a_run_of_learning_curves_alone_has_a_page(tmp_path: Path) -> None:
    folder = made(photographs(tmp_path, balanced("ab", 8, 6)), head=("ridge",), shots=(1, 2, 4), draws=3)
    page = Page(folder / "report.html")
    assert "curves" in page.sections and "mistakes" not in page.sections
    assert "with 4 training samples of each class" in page.text
    assert [svg for svg in page.all("svg") if svg["aria-label"].startswith("Learning curves")]


def test_a_curve_of_one_point_is_a_row_and_no_figure(tmp_path: Path) -> None:
    folder = made(photographs(tmp_path, balanced("ab", 8, 6)), head=("ridge",), shots=(2,), draws=3)
    page = Page(folder / "report.html")
    assert "curves" in page.sections and not page.all("svg")


def test_a_few_samples_show_no_difference_between_heads(tmp_path: Path) -> None:
    page = Page(made(photographs(tmp_path, balanced("ab", 5, 2)), head=("ridge", "centroid")) / "report.html")
    assert "4 test samples are too few to show differences between heads reliably." in page.text
    assert page.text.count("use this") == 1 and "map" not in page.sections


def test_the_band_is_the_interval_at_the_top(kept: Path) -> None:
    page = Page(kept / "report.html")
    assert "It is wider than its line, because it allows for the choice among 2 heads." in page.text


def test_what_is_gone_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    finished = mistaken(tmp_path)
    whole = Page(finished / "report.html")
    shutil.rmtree(finished.parents[1] / "features")
    shutil.rmtree(finished.parents[2] / "images")
    page = Page(write_page(finished))
    assert "The samples are not shown." in page.text and "The test features are no longer in data/features" in page.text
    assert page.sections == whole.sections and not page.all("img")
    for path in finished.glob("*.csv"):
        path.unlink()
    assert "Single mistakes can’t be shown" in Page(write_page(finished)).text


def test_a_dataset_that_changed_since_gives_no_pictures(tmp_path: Path) -> None:
    finished = mistaken(tmp_path)
    table = tmp_path / "samples.csv"
    table.write_text(table.read_text().rpartition("images/")[0])
    page = Page(write_page(finished))
    assert "have changed since the run" in page.text and not page.all("img")


def test_a_warning_about_the_choice_is_on_the_page(kept: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(kept, tmp_path / "copy")
    record = unsealed((folder / "run.json").read_bytes())
    record["probes"][0]["head"]["selection"] |= {"at_edge": True, "alike": [1e4, 1e4]}
    (folder / "run.json").write_bytes(sealed(record))
    assert "lies at the edge of its grid" in Page(write_page(folder)).text


def test_the_answer_says_whether_a_baseline_differs_beyond_chance(differing: Report) -> None:
    page = Page(differing.path.parent / "report.html")
    assert re.search(r"centroid on pixels: [\d.]+ %\.", page.text)
    better = "centroid on resnet8-cifar10 is better than centroid on pixels" in terminal(differing)
    assert ("It is significantly better than the other head." in page.text) is better
    assert ("is not clearly better than the baseline centroid on pixels" in page.text) is not better


def test_the_value_that_was_chosen_is_on_the_page_as_the_terminal_has_it(tmp_path: Path) -> None:
    table = photographs(tmp_path, balanced("ab", 12, 6))
    page = Page(made(table, head=("logreg",), grid="C=0.31623") / "report.html")
    assert "logreg, C = 0.316" in page.text


def test_a_mistake_in_the_code_of_a_page_is_not_laid_to_the_run(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("a misspelt name")

    monkeypatch.setattr("frostline.pipeline.report.html.maps.plane", fail)
    with pytest.raises(KeyError, match="a misspelt name"):
        write_page(kept, tmp_path / "page.html")


def test_the_command_writes_the_page_again(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (kept / "report.html").read_bytes()
    (kept / "report.html").unlink()
    assert main(["report", str(kept / "run.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"page": str(kept / "report.html")}
    assert (kept / "report.html").read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"probes": 3}', "[" * 100_000])
def test_what_is_no_run_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(StoreError, match=r"run\.json"):
        write_page(tmp_path)


def test_a_folder_without_a_run_and_one_run_twice_are_refused(tmp_path: Path, kept: Path) -> None:
    finished = shutil.copytree(kept, tmp_path / "copy")
    with pytest.raises(ConfigError, match="no run in"):
        write_page(tmp_path / "nothing")
    with pytest.raises(StoreError, match="not as this version"):
        record = unsealed((finished / "run.json").read_bytes())
        record["probes"][0]["evaluation"] = {"scores": 3}
        (finished / "run.json").write_bytes(sealed(record))
        write_page(finished)


def test_a_page_that_fails_costs_the_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr("frostline.pipeline.report.html.write_page", fail)
    with caplog.at_level("WARNING", "frostline"):
        folder = made(photographs(tmp_path, balanced("ab", 5, 4)))
    assert (folder / "run.json").exists() and not (folder / "report.html").exists()
    assert "no ink" in caplog.text


def test_mistakes_link_to_their_files(kept: Path) -> None:
    links = [one["href"] for one in Page(kept / "report.html").all("a") if not one["href"].startswith("#")]
    assert links and all(link.startswith("../../../images/") for link in links)
    assert all((kept / unquote(link)).is_file() for link in links)


def test_a_link_to_a_file_of_any_name_leads_to_it_and_nowhere_else(tmp_path: Path) -> None:
    from frostline.pipeline.report.html.thumbnails import Thumbnails
    from frostline.stages.datasets import Request, find_source

    table = photographs(tmp_path, balanced("ab", 4, 4))
    hostile = "images/javascript:alert(1)#\"'<?%41.png"
    (tmp_path / "images" / "0.png").rename(tmp_path / hostile)
    quoted = '"' + hostile.replace('"', '""') + '"'
    table.write_text(table.read_text().replace("images/0.png", quoted))
    source, place = find_source(f"csv:{table}")
    samples = source.open(Request(place)).train
    link = Thumbnails(samples, tmp_path / "images").of(hostile, "a sample").href
    assert not re.search(r"[:#\"'<>?]", link) and (tmp_path / "images" / unquote(link)).is_file()
    (tmp_path / hostile).unlink()
    assert Thumbnails(samples, tmp_path).of("images/1.png", "a sample").href == "images/1.png"


def test_classes_are_sorted_by_rules_of_the_style_sheet(kept: Path) -> None:
    page = Page(kept / "report.html")
    orders = [one["id"].removeprefix("by-") for one in page.all("input")]
    assert orders == ["recall", "precision", "f1", "count", "name"]
    for name in orders:
        assert f".sortable:has(#by-{name}:checked) tbody tr {{ order: var(--{name}); }}" in page.style
    places = [one["style"] for one in page.all("tr") if "--name:" in one.get("style", "")]
    assert sorted(re.findall(r"--name:(\d+)", " ".join(places))) == ["0", "1", "2"]
