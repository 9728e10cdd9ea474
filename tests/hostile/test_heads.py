"""Heads and what a bench remembers, from strangers: none runs code or takes memory without bound; each is refused."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from safetensors.numpy import load, save
from scipy.sparse import csr_matrix, save_npz
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB

from faults.counts import Points
from faults.jobs import job
from faults.layer import Layer
from faults.strangers import LIES, Trap, bounded, in_zip, old_pickle, pickled_array
from frostline.pipeline.maintain.inventory import verify
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.fit import fit, fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_files, head_spec, multi_label, read_head
from frostline.stages.heads.solvers.sklearn_estimator import EstimatorHead
from frostline.stages.records.sealed import sealed, unsealed
from support.features import features

ROOM = 1 << 29


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    """The file that code from a stranger would leave."""
    return tmp_path / "sprung"


@pytest.fixture
def trap(sprung: Path) -> Trap:
    return Trap(f"touch {sprung}")


def forged(folder: Path, kind: str, name: str, data: bytes) -> Path:
    """Return a head of a kind, one of whose files is a stranger's, with a record that vouches for it."""
    files = head_files(fit([features()], head_spec(kind))[0], {})
    record = unsealed(files["head.json"])
    record["files"][name] = hashlib.sha256(data).hexdigest()
    folder.mkdir()
    for path, content in {**files, name: data, "head.json": sealed(record)}.items():
        (folder / path).write_bytes(content)
    return folder


TENSORS: dict[str, Callable[[Trap], bytes]] = {
    "a pickle": old_pickle,
    "an array of pickles": pickled_array,
    "a checkpoint": in_zip,
    "other tensors": lambda trap: save({"other": np.zeros(3, np.float32)}),
    "weights of another shape": lambda trap: save({"weight": np.zeros(3, np.float32), "bias": np.zeros(3, np.float32)}),
    "weights that are not numbers": lambda trap: save(
        {"weight": np.full((4, 12), np.nan, np.float32), "bias": np.zeros(4, np.float32)}
    ),
    **{lie: lambda trap, lie=lie: LIES[lie] for lie in LIES},
}


@pytest.mark.parametrize("kind", TENSORS)
def test_a_head_s_tensors_from_a_stranger_run_nothing_and_are_refused(
    tmp_path: Path, trap: Trap, sprung: Path, kind: str, points: Points
) -> None:
    folder = forged(tmp_path / "head", "ridge", "head.safetensors", TENSORS[kind](trap))
    assert str(folder) in bounded(lambda: read_head(folder), StoreError, ROOM)
    assert not sprung.exists()
    points.add("hostile files")


def of_many(folder: Path, target: str, form: dict[str, Any], tensors: dict[str, Any]) -> Path:
    """Return a head of labels or of numbers that a stranger changed, with a record that vouches for it."""
    data, wide = features(60), target == "multi-label"
    y = np.stack([data.y > 1, data.y % 2 == 0], 1).astype(np.int8 if wide else np.float64)
    rows = TrainingRows(data.X, y, 2, head_spec("ridge", (1.0,), target=target), target)
    files = head_files(fit_rows(rows, data.digests, ("a", "b"))[0], {})
    files["head.safetensors"] = save({**load(files["head.safetensors"]), **tensors})
    record = unsealed(files["head.json"])
    record["files"]["head.safetensors"] = hashlib.sha256(files["head.safetensors"]).hexdigest()
    record["form"] |= form
    folder.mkdir()
    for path, content in {**files, "head.json": sealed(record)}.items():
        (folder / path).write_bytes(content)
    return folder


def numbers(target: str, *shape: int, value: float = 0.0) -> np.ndarray:
    return np.full(shape, value, np.float32 if target == "multi-label" else np.float64)


