"""What a folder of transformers says of its samples, beside what its network takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from frostline.stages.backbones.families.registry import check_family_takes, family_of
from frostline.stages.errors import ConfigError
from support.audio_folders import KINDS, save_audio_model
from support.model_folders import ARCHITECTURES, change_json, save_transformers
from support.text_models import CONFIGURATIONS, save_text_model


def taken(folder: Path) -> str:
    family, name = family_of(f"hf:{folder}")
    return family.taken_by(name)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_models_of_images_say_so(tmp_path: Path, name: str) -> None:
    save_transformers(tmp_path, name)
    assert taken(tmp_path) == "image"


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_models_of_texts_say_so(tmp_path: Path, name: str) -> None:
    save_text_model(tmp_path, name)
    assert taken(tmp_path) == "text"


@pytest.mark.parametrize("name", KINDS)
def test_models_of_recordings_say_so_with_a_tokenizer_too_and_clap_leaves_it_to_the_network(
    tmp_path: Path, name: str
) -> None:
    save_audio_model(tmp_path, name)
    (tmp_path / "vocab.json").write_text("{}")
    assert taken(tmp_path) == ("" if name.startswith("clap") else "audio")


def test_what_the_files_do_not_tell_is_left_to_the_network(tmp_path: Path) -> None:
    save_text_model(tmp_path, "bert")
    change_json(tmp_path / "config.json", {"vision_config": {}, "model_type": "llava"})
    check_family_takes(f"hf:{tmp_path}", "text")
    check_family_takes(f"hf:{tmp_path}", "image")
    (tmp_path / "vit").mkdir()
    (tmp_path / "vit" / "config.json").write_text(json.dumps({"model_type": "vit"}))
    assert taken(tmp_path / "vit") == ""
    check_family_takes("hf:nobody/has-this-model", "text")


def test_nothing_heavy_is_imported_to_say_it(tmp_path: Path) -> None:
    save_text_model(tmp_path, "bert")
    code = (
        "import sys; from frostline.stages.backbones.families.registry import check_family_takes as check\n"
        "try: check(sys.argv[1], 'image')\n"
        "except Exception as error: print(error)\n"
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, f"hf:{tmp_path}"], capture_output=True, text=True, check=True)
    assert "takes texts, but the samples are images" in done.stdout and done.stdout.endswith("set()\n")
    with pytest.raises(ConfigError, match="no such folder"):
        check_family_takes(f"hf:{tmp_path / 'absent' / 'x'}", "text")
