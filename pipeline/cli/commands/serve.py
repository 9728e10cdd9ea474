"""What is done with a fitted head or a feature set: predictions and files for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from frostline.pipeline.cli.commands.common import EXIT_QUARANTINED, print_result, settings_of
from frostline.stages.errors import ConfigError, counted, printable


def predict_command(args: argparse.Namespace) -> int:
    """Predict the given samples, print the answers or write them into a file, and return the exit code."""
    if args.out is not None:
        return _predict_all(args)
    from frostline.pipeline.serve.forms import predictions_as_csv, predictions_as_json, predictions_table
    from frostline.pipeline.serve.predict import check_predictions, predict

    settings = settings_of(args)
    if settings.keep_features:
        raise ConfigError("keep-features without --out; answers for a few samples keep nothing")
    answers = predict(args.head, args.inputs, settings)
    text = (predictions_as_csv if args.csv else predictions_table)(answers, settings.top)
    print_result(args, predictions_as_json(answers, settings.top), text)
    check_predictions(answers, settings.max_bad)
    return EXIT_QUARANTINED if any(answer.problem for answer in answers) else 0


def _predict_all(args: argparse.Namespace) -> int:
    from frostline.pipeline.serve.predict_all import predict_all
    from frostline.pipeline.serve.sources import one_input

    if args.csv:
        raise ConfigError("--csv with --out; the extension of the file sets the format, .csv or .parquet")
    done = predict_all(args.head, one_input(args.inputs), args.out, settings_of(args))
    bad = f", {done.bad:,} of which can't be used (column problem)" if done.bad else ""
    kept = "".join(f"\nfeatures kept in {folder}" for folder in done.features)
    print_result(args, done.fields(), printable(f"{done.file}: {counted(done.rows, 'row')}{bad}") + kept)
    return EXIT_QUARANTINED if done.bad else 0


def export_command(args: argparse.Namespace) -> int:
    """Write a head with its backbone as one file, and return the exit code."""
    from frostline.pipeline.serve.export import export_head

    record = export_head(args.head, args.file, settings_of(args))
    shape, given = ("images", "uint8 images") if "images" in record else ("features", "float32 features")
    size = ", ".join(map(str, record[shape][1:]))
    names = record.get("outputs") or record["classes"]
    each = {"regression": "output", "multi-label": "label"}.get(record.get("target", ""), "class")
    text = f"{args.file}: {given} (batch, {size}) to a {record['values']} per {each} (batch, "
    print_result(args, record, f"{text}{len(names)})")
    return 0


def export_features_command(args: argparse.Namespace) -> int:
    """Write a feature set as one file, and return the exit code."""
    from frostline.pipeline.serve.export_features import export_features

    record = export_features(args.set, args.file)
    what = f"{record['dataset']} {record['split']}, {record['rows']:,} × {record['width']:,}"
    held = "ids and labels" if record["target"] else "ids"
    left = f", {len(record['quarantined']):,} quarantined left out" if record["quarantined"] else ""
    print_result(args, record, f"{args.file}: {printable(what)} with {held}{left}")
    return EXIT_QUARANTINED if record["quarantined"] else 0


_HEAD = "a folder of data/heads, or of data/runs"


def takes_samples(command: argparse.ArgumentParser) -> None:
    """Add the head and the samples."""
    command.usage = (
        "frostline predict HEAD SOURCE… [--SETTING VALUE …]\n"
        "       frostline predict HEAD SOURCE --out FILE.parquet|FILE.csv [--SETTING VALUE …]"
    )
    command.add_argument("head", type=Path, metavar="HEAD", help=_HEAD)
    command.add_argument(
        "inputs",
        nargs="+",
        metavar="SOURCE",
        help="files, a folder or a table; - reads one text per line; with --out also a dataset such as tar:PATTERN",
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write one row per sample to a .parquet or .csv file; an interrupted command resumes",
    )
    command.add_argument("--csv", action="store_true", help="print CSV")


def takes_file(command: argparse.ArgumentParser) -> None:
    """Add the head and the file to write."""
    command.usage = "frostline export HEAD FILE.onnx|FILE.pt2 [--SETTING VALUE …]"
    command.add_argument("head", type=Path, metavar="HEAD", help=_HEAD)
    command.add_argument(
        "file", type=Path, metavar="FILE", help="output file; the extension (.onnx or .pt2) sets the format"
    )


def takes_set(command: argparse.ArgumentParser) -> None:
    """Add the feature set and the file to write."""
    command.usage = "frostline export-features SET FILE.h5|FILE.npz|FILE.parquet"
    command.add_argument("set", type=Path, metavar="SET", help="a folder of data/features")
    command.add_argument(
        "file", type=Path, metavar="FILE", help="output file; the extension (.h5, .npz or .parquet) sets the format"
    )
