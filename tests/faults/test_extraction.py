"""Each step of a small extraction goes wrong in each way: nothing committed is lost, and the next run ends the same."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from faults.children import Child
from faults.counts import Points
from faults.disk import LOSSES, Disk, moments, rebuild
from faults.layer import ERRORS, Act, Call, Layer, Step, at, chosen, half, half_and_kill, kill, skip
from faults.work import broken, contents, work
from frostline.stages.errors import StoreError


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Layer:
    """One extraction's steps, with its promises among them."""
    layer = Layer(tmp_path_factory.mktemp("undisturbed"))
    with layer.installed():
        work(layer.root, layer.promise)
    return layer


@pytest.fixture(scope="module")
def wanted(undisturbed: Layer) -> dict[str, bytes]:
    return contents(undisturbed.root)


@dataclass
class Resume:
    """Runs again after each fault, and looks whether the end is the same.

    In the short version a folder that was seen before, byte for byte, is not gone on with again.
    """

    wanted: dict[str, bytes]
    every: bool
    seen: set[int] = field(default_factory=set)

    def ends_the_same(self, root: Path) -> bool:
        state = hash(tuple(sorted(contents(root).items())))
        if state in self.seen and not self.every:
            return True
        self.seen.add(state)
        resumed(root)
        return contents(root) == self.wanted


@pytest.fixture(scope="module")
def resume(wanted: dict[str, bytes], campaign: bool) -> Resume:
    return Resume(wanted, campaign)


def resumed(root: Path) -> Layer:
    """Run again, undisturbed; return the layer, for its steps."""
    layer = Layer(root)
    with layer.installed():
        work(root, layer.promise)
    return layer


@dataclass
class Power:
    """Goes away after some steps; what is left then lies in ``root``."""

    root: Path
    wanted: dict[str, bytes]
    known: dict[int, list[str]] = field(default_factory=dict)

    def lost(self, steps: list[Step], loss: str) -> list[str]:
        """Return what is broken of what was promised. A state seen before is not examined again."""
        shutil.rmtree(self.root, ignore_errors=True)
        rebuild(self.root, Disk().replay(steps).after(loss))
        promised = [step.path for step in steps if step.kind == "promise"]
        state = hash((tuple(sorted(contents(self.root).items())), tuple(promised)))
        if state not in self.known:
            self.known[state] = broken(self.root, promised, self.wanted)
        return self.known[state]


@pytest.fixture
def power(tmp_path: Path, wanted: dict[str, bytes]) -> Power:
    return Power(tmp_path / "left", wanted)


def test_the_layer_sees_every_kind_of_step(undisturbed: Layer) -> None:
    kinds = {step.kind for step in undisturbed.steps}
    assert kinds == {"open", "create", "write", "fsync", "close", "replace", "mkdir", "promise"}
    assert [step.path for step in undisturbed.steps if step.kind == "promise"] == [
        "begun",
        "00000",
        "00001",
        "00002",
        "published",
    ]
    assert len(undisturbed.calls) > 80


def test_a_power_loss_at_any_step_loses_nothing_committed(
    undisturbed: Layer, power: Power, resume: Resume, points: Points
) -> None:
    for k, loss in product(moments(undisturbed.steps), LOSSES):
        steps = undisturbed.steps[:k]
        assert not power.lost(steps, loss), f"after step {k}, {steps[-1:]}, {loss}"
        assert resume.ends_the_same(power.root), f"after step {k}, {steps[-1:]}, {loss}"
        points.add("power losses")


@pytest.mark.parametrize(("name", "act"), [("kill", kill), ("half a write, kill", half_and_kill)])
def test_a_kill_at_any_step_loses_nothing_committed_and_the_next_run_ends_the_same(
    undisturbed: Layer, tmp_path: Path, resume: Resume, points: Points, name: str, act: Act
) -> None:
    wanted = resume.wanted
    for k in chosen(undisturbed, act)[:: 1 if resume.every else 5]:
        layer = Layer(tmp_path / str(k), at(k, act))
        child = Child(partial(inside, layer))
        assert child.wait() == -signal.SIGKILL
        assert not broken(layer.root, child.told, wanted), f"at step {k}"
        assert resume.ends_the_same(layer.root), f"at step {k}"
        points.add("kills at a step")


def inside(layer: Layer, tell: Callable[[str], object]) -> None:
    """Do the work under a layer. For the kills a folder is made beforehand, as a data folder often is."""
    layer.root.mkdir(exist_ok=True)
    with layer.installed():
        work(layer.root, tell)


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_the_system_at_any_step_is_explained_and_the_next_run_ends_the_same(
    undisturbed: Layer, wanted: dict[str, bytes], tmp_path: Path, resume: Resume, points: Points, name: str
) -> None:
    when, act = ERRORS[name]
    for k in chosen(undisturbed, act)[:: 1 if resume.every else 5]:
        layer, told = Layer(tmp_path / str(k), when(k, act)), []
        handles = len(os.listdir("/proc/self/fd"))
        try:
            inside(layer, told.append)
        except StoreError as error:
            assert "run again" in str(error), f"at step {k}"
        assert len(os.listdir("/proc/self/fd")) == handles, f"at step {k}"
        assert not broken(layer.root, told, wanted), f"at step {k}"
        assert resume.ends_the_same(layer.root), f"at step {k}"
        points.add("errors at a step")


