"""Parquet in a bucket: the samples of the same files on disk, by range reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import parquet

from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError
from support.buckets import Bucket
from support.row_files import image_table


def test_files_in_a_bucket_are_those_on_disk(tmp_path: Path, bucket: Bucket) -> None:
    data = tmp_path / "pets" / "data"
    data.mkdir(parents=True)
    for i, split in enumerate(("train", "test")):
        table = image_table(12, 20 * i, named=False)
        parquet.write_table(table, data / f"{split}-00000-of-00001.parquet", row_group_size=5)
    local = open_dataset(f"parquet:{data}/*.parquet")
    there = bucket.upload(tmp_path / "pets", "sets/pets/")
    for place in (f"{there}data/*.parquet", f"{there}data/{{train,test}}-00000-of-00001.parquet"):
        far = open_dataset(f"parquet:{place}", memory=tmp_path / "memo")
        assert far.name == local.name == "pets"
        for these, those in zip(local.splits, far.splits, strict=True):
            assert these.content == those.content and these.encoded and those.encoded
            for row in range(len(these)):
                assert these.encoded(row) == those.encoded(row)


def test_a_file_that_is_not_there_is_named(bucket: Bucket) -> None:
    with pytest.raises(DataError, match=r"none\.parquet"):
        open_dataset(f"parquet:s3://{bucket.name}/none.parquet")
