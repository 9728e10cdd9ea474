"""``parquet:FILE``: a table as Parquet, with the same columns as ``csv:FILE``."""

from __future__ import annotations

from dataclasses import replace

from frostline.stages.datasets.sources.csv_file import CSV

PARQUET = replace(CSV, form="parquet:FILE", summary="a table as Parquet, with the columns of csv:FILE")