@pytest.mark.parametrize("target", ["multi-label", "regression"])
@pytest.mark.parametrize(
    ("tensor", "shape", "value"),
    [
        ("weight", (2, 12), np.nan),
        ("weight", (2, 12), np.inf),
        ("weight", (3, 12), 0.0),
        ("weight", (2, 13), 0.0),
        ("weight", (24,), 0.0),
        ("bias", (3,), 0.0),
        ("bias", (2,), np.nan),
        ("bias", (2, 1), 0.0),
    ],
)
def test_weights_of_many_names_from_a_stranger_are_refused(
    tmp_path: Path, target: str, tensor: str, shape: tuple[int, ...], value: float, points: Points
) -> None:
    folder = of_many(tmp_path / "head", target, {}, {tensor: numbers(target, *shape, value=value)})
    assert str(folder) in bounded(lambda: read_head(folder), StoreError, ROOM)
    points.add("hostile files")


@pytest.mark.parametrize(
    "thresholds", [[0.5], [0.5] * 3, [0.5, None], [0.5, "0.5"], [0.5, [0.5]], 0.5, "ab", {"a": 0.5, "b": 0.5}, None]
)
def test_thresholds_from_a_stranger_are_refused(tmp_path: Path, thresholds: Any, points: Points) -> None:
    folder = of_many(tmp_path / "head", "multi-label", {"thresholds": thresholds}, {})
    assert "expected a number for each of 2 labels" in bounded(lambda: read_head(folder), StoreError, ROOM)
    points.add("hostile files")


def test_thresholds_of_a_distributions_reader_are_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: Points
) -> None:
    folder = of_many(tmp_path / "head", "multi-label", {}, {})
    monkeypatch.setattr(multi_label, "read_thresholds", lambda stored, classes: (0.5,) * 7)
    assert "expected a number for each of 2 labels" in bounded(lambda: read_head(folder), StoreError, ROOM)
    points.add("hostile files")


def archive(entries: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return buffer.getvalue()


def entries(estimator: Any = None) -> dict[str, bytes]:
    X, y = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32), np.arange(40) % 4
    data = skops.io.dumps(estimator or GaussianNB().fit(X, y))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def with_prior(node: dict[str, Any], **more: bytes) -> bytes:
    """Return a skops file of a sound classifier that holds a stranger's node as one of its attributes."""
    sound = entries()
    schema = json.loads(sound["schema.json"])
    schema["content"]["content"]["priors"] = {"__id__": 1, **node}
    return archive({**sound, **more, "schema.json": json.dumps(schema).encode()})


def node(loader: str, module: str, name: str, **more: Any) -> dict[str, Any]:
    return {"__loader__": loader, "__module__": module, "__class__": name, **more}


def text(value: str) -> dict[str, Any]:
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True, __id__=7)


def array(file: str, i: int) -> dict[str, Any]:
    return node("NdArrayNode", "numpy", "ndarray", type="numpy", file=file, __id__=i)


def list_of(items: list[dict[str, Any]], i: int = 2) -> dict[str, Any]:
    return node("ListNode", "builtins", "list", content=items, __id__=i)


def command(trap: Trap) -> bytes:
    """Call os.system as skops' own nodes would."""
    arguments = node("TupleNode", "builtins", "tuple", content=[text(trap.command)], __id__=3)
    return with_prior(node("ObjectNode", "posix", "system", __reduce__={"args": arguments}, content=text("")))


def partial(trap: Trap) -> bytes:
    function = node("FunctionNode", "posix", "system", content={"module_path": "posix", "function": "system"}, __id__=4)
    arguments = node("TupleNode", "builtins", "tuple", content=[text(trap.command)], __id__=3)
    empty = node("DictNode", "builtins", "dict", content={}, key_types=list_of([]), __id__=5)
    content = {"func": function, "args": arguments, "kwds": empty, "namespace": empty}
    return with_prior(node("PartialNode", "functools", "partial", content=content))


def sparse_bomb(trap: Trap) -> bytes:
    buffer = io.BytesIO()
    save_npz(buffer, csr_matrix(np.zeros((1 << 20, 1))))
    return with_prior(
        node("SparseMatrixNode", "scipy.sparse", "csr_matrix", type="scipy", file="a"), a=buffer.getvalue()
    )


