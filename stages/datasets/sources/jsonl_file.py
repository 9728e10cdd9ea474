"""``jsonl:FILE``: a table as JSON Lines, with the same columns as ``csv:FILE``."""

from __future__ import annotations

from dataclasses import replace

from frostline.stages.datasets.sources.csv_file import CSV

JSONL = replace(CSV, form="jsonl:FILE", summary="a table as JSON Lines, with the columns of csv:FILE")
