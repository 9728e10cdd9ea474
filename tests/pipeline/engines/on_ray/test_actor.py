"""What an actor says of a node that can't take part; without a cluster, as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from frostline.pipeline.engines.base import Here, Job
from frostline.pipeline.engines.fill import fill
from frostline.pipeline.engines.on_ray.actor import ShardActor, unfit
from frostline.pipeline.plan.begin import begin
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import look_up
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.store import FeatureSet
from support.pictures import paint

HERE = version("frostline")


@pytest.fixture
def begun(work: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Job, FeatureSet]]:
    """A job and its set, of which nothing is computed yet."""
    jobs: list[Job] = []

    def noted(job: Job, here: Here) -> int:
        jobs.append(job)
        raise InterruptedError

    monkeypatch.setattr("frostline.pipeline.engines.fill.engine_for", lambda *_: noted)
    plan = make_plan(open_inputs(ExtractSettings(dataset="folder:pets", backbone="pixels", resize="8x8")))
    request = look_up(plan, "train", "plain")
    features = begin(plan, request)
    with pytest.raises(InterruptedError):
        fill(plan, request, features)
    yield jobs[0], features


def prepared(job: Job, folder: str = ".") -> tuple[ShardActor, str]:
    actor = ShardActor()
    return actor, actor.prepare(job.to_json(), HERE, folder)


def test_an_actor_fills_shards_by_number(begun: tuple[Job, FeatureSet]) -> None:
    job, features = begun
    actor, wrong = prepared(job)
    assert wrong == "" and actor.fill([0], False) == (36, "") and features.complete
    assert actor.fill([0], False) == (0, "")


def test_a_node_without_the_same_frostline_says_what_to_install() -> None:
    assert unfit(HERE) == ""
    assert f"frostline {HERE} here; install frostline 9.9.9, as where the command runs, for " in unfit("9.9.9")


def test_a_node_that_does_not_see_the_store_says_which_path(begun: tuple[Job, FeatureSet], work: Path) -> None:
    job, features = begun
    (features.folder / "key.json").unlink()
    _, wrong = prepared(job)
    assert f"sees no feature set {job.digest[:12]} in {work}" in wrong and "a folder that all machines share" in wrong


def test_a_node_that_does_not_see_the_dataset_says_which_path(begun: tuple[Job, FeatureSet]) -> None:
    job, _ = begun
    _, wrong = prepared(replace(job, settings={**job.settings, "dataset": "folder:elsewhere"}))
    assert "elsewhere" in wrong


def test_a_node_on_which_the_dataset_is_another_says_that(begun: tuple[Job, FeatureSet], folder: Path) -> None:
    job, _ = begun
    paint(folder / "train" / "cat" / "00.png", 2, 99, (24, 20))
    _, wrong = prepared(job)
    assert "the dataset or the backbone is another one on" in wrong and "dataset " in wrong


def test_a_node_without_the_folder_of_the_command_says_so_where_paths_need_it(begun: tuple[Job, FeatureSet]) -> None:
    job, _ = begun
    _, wrong = prepared(job, "/nowhere/at/all")
    assert "no folder /nowhere/at/all here (No such file or directory), in which the command runs" in wrong
    absolute = replace(job, settings={**job.settings, "data_dir": str(Path(job.settings["data_dir"]).absolute())})
    assert json.loads(absolute.to_json())["settings"]["data_dir"].startswith("/")
    assert prepared(absolute, "/nowhere/at/all")[1] == ""


def test_what_goes_wrong_with_a_shard_is_told_and_not_raised(
    begun: tuple[Job, FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _ = begun
    actor, _ = prepared(job)
    monkeypatch.setattr(FeatureSet, "commit", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    assert actor.fill([0], False) == (0, "OSError: disk full")