def npz_bomb(trap: Trap) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, np.zeros(1 << 27, np.uint8))
    return with_prior(array("a", 1), a=buffer.getvalue())


def one_entry_many_times(trap: Trap) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(1 << 20))
    return with_prior(list_of([array("a", 10 + i) for i in range(200)]), a=buffer.getvalue())


def entries_over_each_other(trap: Trap) -> bytes:
    """Return an archive whose directory names one entry many times."""
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(1 << 20))
    names = [f"{i:04d}" for i in range(200)]
    file = with_prior(list_of([array(name, 10 + i) for i, name in enumerate(names)]), **{"0000": buffer.getvalue()})
    with zipfile.ZipFile(stream := io.BytesIO(file), "a") as opened:
        one = opened.getinfo("0000")
        for name in names[1:]:
            other = zipfile.ZipInfo(name)
            other.header_offset, other.CRC = one.header_offset, one.CRC
            other.file_size = other.compress_size = one.file_size
            opened.filelist.append(other)
        opened._didModify = True
    return stream.getvalue()


def a_lying_directory(trap: Trap) -> bytes:
    """Return an archive whose directory declares 2 GiB where there are bytes."""
    file = with_prior(array("a", 1), a=b"1234567")
    at = file.rindex(b"PK\x01\x02", 0, file.rindex(b"a"))
    sizes = (2**31 - 1).to_bytes(4, "little") * 2
    return file[: at + 20] + sizes + file[at + 28 :]


def lists_in_lists(trap: Trap) -> bytes:
    """Return arrays of objects that share their parts: two to the power of thirty in all."""
    inner = text("x")
    for i in range(30):
        inner = list_of([inner, {"__loader__": "CachedNode", "__id__": inner["__id__"]}], 100 + i)
    shape = node("TupleNode", "builtins", "tuple", content=[text("2"), text("2")], __id__=3)
    return with_prior(node("NdArrayNode", "numpy", "ndarray", type="json", content=[inner], shape=shape))


def lying_npy(trap: Trap) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)})
    return with_prior(array("a", 1), a=buffer.getvalue())


def deep(trap: Trap) -> bytes:
    return archive({**entries(), "schema.json": b'{"content":' * 200_000})


ESTIMATORS: dict[str, tuple[Callable[[Trap], bytes], str]] = {
    "a pickle": (old_pickle, "BadZipFile"),
    "a checkpoint with a pickle": (in_zip, "can't be read"),
    "an array of pickles": (lambda trap: with_prior(array("a", 1), a=pickled_array(trap)), "allow_pickle=False"),
    "a command": (command, "posix.system"),
    "a command in a partial": (partial, "posix.system"),
    "a type that nobody trusts": (lambda trap: with_prior(node("TypeNode", "subprocess", "Popen")), "subprocess.Popen"),
    "a bomb": (lambda trap: archive(entries() | {"a": bytes(1 << 28)}, zipfile.ZIP_DEFLATED), "compressed"),
    "a bomb in a sparse matrix": (sparse_bomb, "itself an archive"),
    "a bomb in an array": (npz_bomb, "itself an archive"),
    "one entry read many times": (one_entry_many_times, "several objects"),
    "entries that lie over each other": (entries_over_each_other, "or overlap"),
    "a directory that lies": (a_lying_directory, "larger than the file"),
    "lists in lists in lists": (lists_in_lists, "array of objects"),
    "an array of 8 TiB": (lying_npy, "can't be read"),
    "deep nesting": (deep, "can't be read"),
    "a path that climbs": (lambda trap: with_prior(array("../../secret", 1)), "no item named"),
    "an absolute path": (lambda trap: with_prior(array("/etc/hostname", 1)), "no item named"),
    "an entry whose name climbs": (lambda trap: with_prior(array("../a", 1), **{"../a": b"x"}), "can't be read"),
    "no schema": (lambda trap: archive({"a": b""}), "schema.json"),
    "no estimator": (lambda trap: skops.io.dumps(np.zeros(3)), "damaged"),
    "no classifier": (lambda trap: skops.io.dumps(LinearRegression()), "no classifier"),
    "other classes": (lambda trap: skops.io.dumps(_fitted_on_others()), "differ from those of its record"),
    "a directory alone": (lambda trap: archive({}), "schema.json"),
    "an empty file": (lambda trap: b"", "BadZipFile"),
}


