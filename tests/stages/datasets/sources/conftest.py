"""Images that tables name."""

from __future__ import annotations

import pytest

from support.pictures import plant


@pytest.fixture
def images(tmp_path):
    return plant(tmp_path, {"img": 12})
