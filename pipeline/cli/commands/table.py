"""All commands: what each does, the model of its settings, what runs it, and its flags beside the settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

from frostline.pipeline.cli.commands.bench import bench_command, rank_command, takes_backbones, takes_matrix
from frostline.pipeline.cli.commands.inspect import health_command, report_command, takes_groups, takes_runs
from frostline.pipeline.cli.commands.run import (
    evaluate_command,
    extract_command,
    fit_command,
    run_command,
    takes_dry_run,
    takes_job,
    worker_command,
)
from frostline.pipeline.cli.commands.serve import (
    export_command,
    export_features_command,
    predict_command,
    takes_file,
    takes_samples,
    takes_set,
)
from frostline.pipeline.cli.commands.setup import (
    completion_command,
    doctor_command,
    init_command,
    takes_place,
    takes_shell,
)
from frostline.pipeline.cli.commands.workspace import (
    encoders_command,
    gc_command,
    ls_command,
    migrate_command,
    takes_leave,
    takes_pattern,
    verify_command,
)


class Command(NamedTuple):
    """A command: what it does, the name of the model of its settings, and what runs it."""

    text: str
    settings: str
    action: Callable[[argparse.Namespace], int]


COMMANDS = {
    "run": Command("extract, fit and evaluate; finished steps are skipped", "Settings", run_command),
    "extract": Command("run the backbone over the dataset and cache its features", "ExtractSettings", extract_command),
    "worker": Command(
        "extract as one of N tasks of SLURM, Kubernetes or GNU parallel", "ExtractSettings", worker_command
    ),
    "fit": Command("fit heads on cached training features", "HeadSettings", fit_command),
    "evaluate": Command("score fitted heads on cached test features", "HeadSettings", evaluate_command),
    "predict": Command("predict new samples with a fitted head", "PredictSettings", predict_command),
    "bench": Command(
        "run a matrix of datasets, backbones, layers and heads, and compare them", "BenchSettings", bench_command
    ),
    "rank": Command(
        "rank backbones for a dataset, from a sample, without fitting a head", "RankSettings", rank_command
    ),
    "health": Command(
        "check a dataset for duplicates and label errors",
        "ExtractSettings",
        health_command,
    ),
    "report": Command("write the page of a run, or one page that compares several", "AnySettings", report_command),
    "export": Command(
        "write a fitted head and its backbone as one ONNX or torch.export file", "ServeSettings", export_command
    ),
    "encoders": Command(
        "list encoders with width, size, licence, and whether the weights are here",
        "AnySettings",
        encoders_command,
    ),
    "export-features": Command(
        "write a feature set as one HDF5, NumPy or Parquet file, with ids and labels",
        "AnySettings",
        export_features_command,
    ),
    "ls": Command("list what is cached: rows, size, date and machine", "WorkspaceSettings", ls_command),
    "verify": Command("read all cached files and list those that are damaged", "WorkspaceSettings", verify_command),
    "migrate": Command(
        "convert feature sets of an older version; nothing is computed",
        "WorkspaceSettings",
        migrate_command,
    ),
    "gc": Command("list what can be deleted: leftovers, outdated feature sets", "WorkspaceSettings", gc_command),
    "init": Command("write a settings file for a folder, table or file of samples", "Settings", init_command),
    "doctor": Command("show what is installed and what is missing", "WorkspaceSettings", doctor_command),
    "completion": Command("print the completion script for bash, zsh or fish", "AnySettings", completion_command),
}

TAKES: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "init": takes_place,
    "completion": takes_shell,
    "run": takes_dry_run,
    "extract": takes_dry_run,
    "worker": takes_job,
    "predict": takes_samples,
    "bench": takes_matrix,
    "rank": takes_backbones,
    "health": takes_groups,
    "report": takes_runs,
    "export": takes_file,
    "encoders": takes_pattern,
    "export-features": takes_set,
    "gc": takes_leave,
}