def _fitted_on_others() -> GaussianNB:
    return GaussianNB().fit(np.random.default_rng(0).normal(size=(40, 12)), np.arange(40) % 4 + 90)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_estimator_from_a_stranger_runs_nothing_and_is_refused(
    tmp_path: Path, trap: Trap, sprung: Path, kind: str, points: Points
) -> None:
    make, why = ESTIMATORS[kind]
    (tmp_path / "secret").write_bytes(b"secret")
    before = {path.name for path in tmp_path.parent.iterdir()}
    folder = forged(tmp_path / "head", "sklearn.naive_bayes:GaussianNB", "head.skops", make(trap))
    said = bounded(lambda: read_head(folder), StoreError, ROOM)
    assert str(folder) in said and why in said
    assert not sprung.exists() and {path.name for path in tmp_path.parent.iterdir()} == before
    points.add("hostile files")


def test_what_would_be_refused_when_it_is_read_is_not_stored() -> None:
    estimator = GaussianNB().fit(np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2)
    for odd in (csr_matrix(np.eye(3)), np.array([["a", None], [1, 2]], object)):
        estimator.priors = odd
        with pytest.raises(ConfigError, match="can't be stored safely"):
            EstimatorHead(estimator, ("a", "b"), 2).to_bytes()


def test_a_sound_estimator_with_a_shared_array_is_stored_and_read(tmp_path: Path) -> None:
    estimator = GaussianNB().fit(np.random.default_rng(0).normal(size=(40, 12)), np.arange(40) % 4)
    estimator.priors = estimator.theta_
    folder = forged(
        tmp_path / "head",
        "sklearn.naive_bayes:GaussianNB",
        "head.skops",
        EstimatorHead(estimator, tuple("abcd"), 12).to_bytes(),
    )
    assert read_head(folder)[0].width == 12


MEMORIES: dict[str, Callable[[Trap], bytes]] = {
    "a pickle": old_pickle,
    "an array of pickles": pickled_array,
    "deep nesting": lambda trap: b"[" * 200_000,
    "a list": lambda trap: b"[1, 2]",
    "nothing": lambda trap: b"",
    "no text": lambda trap: b"\xff\xfe\0",
    "a number of a million digits": lambda trap: b'{"parameters": ' + b"1" * 10**6 + b"}",
    "sealed, and another thing": lambda trap: sealed({"unit": [], "points": {"a": 1}}),
    "sealed, and a text for a number": lambda trap: sealed({"parameters": "many", "unit": "shots", "points": "none"}),
    "sealed, and empty": lambda trap: sealed({}),
    "sealed, and long": lambda trap: sealed({"parameters": [0] * 100_000, "points": [{}] * 100_000}),
}


@pytest.mark.parametrize("kind", MEMORIES)
def test_what_a_bench_remembers_from_a_stranger_runs_nothing_and_is_taken_for_missing(
    benched: Any, trap: Trap, sprung: Path, kind: str, points: Points
) -> None:
    data = MEMORIES[kind](trap)
    remembered = [name for name in benched.contents() if name.split("/")[1] in ("curves", "parameters")]
    assert len(remembered) == 2
    wanted = benched.contents()
    for name in remembered:
        (benched.root / name).write_bytes(data)
        assert "sealed" in kind or [name in line for line in verify(benched.root)[1]] == [True]
        benched.run(Layer(benched.root))
        assert benched.contents() == wanted
        points.add("hostile files")
    assert not sprung.exists()


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = job("bench", tmp_path_factory.mktemp("bench"))
    made.run(Layer(made.root))
    return made


def test_a_trap_would_be_sprung_by_a_pickle_that_is_loaded(trap: Trap, sprung: Path) -> None:
    pickle.loads(old_pickle(trap))
    assert sprung.exists()
