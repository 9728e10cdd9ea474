"""Fixtures of buckets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from support.buckets import ENVIRONMENT, Bucket, bucket_at, s3_server

_count = itertools.count()


def skip_without_server() -> None:
    for name in ("obstore", "moto", "flask_cors", "boto3"):
        pytest.importorskip(name, reason=f"no {name}; pip install -e '.[test]'")


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The address of a local S3-compatible server."""
    skip_without_server()
    with s3_server() as url:
        yield url


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, which the environment leads to."""
    for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    return bucket_at(endpoint, f"bucket-{next(_count)}")
