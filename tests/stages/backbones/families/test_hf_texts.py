"""Models of transformers give transformers' own features of texts, in any company, and no pooling is assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from frostline.stages.backbones import BackboneRequest, fingerprint
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Length
from support.model_folders import change_json
from support.text_features import features, loaded
from support.text_models import CONFIGURATIONS, PLACES, TEXTS, WIDTH, save_text_model

SHORT = TEXTS[:4] + TEXTS[5:]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts") / "bert"
    save_text_model(folder, "bert")
    return folder


@torch.inference_mode()
def own(folder: Path, model: Any, text: str, pool: str) -> np.ndarray:
    """Return the feature of one text alone, all of it by transformers' own code."""
    given = hf.AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt", truncation=True, max_length=PLACES)
    given.pop("token_type_ids", None)
    hidden = model(**given).last_hidden_state[0]
    return {"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[-1]}[pool].numpy()


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_features_are_the_librarys_own(name: str, tmp_path: Path) -> None:
    model = save_text_model(tmp_path, name)
    for pool in ("mean", "cls", "last"):
        backbone = loaded(f"hf:{tmp_path}", pool)
        assert (backbone.width, backbone.spec.pool) == (WIDTH, pool)
        wanted = np.stack([own(tmp_path, model, text, pool) for text in TEXTS])
        np.testing.assert_allclose(features(backbone, TEXTS), wanted, atol=2e-5)


def test_a_text_has_the_same_bits_alone_and_in_any_company(bert: Path) -> None:
    backbone = loaded(f"hf:{bert}", "mean")
    together = features(backbone, TEXTS)
    alone = np.concatenate([features(backbone, [text]) for text in TEXTS])
    turned = features(backbone, TEXTS[::-1])[::-1]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, turned)


@pytest.mark.parametrize("pool", [None, "avg", "flatten"])
def test_no_pooling_is_assumed(bert: Path, pool: str | None) -> None:
    with pytest.raises(ConfigError, match="expected --pool mean, cls, last, pooler"):
        fingerprint(BackboneRequest(f"hf:{bert}", pool=pool, modality="text"))


def test_the_pooled_output_is_taken_only_where_its_weights_are_there(bert: Path, tmp_path: Path) -> None:
    model = save_text_model(tmp_path, "bert")
    found = features(loaded(f"hf:{tmp_path}", "pooler"), TEXTS[:1])
    with torch.inference_mode():
        given = hf.AutoTokenizer.from_pretrained(tmp_path)(TEXTS[0], return_tensors="pt")
        np.testing.assert_allclose(found, model(**given).pooler_output.numpy(), atol=1e-5)
    kept = {name: w for name, w in load_file(tmp_path / "model.safetensors").items() if "pooler" not in name}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match="would be random"):
        loaded(f"hf:{tmp_path}", "pooler")
    np.testing.assert_array_equal(
        features(loaded(f"hf:{tmp_path}", "mean"), SHORT), features(loaded(f"hf:{bert}", "mean"), SHORT)
    )


def test_a_long_text_is_cut_or_has_the_mean_of_its_windows(bert: Path) -> None:
    text = TEXTS[4]
    cut, windows = (loaded(f"hf:{bert}", "mean", max_length=20, windows=how) for how in ("first", "mean"))
    assert cut.spec.preprocessing.measure(text) == Length(200, 182)
    assert windows.spec.preprocessing.measure(text) == Length(200, 0)
    words = text.split()
    parts = [" ".join(words[start : start + 18]) for start in range(0, 200, 18)]
    wanted = features(cut, parts).mean(0)
    np.testing.assert_allclose(features(windows, [text])[0], wanted, atol=1e-5)
    np.testing.assert_array_equal(features(windows, SHORT[:3]), features(cut, SHORT[:3]))


def test_a_prompt_stands_before_each_text_and_in_the_spec(bert: Path) -> None:
    plain, prompted = loaded(f"hf:{bert}", "cls"), loaded(f"hf:{bert}", "cls", prompt="query: ")
    assert plain.spec != prompted.spec
    np.testing.assert_array_equal(features(prompted, ["a cat"]), features(plain, ["query: a cat"]))


def test_another_tokenizer_is_another_backbone(bert: Path, tmp_path: Path) -> None:
    save_text_model(tmp_path, "bert")
    request = BackboneRequest(f"hf:{tmp_path}", pool="mean", modality="text")
    before, spec = fingerprint(request), loaded(f"hf:{tmp_path}", "mean").spec
    change_json(tmp_path / "tokenizer.json", {"normalizer": None})
    assert fingerprint(request) != before
    assert loaded(f"hf:{tmp_path}", "mean").spec.preprocessing != spec.preprocessing


@pytest.mark.parametrize(
    ("asked", "message"),
    [({"max_length": PLACES + 1}, "takes at most 64 tokens, not 65"), ({"max_length": 2}, "room for the text")],
)
def test_lengths_that_cannot_be_are_refused(bert: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(f"hf:{bert}", "mean", **asked)


def test_a_model_of_images_takes_no_texts(tmp_path: Path) -> None:
    from support.model_folders import save_transformers

    save_transformers(tmp_path, "vit")
    with pytest.raises(ConfigError, match="takes pixel_values; expected a model of texts"):
        loaded(f"hf:{tmp_path}", "mean")
