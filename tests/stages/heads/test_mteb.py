"""``mteb``'s own evaluator, given our features for its texts, reports the scores of ``--protocol mteb``."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.settings import ExtractSettings, Settings
from frostline.pipeline.steps.features import LazyFeatures, extract_missing
from frostline.pipeline.steps.subsets import drawn_curve
from frostline.stages.store import Features
from support.features import features

mteb = pytest.importorskip(
    "mteb",
    reason="mteb is not installed, so its evaluator is not run beside ours: pip install mteb. It is not in the extra "
    "test, for with polars and pandas it takes 360 MB",
)
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


def questions(assets: Path, folder: Path) -> tuple[Features, Features]:
    """Return MiniLM's cached features of some questions of TREC-6: up to 40 of a class to train on, 15 to test."""
    source, counts = assets / "text" / "trec6" / "trec6.csv", Counter[tuple[str, str]]()
    if not source.is_file():
        pytest.skip(f"no {source}; set TEST_ASSETS to the folder of real weights and data")
    with source.open(newline="") as file, (folder / "trec.csv").open("w", newline="") as kept:
        writer = csv.writer(kept)
        writer.writerow(("text", "label", "split"))
        for row in csv.DictReader(file):
            counts[row["split"], row["label"]] += 1
            if counts[row["split"], row["label"]] <= (40 if row["split"] == "train" else 15):
                writer.writerow((row["text"], row["label"], row["split"]))
    how = {"dataset": f"csv:{folder / 'trec.csv'}", "backbone": f"st:{assets / 'text' / 'all-MiniLM-L6-v2'}"}
    plan = make_plan(open_inputs(ExtractSettings(**how, data_dir=folder / "data", precision="fp32")), ("train", "test"))
    extract_missing(plan)
    found = LazyFeatures(plan)
    return found.train[0], found.test[0]


def check_scores(train: Features, test: Features, shots: int, names: Sequence[str]) -> None:
    """Check that all scores of all experiments are the same numbers."""
    point, said = ours(train, test, shots), theirs({"train": train, "test": test}, samples_per_label=shots)
    assert len(said["scores_per_experiment"]) == len(point.accuracy) == 10
    for name in names:
        assert list(point.scores[name]) == [one[name] for one in said["scores_per_experiment"]]
        assert said[name] == pytest.approx(np.mean(point.scores[name]), abs=1e-15)


@pytest.mark.parametrize(("classes", "shots"), [(5, 8), (2, 8), (5, 16)])
def test_every_score_of_every_experiment_is_that_of_mteb(classes: int, shots: int) -> None:
    train, test = (features(300, classes, split, seed=i) for i, split in enumerate(("train", "test")))
    check_scores(train, test, shots, (*_SCORES, *(("ap", "ap_weighted") if classes == 2 else ())))


def test_every_score_of_real_questions_by_their_cached_features_is_that_of_mteb(assets: Path, tmp_path: Path) -> None:
    train, test = questions(assets, tmp_path)
    assert train.X.shape[1] == 384 and len(test) > 80
    check_scores(train, test, 8, _SCORES)
