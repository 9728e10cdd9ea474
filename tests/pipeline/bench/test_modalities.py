"""A bench over texts, and one over recordings; and what of a matrix can't be, before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostline.pipeline.bench.render import as_markdown
from frostline.pipeline.bench.schedule import schedule
from frostline.stages.errors import ConfigError
from support.audio_folders import save_audio_model, save_tones
from support.matrices import CENTROID, RIDGE, done
from support.project import Write
from support.text_models import save_text_model

SPECTRUM = '[[backbone]]\nbackbone = "spectrum"\n'


def of_texts(folder: Path) -> tuple[str, str]:
    """Return a table of texts and an encoder of them, as parts of a matrix."""
    save_text_model(folder / "bert", "bert")
    words = {"animal": ("cat", "dog"), "place": ("river", "mat")}
    rows = [
        f"the {words[label][i % 2]} is {'long ' * (i % 5)},{label},{'test' if i % 4 == 3 else 'train'}"
        for i in range(32)
        for label in words
    ]
    (folder / "said.csv").write_text("\n".join(["text,label,split", *rows]))
    dataset = f'[[dataset]]\ndataset = "csv:{folder / "said.csv"}"\n'
    return dataset, f'[[backbone]]\nbackbone = "hf:{folder / "bert"}"\npool = "mean"\n'


def of_recordings(folder: Path) -> tuple[str, str]:
    """Return a folder of recordings and an encoder of them, as parts of a matrix."""
    save_audio_model(folder / "wave", "wav2vec 2.0, layer norm")
    save_tones(folder / "tones", 6)
    dataset = f'[[dataset]]\ndataset = "folder:{folder / "tones"}"\n'
    return dataset, f'[[backbone]]\nbackbone = "hf:{folder / "wave"}"\n'


def test_texts_are_benched_and_counted_as_samples(write: Write, tmp_path: Path) -> None:
    matrix = write("".join(of_texts(tmp_path)) + RIDGE + CENTROID)
    board = done(matrix)
    assert {entry.name.head for entry in board.entries} == {"ridge", "centroid"}
    assert max(entry.scores["accuracy"].value for entry in board.entries) > 0.9
    said = as_markdown(board)
    assert "samples/s" in said and "image" not in said
    assert done(matrix).computed == 0


def test_recordings_are_benched_beside_their_mean_spectrum(write: Write, tmp_path: Path) -> None:
    dataset, encoder = of_recordings(tmp_path)
    board = done(write(dataset + encoder + SPECTRUM + RIDGE))
    assert {entry.name.backbone for entry in board.entries} == {"wave", "spectrum"}
    assert "samples/s" in as_markdown(board) and not board.failures


def test_what_takes_other_samples_is_named_before_anything_is_computed(write: Write, tmp_path: Path) -> None:
    texts, bert = of_texts(tmp_path)
    tones, _ = of_recordings(tmp_path)
    matrix = write(texts + tones + bert + SPECTRUM + RIDGE)
    for may_load in (False, True):
        with pytest.raises(ConfigError) as raised:
            schedule(matrix, may_load=may_load)
        assert "spectrum takes recordings, but the samples are texts" in str(raised.value)
        assert "takes texts, but the samples are recordings" in str(raised.value)
