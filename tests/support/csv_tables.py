"""CSV tables of a few small images, and what is said of those that can't be used."""

from __future__ import annotations

import pytest

from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError

UNTESTED = "no test sample of 1 class: dog"


def written(folder, text, encoding="utf-8"):
    (folder / "table.csv").write_bytes(text.encode(encoding))
    return f"csv:{folder / 'table.csv'}"


def rows(*lines, header="path,label,split"):
    return "\n".join([header, *lines]) + "\n"


def split_table(*more):
    return rows("img/0000.png,cat,train", "img/0001.png,dog,train", "img/0002.png,cat,test", *more)


def refusal(folder, text, **options):
    with pytest.raises(DataError) as caught:
        open_dataset(written(folder, text), **options)
    return str(caught.value)


def refusal_of(folder, data):
    (folder / "table.csv").write_bytes(data)
    with pytest.raises(DataError) as caught:
        open_dataset(f"csv:{folder / 'table.csv'}")
    return str(caught.value)
