"""The engine ``array``: this process is one of several that were started alike; each begins at another place."""

from __future__ import annotations

import os
from collections.abc import Mapping

from frostline.pipeline.engines.base import Here, Job
from frostline.stages.errors import ConfigError


class ArrayEngine:
    """Begins at the place of this task among the missing shards, continues to the last, then from the first."""

    def __call__(self, job: Job, here: Here, argument: str) -> int:
        """Compute what the others do not."""
        number, tasks = task_of(argument, os.environ)
        return here(job.batch, number / tasks)

    def check(self, argument: str) -> None:
        """Raise ConfigError for what is no task."""
        task_of(argument, os.environ)


ENGINE = ArrayEngine()


def task_of(argument: str, environment: Mapping[str, str]) -> tuple[int, int]:
    """Return which of how many tasks this is, from 0, by ``I/N`` or, without, by what starts the tasks.

    SLURM (job arrays, ``srun``), Kubernetes' indexed jobs and GNU parallel are known, also one inside another: GNU
    parallel in a batch of SLURM starts several tasks where SLURM knows of one. Where nothing says it, this is the
    first of one. Raises ConfigError.
    """
    if argument:
        return _asked(argument)
    number, tasks = 0, 1
    for read in (_slurm, _kubernetes, _parallel):
        inner, of = read(environment)
        number, tasks = number * of + inner, tasks * of
    return number, tasks


def _asked(argument: str) -> tuple[int, int]:
    number, _, tasks = argument.partition("/")
    if not (number.isdecimal() and tasks.isdecimal() and int(number) < int(tasks)):
        raise ConfigError(f"part {argument!r}; expected I/N with I from 0 to N - 1, such as 0/8")
    return int(number), int(tasks)


def _slurm(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return a task of a job array, of the processes that ``srun`` starts, or of both."""
    if not {"SLURM_ARRAY_TASK_ID", "SLURM_PROCID"} & set(environment):
        return 0, 1
    first, last = _number(environment, "SLURM_ARRAY_TASK_MIN", 0), _number(environment, "SLURM_ARRAY_TASK_MAX", 0)
    of_array, tasks = _number(environment, "SLURM_ARRAY_TASK_ID", first), _number(environment, "SLURM_ARRAY_TASK_COUNT")
    step = (last - first) // (tasks - 1) if tasks > 1 else 1  # --array=0-30:10
    of_step, processes = _number(environment, "SLURM_PROCID", 0), _number(environment, "SLURM_NTASKS")
    return _within((of_array - first) // max(1, step) * processes + of_step, tasks * processes)


def _kubernetes(environment: Mapping[str, str]) -> tuple[int, int]:
    name = "JOB_COMPLETION_INDEX"
    return _spread(_number(environment, name)) if name in environment else (0, 1)


def _parallel(environment: Mapping[str, str]) -> tuple[int, int]:
    name = "PARALLEL_SEQ"
    return _spread(_number(environment, name, least=1) - 1) if name in environment else (0, 1)


def _spread(number: int) -> tuple[int, int]:
    """Return a place for a task of an unknown number of them: 0, 1/2, 1/4, 3/4, 1/8, … (van der Corput)."""
    bits = max(1, number.bit_length())
    return int(f"{number:0{bits}b}"[::-1], 2), 2**bits


def _within(number: int, tasks: int) -> tuple[int, int]:
    tasks = max(1, tasks)
    return number % tasks, tasks


def _number(environment: Mapping[str, str], name: str, default: int = 1, *, least: int = 0) -> int:
    text = environment.get(name, str(default))
    if not text.isdecimal() or int(text) < least:
        wanted = f"a number from {least}"
        raise ConfigError(f"{name} is {text!r}; expected {wanted}, or give --part I/N (--engine array:I/N)")
    return int(text)
