"""``mteb``'s own evaluator, given our features for its texts, reports the scores of ``--protocol mteb``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from frostline.pipeline.settings import Settings
from frostline.pipeline.steps.features import LazyFeatures
from frostline.pipeline.steps.subsets import drawn_curve
from frostline.stages.store import Features
from support.features import features

mteb = pytest.importorskip("mteb", reason="mteb is not installed: its evaluator is not run beside ours")
pytestmark = pytest.mark.filterwarnings("ignore")  # mteb's own, and scikit-learn's of 100 iterations
_SCORES = ("accuracy", "f1", "f1_weighted", "precision", "precision_weighted", "recall", "recall_weighted")


class Known:
    """An encoder of mteb's kind, whose texts are the numbers of rows of a split."""

    mteb_model_meta = None

    def __init__(self, splits: dict[str, Features]) -> None:
        self._splits = splits

    def encode(self, inputs: Any, *, hf_split: str, **_: Any) -> np.ndarray:
        rows = [int(text) for batch in inputs for text in batch["text"]]
        return np.asarray(self._splits[hf_split].X[rows])

    def similarity(self, *_: Any) -> Any:
        raise NotImplementedError

    similarity_pairwise = similarity


class InMemory(LazyFeatures):
    """Features of nobody's workspace."""

    def __init__(self, train: Features, test: Features) -> None:
        self.train, self.test = [train], [test]


def ours(train: Features, test: Features, shots: int) -> Any:
    """Return what ``--protocol mteb`` finds of texts."""
    settings = Settings(head="mteb", shots=str(shots))
    draw = settings.draw("mteb", "text")
    assert draw is not None
    return drawn_curve(settings.spec("mteb"), draw, InMemory(train, test)).points[0]


def theirs(splits: dict[str, Features], **of_task: Any) -> dict[str, Any]:
    """Return what mteb's task reports on the features of splits."""
    from datasets import Dataset, DatasetDict
    from mteb.abstasks.classification import AbsTaskClassification

    class Task(AbsTaskClassification):
        metadata = mteb.get_task("Banking77Classification").metadata.model_copy()

    task = Task()
    for name, value in of_task.items():
        setattr(task, name, value)
    task.dataset = DatasetDict(
        {
            name: Dataset.from_dict({"text": list(map(str, range(len(one.y)))), "label": one.y.tolist()})
            for name, one in splits.items()
        }
    )
    task.data_loaded = True
    return task.evaluate(Known(splits), encode_kwargs={"batch_size": 64})["default"]


@pytest.mark.parametrize(("classes", "shots"), [(5, 8), (2, 8), (5, 16)])
def test_every_score_of_every_experiment_is_that_of_mteb(classes: int, shots: int) -> None:
    train, test = (features(300, classes, split, seed=i) for i, split in enumerate(("train", "test")))
    point = ours(train, test, shots)
    said = theirs({"train": train, "test": test}, samples_per_label=shots)
    names: Sequence[str] = (*_SCORES, *(("ap", "ap_weighted") if classes == 2 else ()))
    assert len(said["scores_per_experiment"]) == len(point.accuracy) == 10
    for name in names:
        assert list(point.scores[name]) == [one[name] for one in said["scores_per_experiment"]]
        assert said[name] == pytest.approx(np.mean(point.scores[name]), abs=1e-15)
