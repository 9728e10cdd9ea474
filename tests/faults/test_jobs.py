"""Each step of writing heads, reports and what a bench leaves goes wrong in each way: nothing is seen half done."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from faults.children import Child
from faults.counts import Points
from faults.disk import LOSSES, Disk, moments, rebuild
from faults.jobs import JOBS, Job, Versions, job
from faults.layer import ERRORS, Act, Call, Layer, Step, at, chosen, half, half_and_kill, kill
from frostline.stages.errors import StoreError


@dataclass
class Campaign:
    """One job, and how it goes undisturbed. What is left that was seen before is not examined again."""

    job: Job
    page: Path
    undisturbed: Layer
    versions: Versions
    wanted: dict[str, bytes]
    ended: dict[int, bool] = field(default_factory=dict)
    known: dict[int, list[str]] = field(default_factory=dict)

    def broken(self, promised: list[str], asked: Versions | None = None) -> list[str]:
        """Return what is half written or lost; ``asked``: what was to be written, if not what undisturbed is."""
        versions = self.versions if asked is None else asked
        state = hash((self._state(), tuple(promised), tuple((n, *data) for n, data in versions.items())))
        if state not in self.known:
            self.known[state] = self.job.broken(promised, versions)
        return self.known[state]

    def ends_the_same(self) -> bool:
        """Whether readers stand what is there, and the next run ends as if nothing had happened."""
        state = self._state()
        if state not in self.ended:
            self.job.read(self.page)
            self.job.run(Layer(self.job.root))
            self.ended[state] = self.job.contents() == self.wanted
        return self.ended[state]

    def lost(self, steps: list[Step], loss: str) -> list[str]:
        """Return what is broken of what was promised, once the power goes away after some steps."""
        self.job.clear()
        rebuild(self.job.root, Disk().replay(steps).after(loss))
        return self.broken([step.path for step in steps if step.kind == "promise"])

    def _state(self) -> int:
        return hash(tuple(sorted(self.job.contents().items())))

    def disturbed(self, layer: Layer, tell: Callable[[str], object], asked: Versions | None = None) -> None:
        self.job.clear()
        self.job.run(layer, tell, asked)


def some(steps: list[int], campaign: bool, number: int, first: int = 0) -> list[int]:
    """Return that many steps, evenly spaced from one of the first on; all of them in the campaign."""
    every = 1 if campaign else max(1, len(steps) // number)
    return steps[first % every :: every]


@pytest.fixture(scope="module", params=JOBS)
def campaign_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    made = job(request.param, tmp_path_factory.mktemp("job"))
    layer, versions = Layer(made.root), defaultdict(list)
    made.run(layer, layer.promise, versions)
    return Campaign(made, made.root.parent / "page.html", layer, versions, made.contents())


def test_every_file_is_written_whole_and_promised(campaign_of: Campaign) -> None:
    promised = [step.path for step in campaign_of.undisturbed.steps if step.kind == "promise"]
    assert sorted(set(promised)) == sorted(campaign_of.wanted) == sorted(campaign_of.versions)
    assert not campaign_of.broken(promised)


@pytest.mark.parametrize("act", [kill, half_and_kill])
def test_a_kill_at_any_step_leaves_nothing_half_done_and_the_next_run_ends_the_same(
    campaign_of: Campaign, act: Act, campaign: bool, points: Points
) -> None:
    for k in some(chosen(campaign_of.undisturbed, act), campaign, 4, 1):
        child = Child(partial(campaign_of.disturbed, Layer(campaign_of.job.root, at(k, act))))
        assert child.wait() == -signal.SIGKILL
        assert not campaign_of.broken(child.told), f"at step {k}"
        assert campaign_of.ends_the_same(), f"at step {k}"
        points.add("jobs: kills at a step")


def test_a_power_loss_at_any_step_leaves_nothing_half_done_and_loses_nothing_promised(
    campaign_of: Campaign, points: Points
) -> None:
    steps = campaign_of.undisturbed.steps
    for k, loss in product(moments(steps), LOSSES):
        assert not campaign_of.lost(steps[:k], loss), f"after step {k}, {steps[k - 1 : k]}, {loss}"
        assert campaign_of.ends_the_same(), f"after step {k}, {steps[k - 1 : k]}, {loss}"
        points.add("jobs: power losses")


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_of_the_system_at_any_step_is_explained_and_the_next_run_ends_the_same(
    campaign_of: Campaign, name: str, campaign: bool, points: Points
) -> None:
    when, act = ERRORS[name]
    for k in some(chosen(campaign_of.undisturbed, act), campaign, 2, list(ERRORS).index(name)):
        layer, told, asked = Layer(campaign_of.job.root, when(k, act)), [], defaultdict(list)
        handles = len(os.listdir("/proc/self/fd"))
        try:
            campaign_of.disturbed(layer, told.append, asked)
        except StoreError as error:
            assert "run again" in str(error), f"at step {k}"
        assert len(os.listdir("/proc/self/fd")) == handles, f"at step {k}"
        assert not campaign_of.broken(told, asked), f"at step {k}"
        assert campaign_of.ends_the_same(), f"at step {k}"
        points.add("jobs: errors at a step")


def test_a_write_that_takes_half_is_gone_on_with(campaign_of: Campaign, campaign: bool, points: Points) -> None:
    for k in some(chosen(campaign_of.undisturbed, half), campaign, 3):
        campaign_of.disturbed(Layer(campaign_of.job.root, at(k, half)), str)
        assert campaign_of.job.contents() == campaign_of.wanted
        points.add("jobs: short writes")


def test_the_campaign_notices_when_any_one_sync_is_left_out(campaign_of: Campaign) -> None:
    steps = campaign_of.undisturbed.steps
    promises = [i + 1 for i, step in enumerate(steps) if step.kind == "promise"]

    def noticed(left_out: list[int]) -> bool:
        rest = [step for i, step in enumerate(steps) if i not in left_out]
        after = [i - len(left_out) for i in promises if i > max(left_out)]
        return any(campaign_of.lost(rest[:k], loss) for k in after for loss in LOSSES)

    syncs = [[i] for i, step in enumerate(steps) if step.kind == "fsync" and step.by != "make_folder"]
    above = {step.path for step in steps if step.kind == "mkdir"}
    assert syncs and above
    unnoticed = [steps[i] for (i,) in syncs if not noticed([i])]
    unnoticed += [steps[i[0]] for i in map(partial(_syncs_above, steps), above) if not noticed(i)]
    assert not unnoticed


def _syncs_above(steps: list[Step], folder: str) -> list[int]:
    """Return the syncs that make a folder's name last."""
    parent = str(Path(folder).parent)
    return [i for i, step in enumerate(steps) if (step.kind, step.path) == ("fsync", parent)]


def test_the_campaign_notices_when_any_one_replace_is_left_out(campaign_of: Campaign) -> None:
    for target in campaign_of.wanted:

        def leave_out(n: int, step: Step, do: Call, target: str = target) -> object:
            return None if step.to == target else do()

        told: list[str] = []
        campaign_of.disturbed(Layer(campaign_of.job.root, leave_out), told.append)
        assert campaign_of.broken(told), target
