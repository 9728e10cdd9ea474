"""Tasks that are started alike: which one this is, and where it begins."""

from __future__ import annotations

import pytest

from frostline.pipeline.engines.array import task_of
from frostline.pipeline.engines.registry import check_engine
from frostline.stages.errors import ConfigError

ARRAY = {"SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "7", "SLURM_ARRAY_TASK_COUNT": "8"}
STEPS = {"SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_MAX": "40", "SLURM_ARRAY_TASK_COUNT": "4"}
BATCH = {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}


@pytest.mark.parametrize(
    ("environment", "task"),
    [
        ({}, (0, 1)),
        ({**ARRAY, "SLURM_ARRAY_TASK_ID": "3"}, (3, 8)),
        ({**ARRAY, **BATCH, "SLURM_ARRAY_TASK_ID": "3"}, (3, 8)),
        ({**STEPS, "SLURM_ARRAY_TASK_ID": "30"}, (2, 4)),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "6"}, (5, 6)),
        ({**ARRAY, "SLURM_ARRAY_TASK_ID": "3", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, (7, 16)),
        ({**BATCH, "PARALLEL_SEQ": "3"}, (1, 4)),
        ({**BATCH, "JOB_COMPLETION_INDEX": "1"}, (1, 2)),
        ({**ARRAY, "SLURM_ARRAY_TASK_ID": "3", "PARALLEL_SEQ": "2"}, (7, 16)),
    ],
)
def test_slurm_says_which_task_of_how_many(environment: dict[str, str], task: tuple[int, int]) -> None:
    assert task_of("", environment) == task


@pytest.mark.parametrize(("name", "first"), [("JOB_COMPLETION_INDEX", 0), ("PARALLEL_SEQ", 1)])
def test_tasks_of_an_unknown_number_begin_at_places_that_are_spread(name: str, first: int) -> None:
    tasks = [task_of("", {name: str(first + i)}) for i in range(16)]
    places = [number / of for number, of in tasks]
    assert places[:4] == [0, 0.5, 0.25, 0.75]
    assert sorted(places) == [i / 16 for i in range(16)]


def test_a_task_that_is_named_is_taken_before_what_the_environment_says() -> None:
    assert task_of("2/3", {"PARALLEL_SEQ": "1"}) == (2, 3)


@pytest.mark.parametrize("wrong", ["3/3", "3", "-1/3", "1/0", "a/b", "1/2/3"])
def test_what_is_no_task_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="expected I/N with I from 0 to N - 1"):
        task_of(wrong, {})


@pytest.mark.parametrize(
    ("name", "value", "least"), [("PARALLEL_SEQ", "x", 1), ("PARALLEL_SEQ", "0", 1), ("SLURM_ARRAY_TASK_ID", "-1", 0)]
)
def test_a_variable_that_is_no_number_is_named(name: str, value: str, least: int) -> None:
    wanted = f"{name} is '{value}'; expected a number from {least}, or give --part I/N \\(--engine array:I/N\\)"
    with pytest.raises(ConfigError, match=wanted):
        task_of("", {name: value})
    with pytest.raises(ConfigError, match=wanted), pytest.MonkeyPatch.context() as patched:
        patched.setenv(name, value)
        check_engine("array")
