"""A set of features is of one kind of network: as it is written, or made faster."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from frostline.pipeline.engines import fill
from frostline.pipeline.run.run import extract
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.errors import StoreError


def test_a_set_that_is_begun_is_not_gone_on_with_otherwise(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fill, "compute", stop)
    with pytest.raises(KeyboardInterrupt):
        extract(ExtractSettings(optimize="none"))
    monkeypatch.undo()
    monkeypatch.chdir(work.parent)
    with pytest.raises(
        StoreError, match="was begun with --optimize none; use the same option to continue, or remove the folder"
    ):
        extract(ExtractSettings(optimize="auto"))
    assert all(done.computed for done in extract(ExtractSettings(optimize="none")))


def test_features_that_were_made_otherwise_are_used_and_it_is_said(
    work: Path, caplog: pytest.LogCaptureFixture
) -> None:
    extract(ExtractSettings(optimize="none"))
    with caplog.at_level(logging.INFO, "frostline"):
        assert not any(done.computed for done in extract(ExtractSettings(optimize="auto")))
    assert caplog.text.count("note: these features were computed with --optimize none") == 2
