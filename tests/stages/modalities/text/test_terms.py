"""TF-IDF agrees with scikit-learn's, and knows only what training texts told it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from frostline.stages.errors import ConfigError
from frostline.stages.modalities.text import terms
from frostline.stages.modalities.text.terms import TermWeights, learn_vocabulary, read_vocabulary

TEXTS = ["What is the River's name?", "the cat sat on the mat", "THE CAT, the dog", "é à über alles", "x", "12 cats"]


def test_weights_are_those_of_scikit_learn() -> None:
    found = learn_vocabulary(TEXTS)
    reference = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit(TEXTS)
    assert list(found.terms) == list(reference.get_feature_names_out())
    rows = [TermWeights("", found).item(text)["weights"] for text in [*TEXTS, "the cat is unknown"]]
    wanted = reference.transform([*TEXTS, "the cat is unknown"]).toarray()
    np.testing.assert_allclose(rows, wanted, atol=1e-7)


def test_the_commonest_terms_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "MOST_TERMS", 2)
    assert learn_vocabulary(TEXTS).terms == ("cat", "the")


def test_a_vocabulary_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = learn_vocabulary(TEXTS)
    (tmp_path / "v.json").write_bytes(found.to_json())
    assert read_vocabulary(tmp_path / "v.json") == found
    assert read_vocabulary(tmp_path / "v.json").digest == found.digest != learn_vocabulary(TEXTS[:3]).digest


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"terms": ["a"], "idf": [1, 2]}', '{"terms": ["a", "a"], "idf": [1, 2]}', "[" * 100_000]
)
def test_a_file_that_holds_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(ConfigError, match="no vocabulary in"):
        read_vocabulary(tmp_path / "v.json")
