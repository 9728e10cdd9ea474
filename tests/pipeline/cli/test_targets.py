"""One extraction serves any number of targets, corrected labels and splits; groups are never split."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostline.pipeline.cli.main import main
from support.pictures import paint

COLUMNS = ["path", "split", "label", "tags", "redness", "warm", "blue", "patient"]
PIXELS = ["--backbone", "pixels", "--resize", "8x8", "--device", "cpu"]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """48 pictures of three colours, with their targets in columns."""
    monkeypatch.chdir(tmp_path)
    rows = []
    for i in range(48):
        colour = i % 3
        paint(tmp_path / "pictures" / f"{i:02d}.png", colour, i)
        tags = ("warm|red", "warm", "cold")[colour]
        split, amount = ("test" if i >= 36 else "train"), 100.5 * (colour == 0) + i % 7
        flags = [str(int(colour != 2)), "" if i % 11 == 5 else str(int(colour == 2))]
        rows.append([f"pictures/{i:02d}.png", split, "rgb"[colour], tags, f"{amount:.2f}", *flags, f"p{i // 4}"])
    return written(tmp_path / "all.csv", rows)


def written(file: Path, rows: list[list[str]]) -> Path:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows])
    return file


def rows_of(file: Path) -> list[list[str]]:
    with file.open(newline="") as stream:
        return list(csv.reader(stream))[1:]


def run(capsys: pytest.CaptureFixture[str], file: Path, *more: str, code: int = 0) -> dict[str, Any]:
    assert main(["run", "--dataset", f"csv:{file}", *PIXELS, *more, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def computed(report: dict[str, Any]) -> int:
    return sum(one["computed"] for probe in report["probes"] for one in probe["features"])


def scores(report: dict[str, Any]) -> dict[str, float]:
    return {name: score["value"] for name, score in report["probes"][0]["evaluation"]["scores"].items()}


def test_every_kind_of_target_is_fitted_on_one_extraction(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(capsys, table, "--head", "ridge")
    assert computed(first) == 48 and first["kind"] == "single-label" and scores(first)["accuracy"] > 0.9
    labels = run(capsys, table, "--target", "tags", "--head", "ridge")
    assert computed(labels) == 0 and labels["kind"] == "multi-label" and scores(labels)["map"] > 0.9
    assert labels["classes"] == ["cold", "red", "warm"]
    flags = run(capsys, table, "--target", "warm,blue", "--head", "ridge")
    assert computed(flags) == 0 and flags["kind"] == "multi-label" and scores(flags)["map"] > 0.9
    amount = run(capsys, table, "--target", "redness")
    assert computed(amount) == 0 and amount["kind"] == "regression" and scores(amount)["r2"] > 0.8
    assert amount["probes"][0]["name"] == "ridge"
    assert len(list(Path("data/features").iterdir())) == 2
    digests = [report["targets"]["train"] for report in (first, labels, flags, amount)]
    assert len(set(digests)) == 4
    for digest in digests:
        assert len(list(Path("data/targets").glob(f"*-{digest[:12]}.h5"))) == 1
    assert main(["verify"]) == 0


def test_json_lines_and_parquet_of_a_table_are_the_same_dataset(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = run(capsys, table, "--target", "tags", "--head", "ridge")
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in rows_of(table)]
    typed = [
        {**row, "tags": row["tags"].split("|"), "redness": float(row["redness"]), "warm": row["warm"] == "1"}
        for row in rows
    ]
    lines = table.with_suffix(".jsonl")
    lines.write_text("\n".join(map(json.dumps, typed)))
    assert main(["run", "--dataset", f"jsonl:{lines}", *PIXELS, "--target", "tags", "--head", "ridge", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert computed(again) == 0 and again["targets"] == first["targets"] and scores(again) == scores(first)
    as_parquet(lines.with_suffix(".parquet"), typed)
    named = ["--dataset", f"parquet:{lines.with_suffix('.parquet')}", *PIXELS]
    assert main(["run", *named, "--target", "tags", "--head", "ridge", "--json"]) == 0
    third = json.loads(capsys.readouterr().out)
    assert computed(third) == 0 and third["targets"] == first["targets"] and scores(third) == scores(first)
    lines.write_text('{"path": "a.png"}\n[1]\n{"path": {}}\nx')
    assert main(["run", "--dataset", f"jsonl:{lines}", *PIXELS]) == 3
    error = capsys.readouterr().err
    lines.write_text('{"path": "pictures/00.png", "label": [1, 0]}')
    assert main(["run", "--dataset", f"jsonl:{lines}", *PIXELS]) == 3
    assert "label is" in capsys.readouterr().err
    assert "line 2: a list, not an object" in error and "line 3: path is '{}'" in error and "line 4: Expecting" in error


def as_parquet(file: Path, rows: list[dict[str, Any]]) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    with_bytes = [{**row, "image": {"bytes": b"x"}} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(with_bytes), file)


def test_a_corrected_label_computes_no_feature_and_makes_no_second_copy(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = run(capsys, table, "--head", "ridge")
    rows = rows_of(table)
    rows[0][2] = "g"
    after = run(capsys, written(table, rows), "--head", "ridge")
    assert computed(after) == 0 and len(list(Path("data/features").iterdir())) == 2
    assert (
        before["targets"]["train"] != after["targets"]["train"]
        and before["targets"]["test"] == after["targets"]["test"]
    )
    assert before["path"] != after["path"] and len(list(Path("data/heads").iterdir())) == 2


def test_classes_in_another_order_and_another_name_for_one_compute_no_feature(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, table, "--head", "ridge")
    rows = [[*row[:2], {"r": "zinnober"}.get(row[2], row[2]), *row[3:]] for row in rows_of(table)]
    after = run(capsys, written(table, rows), "--head", "ridge")
    assert computed(after) == 0 and after["classes"] == ["b", "g", "zinnober"] and scores(after)["accuracy"] > 0.9


def test_another_split_computes_no_feature(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, table, "--head", "ridge")
    rows = [[row[0], "test" if i % 4 == 0 else "train", *row[2:]] for i, row in enumerate(rows_of(table))]
    assert main(["run", "--dataset", f"csv:{written(table, rows)}", *PIXELS, "--head", "ridge"]) == 0
    assert "loading" not in capsys.readouterr().err
    after = run(capsys, table, "--head", "ridge")
    assert computed(after) == 0 and after["rows"] == {"train": 36, "test": 12}


def test_groups_stand_in_the_report_with_what_rows_alone_would_have_claimed(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [[row[0], *row[2:]] for row in rows_of(table)]
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([[COLUMNS[0], *COLUMNS[2:]], *rows])
    report = run(capsys, table, "--head", "ridge", "--group", "patient", "--test-fraction", "0.34")
    found = report["probes"][0]["evaluation"]
    assert found["groups"] == 4 and report["rows"] == {"train": 32, "test": 16}
    assert found["of_rows"]["value"] == found["scores"]["accuracy"]["value"]
    assert any("8 groups in training, 4 in test" in note for note in report["notes"])
    assert report["probes"][0]["head"]["selection"]["folds"] == 5
    by_name = run(capsys, table, "--head", "ridge", "--group-pattern", r"pictures/(\d)", "--test-fraction", "0.34")
    assert by_name["probes"][0]["evaluation"]["groups"] == 2
    sides = {split: {line.split("/")[1][0] for line in ids(by_name, split)} for split in ("train", "test")}
    assert not sides["train"] & sides["test"]


def ids(report: dict[str, Any], split: str) -> tuple[str, ...]:
    from frostline.stages.store.targets import read_targets

    (file,) = Path("data/targets").glob(f"*-{report['targets'][split][:12]}.h5")
    return read_targets(file).ids


MISTAKES = {
    "no such column": (["--target", "colour"], "no column colour"),
    "texts as numbers": (["--target", "label", "--task", "regression"], "line 2: label is 'r'"),
    "a head that can't": (["--target", "redness", "--head", "logreg"], "head logreg with a regression target"),
    "two ways to group": (
        ["--group", "patient", "--group-pattern", "x"],
        "got --group and --group-pattern",
    ),
    "a pattern that is none": (["--group-pattern", "("], "not a regular expression"),
    "a pattern that finds nothing": (["--group-pattern", "owner-(.)"], "no group in the names of 48 samples"),
    "groups on both sides": (["--group", "label"], "3 groups with samples in both training and test"),
    "columns of texts": (["--target", "label,tags"], "--task single-label"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_said_before_a_network_is_loaded(
    name: str, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, said = MISTAKES[name]
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, *arguments]) in (2, 3)
    error = capsys.readouterr().err
    assert said in error and "loading" not in error


def test_targets_are_for_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--dataset", "digits", "--target", "x"]) == 2
    wanted = "csv:FILE, jsonl:FILE, parquet:PATTERN, hf-disk:DIR, tar:PATTERN, zip:FILE, vectors:FILE"
    assert f"expected --target only with {wanted}, got digits" in capsys.readouterr().err


def test_constant_and_unknown_targets_are_listed_at_once(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[*row[:4], "7.5", "0", "", row[7]] for row in rows_of(table)]
    written(table, rows)
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, "--target", "warm,blue"]) == 3
    error = capsys.readouterr().err
    assert "'warm'" in error and "'blue'" in error
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, "--target", "redness"]) == 3
    assert "nothing to predict" in capsys.readouterr().err


def test_features_h5_shows_the_targets_that_it_was_made_with(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import h5py

    run(capsys, table, "--target", "redness")
    (folder,) = Path("data/features").glob("*-train-*")
    with h5py.File(folder / "features.h5") as file:
        assert json.loads(file.attrs["outputs"]) == ["redness"]
        np.testing.assert_allclose(file["values"][:3, 0], [100.5, 1.0, 2.0])
        assert file["ids"].asstr()[0] == "pictures/00.png"
    (folder / "features.h5").rename("alone.h5")
    with h5py.File("alone.h5") as file:
        assert np.isnan(file["values"][:]).all() and np.isnan(file["features"][:]).all()


def test_sets_of_several_splits_of_one_table_are_no_garbage(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[row[0], *row[2:]] for row in rows_of(table)]
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([[COLUMNS[0], *COLUMNS[2:]], *rows])
    for target in ("label", "tags", "redness"):
        assert main(["extract", "--dataset", f"csv:{table}", *PIXELS, "--target", target]) == 0
    capsys.readouterr()
    assert main(["gc"]) == 0 and "nothing to remove" in capsys.readouterr().out


def test_targets_of_a_set_that_are_lost_are_damage_and_written_again(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, table, "--head", "ridge")
    (folder,) = Path("data/features").glob("*-train-*")
    (folder / "targets.h5").unlink()
    assert main(["verify"]) == 4 and "targets.h5 is missing" in capsys.readouterr().out
    run(capsys, table, "--head", "ridge")
    assert main(["verify"]) == 0


def test_numbers_too_large_to_be_squared_are_refused(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[*row[:4], f"{row[4]}e202", *row[5:]] for row in rows_of(table)]
    written(table, rows)
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, "--target", "redness", "--task", "regression"]) == 3
    assert "expected numbers below 1e+100" in capsys.readouterr().err


def test_a_single_group_in_test_is_said_before_anything_is_computed(
    table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [[*row[:7], "one" if row[1] == "test" else row[7]] for row in rows_of(table)]
    written(table, rows)
    assert main(["run", "--dataset", f"csv:{table}", *PIXELS, "--group", "patient"]) == 3
    assert "a single group in test" in capsys.readouterr().err and not Path("data/features").exists()


def test_targets_of_one_command_share_one_split_and_its_sets(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[*row[:1], *row[2:]] for row in rows_of(table)]
    with (table.parent / "unsplit.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([[*COLUMNS[:1], *COLUMNS[2:]], *rows])
    several = ["--target", "label,warm,tags", "--task", "single-label", "--test-fraction", "0.4", "--head", "ridge"]
    run(capsys, table.parent / "unsplit.csv", *several)
    assert len(list(Path("data/features").iterdir())) == 2
    again = ["--target", "warm", "--stratify", "label,warm,tags", "--test-fraction", "0.4", "--head", "ridge"]
    assert computed(run(capsys, table.parent / "unsplit.csv", *again)) == 0
    assert len(list(Path("data/features").iterdir())) == 2


def test_health_writes_groups_that_a_run_keeps_on_one_side(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[row[0], row[2]] for row in rows_of(table)]
    with (table.parent / "pairs.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["path", "label"], *rows])
    for name, _ in rows[::2]:
        shutil.copy(name, name.replace("/", "/copy-"))
    with (table.parent / "pairs.csv").open("a", newline="") as stream:
        csv.writer(stream).writerows([[name.replace("/", "/copy-"), label] for name, label in rows[::2]])
    command = ["--dataset", "csv:pairs.csv", *PIXELS]
    run(capsys, Path("pairs.csv"), "--head", "ridge")
    assert main(["health", *command, "--write-groups", "same.csv"]) == 0
    said = capsys.readouterr().err
    assert "of copies and near duplicates in same.csv; --group-file same.csv keeps each on one side" in said
    found = run(capsys, Path("pairs.csv"), "--group-file", "same.csv", "--head", "ridge")
    assert computed(found) == 0 and found["probes"][0]["evaluation"]["groups"] >= 2
