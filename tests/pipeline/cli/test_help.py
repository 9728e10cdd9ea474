"""Help: one screen first, all of it on request, and one source for what documentation says."""

from __future__ import annotations

import shlex

import pytest

from frostline.pipeline.cli.commands.examples import EXAMPLES
from frostline.pipeline.cli.commands.table import COMMANDS
from frostline.pipeline.cli.main import main
from frostline.pipeline.cli.parsers import parser_of
from frostline.pipeline.cli.reference import reference
from frostline.pipeline.settings import Settings

SCREEN = 31


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_fits_one_screen(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, command, "--help").splitlines()
    assert len(lines) <= SCREEN
    assert all(len(line) <= 86 for line in lines if not line.strip().startswith(("frostline", "usage")))


def test_the_help_of_run_says_how_to_see_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    first, everything = printed(capsys, "run", "--help"), printed(capsys, "run", "--help", "all")
    assert len(first.splitlines()) <= 30 and "--crop" not in first
    assert "more settings: frostline run --help all" in first
    assert all(f"--{name.replace('_', '-')} " in everything for name in Settings.model_fields)
    assert everything == printed(capsys, "run", "--help-all") == printed(capsys, "run", "-h", "all")


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "help", "run") == printed(capsys, "run", "--help")
    assert printed(capsys, "help") == printed(capsys, "--help")


def test_no_flag_is_said_to_take_a_value_of_no_name(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        text = printed(capsys, command, "--help-all")
        assert " VALUE  " not in text and "SETTING_" not in text


def test_fit_and_evaluate_say_which_flags_only_identify_cached_features(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("fit", "evaluate"):
        for asked in ("--help", "--help-all"):
            assert "which cached features, as given to `frostline extract`" in printed(capsys, command, asked)
    assert "as given to" not in printed(capsys, "run", "--help-all")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_a_command_are_command_lines_that_it_takes(command: str) -> None:
    for example in EXAMPLES[command]:
        words = shlex.split(example.partition(" > ")[0])
        _, name, *arguments = words[words.index("frostline") :]  # maybe below a launcher, such as srun
        assert name == command and len(example) <= 78
        assert parser_of(command).parse_args(arguments)


def test_the_reference_has_every_flag_with_its_metavar_default_and_meaning() -> None:
    flags = {(one.command, one.flag): one for one in reference()}
    assert flags["run", "--seed"][3:] == ("N", "0", "random seed of splits, subsets and resamples")
    assert flags["run", "--precision"].metavar == "{auto,fp32,bf16,fp16}"
    assert flags["fit", "--crop"].default == "the weights' own"
    assert flags["gc", "--yes"].metavar == "" and flags["predict", ""].group == "arguments"
    assert all(one.description and one.group for one in flags.values())
    for command in COMMANDS:
        known = {flag for flag in parser_of(command).flags() if flag not in ("-h", "--help-all")}
        assert known == {flag for name, flag in flags if name == command and flag}
