"""Settings: one meaning from every source, and an error for what can't be meant."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.bench.matrix import read_matrix
from frostline.pipeline.settings import (
    AnySettings,
    ExtractSettings,
    PredictSettings,
    RankSettings,
    Settings,
    load_settings,
)
from frostline.stages.errors import ConfigError
from frostline.stages.heads import spec_fields
from frostline.stages.records.sealed import digest


def test_a_share_that_is_named_is_held_out_and_else_the_rows_decide() -> None:
    specs = [Settings(**given).spec("logreg") for given in ({}, {"hold_out": 0.1}, {"folds": 0}, {"folds": 3})]
    assert [(spec.folds, spec.hold_out) for spec in specs] == [("auto", 0.0), (0, 0.1), (0, 0.1), (3, 0.0)]
    assert Settings(hold_out=0.1).folds == 0  # so that a record of it is told from one of the default


def suited(kind: str, **given: Any) -> Settings:
    return Settings(**given).suited(kind)


def test_what_a_value_is_chosen_by_is_in_the_spec_of_the_targets_that_have_it() -> None:
    spec = suited("regression", criterion="kendall").spec("ridge")
    assert spec.criterion == "kendall" and spec_fields(spec)["criterion"] == "kendall"
    spec = suited("multi-label", per_label="true").spec("logreg")
    assert spec.per_label and spec_fields(spec)["per_label"] is True
    assert not Settings(per_label=False).spec("logreg").per_label
    assert load_settings(Settings, environ={"FROSTLINE_PER_LABEL": "true"}).per_label


def test_the_usual_way_to_choose_leaves_no_trace_in_digests_and_records() -> None:
    usual, named = (suited("regression", **given).spec("ridge") for given in ({}, {"criterion": "r2"}))
    assert named == usual and not {"criterion", "per_label"} & set(spec_fields(usual))
    assert not {"criterion", "per_label"} & set(Settings().model_dump(mode="json"))
    one = suited("multi-label", head="centroid", per_label=True).spec("centroid")
    assert one == suited("multi-label", head="centroid").spec("centroid")


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("regression", {"criterion": "kendal"}, "unknown criterion 'kendal'; did you mean 'kendall'"),
        ("regression", {"criterion": "x"}, "known: kendall, mae, pearson, r2, rmse, spearman"),
        ("single-label", {"criterion": "r2"}, "unknown criterion 'r2'; known: accuracy, balanced_accuracy"),
        (
            "multi-label",
            {"criterion": "map"},
            "criterion 'map' with a multi-label target, which has only one criterion",
        ),
        ("single-label", {"per_label": True}, "expected a multi-label target for --per-label, got single-label"),
        ("regression", {"per_label": True}, "expected a multi-label target for --per-label, got regression"),
        ("multi-label", {"per_label": True, "grid": "C=1"}, "several values of --grid with --per-label, got one"),
        ("regression", {"criterion": "mae", "grid": "alpha=1"}, "several values of --grid with --criterion, got one"),
        ("multi-label", {"per_label": True, "head": "clip"}, "expected no per_label with clip: the protocol fixes"),
        ("multi-label", {"per_label": "perhaps"}, "per_label 'perhaps': expected true or false"),
    ],
)
def test_ways_to_choose_that_can_not_be_are_said(kind: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        suited(kind, **given)


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "frostline.toml"
    file.write_text('backbone = "vgg16"\nseed = 1\ntest_fraction = 0.3')
    environ = {"FROSTLINE_BACKBONE": "resnet18", "FROSTLINE_SEED": "2", "PATH": "/bin"}
    settings = load_settings(Settings, {"backbone": "vit_b_16"}, environ, file)
    assert (settings.backbone, settings.seed, settings.test_fraction) == ("vit_b_16", 2, 0.3)
    assert settings.precision == "auto"


def test_a_value_means_the_same_from_every_source(tmp_path: Path) -> None:
    file = tmp_path / "frostline.toml"
    file.write_text(
        'resize = [32, 48]\ncrop = "none"\nmean = 0.5\nviews = ["plain", "hflip"]\n'
        'head = ["knn"]\ngrid = {k = [1, 5]}\nhead_params = {temperature = 0.1}\ntrain_sizes = [10, "all"]'
    )
    given = {"resize": "32x48", "crop": "none", "mean": "0.5", "views": "plain,hflip"}
    given |= {"head": "knn", "grid": "k=1,5", "head_params": "temperature=0.1", "train_sizes": "10,all"}
    environ = {f"FROSTLINE_{name.upper()}": value for name, value in given.items()}
    from_file = load_settings(Settings, file=file)
    assert from_file == load_settings(Settings, given) == load_settings(Settings, environ=environ)
    assert from_file.request().preprocessing == {"resize": (32, 48), "crop": None, "mean": (0.5, 0.5, 0.5)}


def test_a_command_takes_its_own_settings_from_a_file_for_all(tmp_path: Path) -> None:
    file = tmp_path / "frostline.toml"
    file.write_text('baseline = "none"\nbatch_size = 8')
    assert load_settings(ExtractSettings, file=file).batch_size == 8


@pytest.mark.parametrize(
    ("given", "environ", "said"),
    [
        ({"bakbone": "x"}, {}, "did you mean 'backbone'"),
        ({}, {"FROSTLINE_BATCHSIZE": "4"}, "did you mean 'batch_size'"),
        ({"test_fraction": "1.5"}, {}, "--test-fraction '1.5': expected a number below 1"),
        ({"precision": "fp8"}, {}, "--precision 'fp8': expected auto, fp32, bf16 or fp16"),
        ({"optimize": "all"}, {}, "--optimize 'all': expected auto, none or openvino"),
        ({}, {"FROSTLINE_OPTIMIZE": "0"}, "--optimize '0': expected auto, none or openvino"),
        ({"resize": "big"}, {}, "--resize 'big'"),
        ({"resize": "5.5"}, {}, "--resize '5.5': expected a number of pixels from 1 to 8192, HxW, or none"),
        ({"crop": "0"}, {}, "--crop '0': expected a number of pixels"),
        ({"mean": "1,2"}, {}, "--mean '1,2': expected one number, or three for R,G,B, got 2"),
        ({"std": "0"}, {}, "expected --std with numbers above 0, got 0.0,0.0,0.0"),
        ({"grid": "C=0.1,x"}, {}, "--grid 'C=0.1,x': expected NAME=VALUE,VALUE, for example C=0.1,1,10, or"),
        ({"grid": "nan"}, {}, "--grid 'nan': expected NAME=VALUE,VALUE, for example C=0.1,1,10, or the values alone"),
        ({"grid": "=1"}, {}, "--grid '=1': expected NAME=VALUE,VALUE, for example C=0.1,1,10"),
        ({"head": "logreg,logreg"}, {}, "--head 'logreg,logreg': expected one name, or several different ones"),
        ({"head_params": "dtype"}, {}, "--head-params 'dtype': expected NAME=VALUE"),
        ({"head": "ridge,knn", "grid": "1"}, {}, "expected one head with --grid, got ridge, knn"),
        ({"head": "clip", "scaling": "l2"}, {}, "expected no --scaling with clip: the protocol fixes them"),
        ({"folds": "3", "hold_out": "0.2"}, {}, "--hold-out and --folds can't be combined"),
        ({"folds": "1"}, {}, "expected --folds 2 to 100, auto, loo, or 0 to hold out a fraction, got 1"),
        ({"shots": "0"}, {}, "--shots '0': expected different numbers from 1"),
        ({"shots": "1", "train_sizes": "all"}, {}, "--shots and --train-sizes can't be combined"),
        (
            {"head": "mteb", "train_sizes": "9"},
            {},
            "--train-sizes can't be combined with mteb, which draws",
        ),
        ({"draws": "3"}, {}, "expected --shots or --train-sizes with --draws, got neither"),
        ({"views": ""}, {}, "--views '': expected plain, or plain,hflip"),
        ({"device": "tpu"}, {}, "--device 'tpu': expected auto, cpu, cuda or cuda:N"),
        ({"precision": "bf61"}, {}, "expected auto, fp32, bf16 or fp16; did you mean 'bf16'?"),
        ({"task": "multilabel"}, {}, "did you mean 'multi-label'?"),
        ({"batch_size": "x"}, {}, "--batch-size 'x': expected a whole number"),
        ({"batch_size": "0"}, {}, "--batch-size '0': expected 1 or more"),
        ({"separator": "||"}, {}, "--separator '||': expected at most 1 character"),
        ({"data_dir": 3}, {}, "--data-dir 3: expected a path"),
        ({"views": "hflip"}, {}, "expected plain, or plain,hflip"),
        ({"dataset": "folder:x", "root": "y"}, {}, "expected --root only with csv:FILE"),
        ({"max_bad": "-1"}, {}, "--max-bad '-1'"),
    ],
)
def test_what_can_not_be_meant_is_an_error_that_says_so(given: dict, environ: dict, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(Settings, given, environ)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"head": "rigde"}, "unknown head 'rigde'; did you mean 'ridge'?"),
        ({"grid": "k=1"}, "logreg chooses C, not 'k'"),
        ({"grid": "C=0"}, "C 0 for logreg; expected numbers above 0"),
        ({"head": "knn", "grid": "1.5"}, "k 1.5 for knn; expected whole numbers from 1"),
        ({"head": "lda", "grid": "1.5"}, "shrinkage 1.5 for lda; expected numbers from 0 to 1"),
        ({"head": "centroid", "grid": "1"}, "centroid has no parameter to choose"),
        ({"folds": "loo"}, "folds loo with logreg"),
        ({"head": "sklearn.svm:SVC", "grid": "1"}, "without the name of a parameter"),
        ({"head": "nothing_here:SVC"}, "no module 'nothing_here'"),
    ],
)
def test_a_head_that_can_not_be_is_an_error_before_anything_is_read(given: dict, said: str) -> None:
    settings = Settings(**given)
    with pytest.raises(ConfigError, match=said):
        settings.spec(settings.head[0])


def test_an_unknown_name_in_a_file_is_an_error_with_a_hint(tmp_path: Path) -> None:
    file = tmp_path / "frostline.toml"
    file.write_text("normalise = false")
    with pytest.raises(ConfigError, match=r"unknown setting in .*normalise"):
        load_settings(Settings, file=file)


def test_a_file_that_is_no_toml_or_not_there_is_an_error(tmp_path: Path) -> None:
    for file in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match="can't read the settings file"):
            load_settings(Settings, file=file)


def test_settings_made_in_python_raise_the_same_errors() -> None:
    with pytest.raises(ConfigError, match="did you mean 'backbone'"):
        Settings(bakbone="resnet18")


@pytest.mark.parametrize("model", [Settings, PredictSettings])
def test_a_record_names_how_a_network_is_run_only_where_it_was_told(model: type[AnySettings]) -> None:
    """So records and digests of before there was this setting are those of its default."""
    assert "optimize" not in model(optimize="auto").model_dump()
    assert model(optimize="none").model_dump()["optimize"] == "none"


ANYTHING = (
    *("true", "0", "-1", "1.5", "nan", "inf", "1e999", "12345678901234567890123", "1979-05-27", "07:32:00"),
    *('"x"', '""', '","', '"a=b"', '"1,2"', '"loo"', '"all"', "[]", "[1]", "[1, 1]", "[[1]]", "[nan]", '["a", 1]'),
    *("[{a = 1}]", "{}", "{a = 1}", "{C = {a = 1}}", "{C = [1, nan]}", "{a = 1979-05-27}", '{"" = 1}', "[1979-05-27]"),
)


@pytest.mark.parametrize("model", [Settings, PredictSettings, RankSettings])
def test_a_value_of_any_type_is_taken_or_refused_in_words(tmp_path: Path, model: type[AnySettings]) -> None:
    file, refused = tmp_path / "frostline.toml", 0
    for name in model.model_fields:
        for value in ANYTHING:
            file.write_text(f"{name} = {value}\n")
            try:
                settings = load_settings(model, file=file)
                if isinstance(settings, Settings):
                    digest([asdict(settings.spec(head)) for head in settings.head])
                    settings.request()
            except ConfigError as error:
                assert str(error) and "\n" not in str(error)
                refused += 1
    assert refused > 10 * len(model.model_fields)


def test_a_value_of_any_type_in_a_matrix_is_taken_or_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    usual = {"dataset": '"digits"', "backbone": '"pixels"', "head": '"ridge"'}
    for name in [*usual, "defaults", "grid", "shots", "name", "layer", "resize"]:
        for value in ANYTHING:
            kinds = [kind for kind in usual if kind != name]
            tables = [f"[[{kind}]]\n{kind} = {usual[kind]}\n" for kind in kinds]
            inside = name in ("grid", "shots", "name")  # of the head's table, which comes last
            file.write_text(f"{name} = {value}\n" * (not inside) + "".join(tables) + f"{name} = {value}\n" * inside)
            with suppress(ConfigError):
                read_matrix(file, tmp_path)
