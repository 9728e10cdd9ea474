"""The address of a Ray cluster is looked at before anything is read: in seconds, and without Ray."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.engines.on_ray import cells, connect
from frostline.pipeline.engines.on_ray.connect import check_address
from frostline.pipeline.engines.on_ray.crew import Crew
from frostline.pipeline.engines.on_ray.engine import RayEngine, _Filling
from frostline.stages.errors import ConfigError

pytest.importorskip("ray", reason="no ray; pip install -e '.[test]'")


@pytest.fixture
def dead() -> str:
    """An address at which nothing answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"127.0.0.1:{port}"


def test_an_address_where_nothing_answers_ends_a_command_before_anything_is_read(
    dead: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["extract"], ["extract", "--dry-run"], ["run"], ["rank"]):
        assert main([*arguments, "--engine", f"ray:{dead}", "--dataset", "folder:not there"]) == 2
        assert f"no Ray cluster at {dead} ([Errno 111] Connection refused); start one with" in capsys.readouterr().err
    assert not work.exists()


def test_ray_address_is_looked_at_where_none_is_given(dead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", dead)
    with pytest.raises(ConfigError, match=f"no Ray cluster at {dead}"):
        check_address("")
    check_address("auto")


def test_an_address_where_something_answers_is_left_to_ray() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        for form in ("127.0.0.1:{}", "localhost:{}", "ray://127.0.0.1:{}"):
            check_address(form.format(server.getsockname()[1]))


@pytest.mark.parametrize("wrong", ["head", "head:", "head:port", "head:70000", "http://head:1", "a b:1"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="expected HOST:PORT, such as --engine ray:"):
        check_address(wrong)


def test_a_cluster_that_answers_but_refuses_is_said_to_want_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(**_how: object) -> None:
        raise ConnectionError("Failed to connect to Ray cluster at 10.0.0.1:6379")  # all that Ray 2.60 tells

    monkeypatch.setattr("ray.init", refuses)
    with pytest.raises(ConfigError, match=r"authentication is the usual reason: .*auth_token.*RAY_AUTH_MODE=token"):
        connect.connect("10.0.0.1:6379")
    with pytest.raises(ConfigError, match=r"no Ray cluster at auto \(Failed to connect"):
        connect.connect("auto")


def test_another_address_gets_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[str] = []
    there = {"connected": False}

    def connects(address: str) -> bool:
        joined.append(address)
        was, there["connected"] = there["connected"], True
        return not was

    monkeypatch.setattr("frostline.pipeline.engines.on_ray.engine.connect", connects)
    monkeypatch.setattr("ray.is_initialized", lambda: there["connected"])
    monkeypatch.setattr("ray.shutdown", lambda: there.update(connected=False) or joined.append("left"))
    engine = RayEngine()
    for address in ("a:1", "a:1", "b:1"):
        with engine._connection(address):
            assert there["connected"] and engine._joined == address
    assert joined == ["a:1", "a:1", "left", "b:1"]
    engine._end()


def test_a_connection_of_the_user_to_another_cluster_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        gcs_address = "10.0.0.1:6379"

    monkeypatch.setattr("ray.is_initialized", lambda: True)
    monkeypatch.setattr("ray.get_runtime_context", Context)
    assert not connect.connect("") and not connect.connect("auto") and not connect.connect("10.0.0.1:6379")
    with pytest.raises(ConfigError, match=r"connected to the Ray cluster at 10.0.0.1:6379, not 10.0.0.2:6379"):
        connect.connect("10.0.0.2:6379")


def test_what_a_busy_cluster_is_waited_for_is_said_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    filling = _Filling(Crew(gpu=False), None, None)  # type: ignore[arg-type]
    worked, said = 0.0, []
    for now in range(0, 200, 2):
        caplog.clear()
        worked = filling._impatient(worked, float(now))
        said += [now] if "waiting for the Ray cluster" in caplog.text else []
    assert said == [10, 70, 130, 190]


def test_heads_that_wait_for_a_busy_cluster_are_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "_PATIENCE", 0.0)
    with caplog.at_level(logging.WARNING, "frostline"):
        cells._impatient(time.monotonic() - 1, 3)
    assert "waiting for the Ray cluster: 3 heads being fitted" in caplog.text
