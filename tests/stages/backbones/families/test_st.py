"""Encoders of sentence-transformers give what ``SentenceTransformer.encode`` gives, without that library."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers as hf

from frostline.stages.backbones import BackboneRequest, fingerprint
from frostline.stages.errors import ConfigError
from support.model_folders import change_json
from support.text_features import features, loaded
from support.text_models import TEXTS, save_sentences, save_text_model

pytestmark = pytest.mark.filterwarnings("default")  # sentence-transformers' own, and torch's of it
MODELS: dict[str, dict[str, Any]] = {
    "mean, normalised": {"normalize": True},
    "cls, Dense": {"pooling": "cls", "dense": True},
    "last token, normalised, Dense": {"pooling": "lasttoken", "dense": True, "normalize": True},
    "several side by side": {"pooling": ("mean", "max", "weightedmean", "mean_sqrt_len_tokens")},
    "its own prompt": {"prompts": {"query": "query: "}, "default_prompt_name": "query"},
    "a prompt that is not pooled": {
        "prompts": {"query": "query: "},
        "default_prompt_name": "query",
        "include_prompt": False,
    },
    "short": {"max_length": 12},
}


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hf.logging.set_verbosity_error()
    hf.logging.disable_progress_bar()
    folder = tmp_path_factory.mktemp("texts") / "bert"
    save_text_model(folder, "bert")
    return folder


@pytest.fixture
def saved(bert: Path, tmp_path: Path) -> Path:
    save_sentences(tmp_path / "encoder", bert, normalize=True, dense=True)
    return tmp_path / "encoder"


@pytest.mark.parametrize("name", MODELS)
def test_features_and_width_are_the_librarys_own(name: str, bert: Path, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    model = save_sentences(tmp_path / "encoder", bert, **MODELS[name])
    wanted = np.concatenate([model.encode([text], show_progress_bar=False) for text in TEXTS])
    backbone = loaded(f"st:{tmp_path / 'encoder'}")
    assert backbone.width == wanted.shape[1]
    np.testing.assert_allclose(features(backbone, TEXTS), wanted, atol=2e-6)


def test_a_prompt_that_is_asked_for_replaces_its_own(bert: Path, tmp_path: Path) -> None:
    model = save_sentences(tmp_path / "encoder", bert, prompts={"q": "query: "}, default_prompt_name="q")
    for prompt in ("", "what : "):
        wanted = np.concatenate([model.encode([text], prompt=prompt, show_progress_bar=False) for text in TEXTS])
        found = features(loaded(f"st:{tmp_path / 'encoder'}", prompt=prompt), TEXTS)
        np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_each_file_that_changes_a_number_changes_the_fingerprint(saved: Path, tmp_path: Path) -> None:
    request = BackboneRequest(f"st:{saved}", modality="text")
    seen = [fingerprint(request)]
    change_json(saved / "1_Pooling" / "config.json", {"pooling_mode": "cls"})
    seen.append(fingerprint(request))
    change_json(saved / "2_Dense" / "config.json", {"activation_function": "torch.nn.modules.linear.Identity"})
    seen.append(fingerprint(request))
    change_json(saved / "sentence_bert_config.json", {"max_seq_length": 16})
    seen.append(fingerprint(request))
    assert all(seen[i] != seen[j] for i in range(4) for j in range(i))


def own_code(folder: Path) -> None:
    listed = json.loads((folder / "modules.json").read_text())
    listed[1]["type"] = "evil.Pooling"
    (folder / "modules.json").write_text(json.dumps(listed))


def unknown_kind(folder: Path) -> None:
    listed = json.loads((folder / "modules.json").read_text())
    listed[0]["type"] = "sentence_transformers.models.CLIPModel"
    (folder / "modules.json").write_text(json.dumps(listed))


def out_of_the_folder(folder: Path) -> None:
    listed = json.loads((folder / "modules.json").read_text())
    listed[2]["path"] = ".."
    (folder / "modules.json").write_text(json.dumps(listed))


def activation(folder: Path) -> None:
    change_json(folder / "2_Dense" / "config.json", {"activation_function": "os.system"})


def remote_code(folder: Path) -> None:
    change_json(folder / "config.json", {"auto_map": {"AutoModel": "evil.Evil"}})


def tokenizers_code(folder: Path) -> None:
    change_json(folder / "tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}})


def growing(folder: Path) -> None:
    double = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    change_json(folder / "tokenizer.json", {"normalizer": {"type": "Sequence", "normalizers": [double] * 40}})


def padded_to_all_memory(folder: Path) -> None:
    change_json(folder / "tokenizer.json", {"normalizer": {"type": "Prepend", "prepend": "a" * 10_000_000}})


def nested(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("[" * 200_000 + "]" * 200_000)


def no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def no_modules(folder: Path) -> None:
    (folder / "modules.json").unlink()


def list_of_numbers(folder: Path) -> None:
    (folder / "modules.json").write_text("[1, 2]")


def tall_dense(folder: Path) -> None:
    change_json(folder / "2_Dense" / "config.json", {"in_features": 1 << 40})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (own_code, "never run"),
        (unknown_kind, "has the modules CLIPModel"),
        (out_of_the_folder, "is not a folder in"),
        (activation, "one of torch's"),
        (remote_code, "never run"),
        (tokenizers_code, "never run"),
        (growing, "turns one character into"),
        (padded_to_all_memory, "turns one character into"),
        (nested, "can't"),
        (no_tokenizer, "expected a tokenizer"),
        (no_modules, "no modules.json"),
        (list_of_numbers, "not a list of modules"),
        (tall_dense, "expected numbers"),
    ],
)
def test_a_folder_that_would_run_code_or_take_all_memory_is_refused(saved: Path, harm: Any, message: str) -> None:
    harm(saved)
    with pytest.raises(ConfigError, match=message):
        loaded(f"st:{saved}")


@pytest.mark.parametrize(
    ("asked", "message"), [({"pool": "cls"}, "pools by mean"), ({"layer": "x"}, "only its output")]
)
def test_what_the_folder_does_not_do_is_refused(saved: Path, asked: dict[str, str], message: str) -> None:
    from frostline.stages.backbones import load_backbone

    with pytest.raises(ConfigError, match=message):
        load_backbone(BackboneRequest(f"st:{saved}", modality="text", **asked), None)


def test_a_copy_elsewhere_is_the_same_backbone(saved: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(saved, tmp_path / "elsewhere" / "encoder"))
    assert loaded(f"st:{saved}").spec == loaded(f"st:{copy}").spec


def test_a_text_has_the_same_bits_in_batches_of_any_number_of_rows(saved: Path) -> None:
    backbone = loaded(f"st:{saved}")
    if not backbone.any_rows:
        pytest.skip("on this processor batches are filled up")
    wanted = features(backbone, TEXTS, size=8)
    for text, row in zip(TEXTS, wanted, strict=True):
        assert np.array_equal(features(backbone, [text], size=1)[0], row)