def test_a_write_that_takes_half_is_gone_on_with(
    undisturbed: Layer, wanted: dict[str, bytes], tmp_path: Path, resume: Resume, points: Points
) -> None:
    for k in chosen(undisturbed, half):
        layer = Layer(tmp_path / str(k), at(k, half))
        inside(layer, str)
        assert contents(layer.root) == wanted
        points.add("short writes")


def test_files_removed_at_any_step_of_a_running_job_are_said_and_made_anew(
    undisturbed: Layer, wanted: dict[str, bytes], tmp_path: Path, resume: Resume, points: Points
) -> None:
    for k in chosen(undisturbed, skip):
        root = tmp_path / str(k)

        def remove(step: Step, do: Call, root: Path = root) -> object:
            shutil.rmtree(root / "features", ignore_errors=True)
            return do()

        with suppress(StoreError):
            inside(Layer(root, at(k, remove)), str)
        assert resume.ends_the_same(root), f"at step {k}"
        points.add("removals at a step")


def killed_and_resumed(undisturbed: Layer, k: int, root: Path) -> list[Step]:
    """Return the steps of a process killed after its first k, and of the one that goes on after it.

    The first one's promises are left out: who heard them is dead. The second one promises the
    shards, and not ``features.h5``, which may be the first one's: it is made from the shards
    whenever it is missing.
    """
    first = [step for step in undisturbed.steps if step.kind != "promise"][:k]
    rebuild(root, Disk().replay(first).seen())
    published = Step("promise", "published")
    return first + [Step("promise", "complete") if step == published else step for step in resumed(root).steps]


@pytest.fixture(scope="module")
def lives(undisturbed: Layer, tmp_path_factory: pytest.TempPathFactory, campaign: bool) -> dict[int, list[Step]]:
    """The steps of two processes, one killed and one that goes on, by the step at which the first dies."""
    root = tmp_path_factory.mktemp("lives")
    done = sum(step.kind != "promise" for step in undisturbed.steps)
    return {k: killed_and_resumed(undisturbed, k, root / str(k)) for k in range(0, done, 1 if campaign else 3)}


def test_killed_resumed_and_then_without_power_nothing_committed_is_lost(
    lives: dict[int, list[Step]], power: Power, points: Points
) -> None:
    """What a killed process named and did not live to sync, the next one syncs before it promises anything."""
    for (k, steps), loss in product(lives.items(), LOSSES):
        assert not power.lost(steps, loss), f"killed at step {k}, {loss}"
        points.add("kills with a power loss later")


def test_the_campaign_notices_when_any_one_sync_is_left_out(undisturbed: Layer, power: Power) -> None:
    def noticed(steps: list[Step], since: int) -> bool:
        return any(power.lost(steps[:k], loss) for k in range(since, len(steps) + 1) for loss in LOSSES)

    steps = undisturbed.steps
    syncs = [i for i, step in enumerate(steps) if step.kind == "fsync" and step.by != "make_folder"]
    unnoticed = [steps[i] for i in syncs if not noticed(steps[:i] + steps[i + 1 :], i)]
    assert len(syncs) == 20
    # The folder of targets.h5 is synced once more with features.h5, and nothing is promised before that.
    assert [(step.by, step.path) for step in unnoticed] == [("_write_here", unnoticed[0].path.partition("/shards")[0])]


def test_the_campaign_notices_when_any_folder_is_not_synced_on_resuming(
    lives: dict[int, list[Step]], power: Power
) -> None:
    def without(steps: list[Step], folder: str) -> list[Step]:
        return [s for s in steps if (s.kind, s.by, s.path) != ("fsync", "make_folder", folder)]

    folders = {s.path for s in lives[0] if (s.kind, s.by) == ("fsync", "make_folder")}
    unnoticed = [
        f for f in folders if not any(power.lost(without(s, f), loss) for s in lives.values() for loss in LOSSES)
    ]
    assert len(folders) == 4 and not unnoticed


def test_the_campaign_notices_when_any_one_replace_is_left_out(
    undisturbed: Layer, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    targets = [step.to for step in undisturbed.steps if step.kind == "replace"]
    assert len(targets) == len(wanted)
    for i, target in enumerate(targets):

        def leave_out(n: int, step: Step, do: Call, target: str = target) -> object:
            return None if step.to == target else do()

        layer, told = Layer(tmp_path / str(i), leave_out), []
        try:
            inside(layer, told.append)
        except StoreError:  # the store itself misses the file
            continue
        assert broken(layer.root, told, wanted), target
