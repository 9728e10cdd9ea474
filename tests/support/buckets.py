"""A local S3-compatible server, a host that gives parts of files, and what breaks them."""

from __future__ import annotations

import io
import logging
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

ENVIRONMENT = {
    "AWS_ALLOW_HTTP": "true",
    "AWS_ACCESS_KEY_ID": "of-the-tests",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests",
    "AWS_REGION": "us-east-1",
}


class Bucket:
    """A bucket on the server."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self.name = client, name

    def put(self, key: str, data: bytes) -> str:
        """Store an object; return its address."""
        self._client.put_object(Bucket=self.name, Key=key, Body=data)
        return f"s3://{self.name}/{key}"

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of the objects below a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return bytes(self._client.get_object(Bucket=self.name, Key=key)["Body"].read())

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=key)

    def upload(self, folder: Path, prefix: str = "") -> str:
        """Store the files of a folder, below a prefix; return that as an address."""
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.put(prefix + file.relative_to(folder).as_posix(), file.read_bytes())
        return f"s3://{self.name}/{prefix}"


@contextmanager
def s3_server(port: int = 0) -> Iterator[str]:
    """Start a server; yield its endpoint."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
    with redirect_stdout(io.StringIO()):
        server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def bucket_at(endpoint: str, name: str) -> Bucket:
    """Make a bucket on a server."""
    import boto3

    how = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=endpoint, **how)
    client.create_bucket(Bucket=name)
    return Bucket(client, name)


def tar_of(folder: Path, start: str = "") -> bytes:
    """Return a tar file of a folder's files, in the order of their names."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            tar.add(file, start + file.relative_to(folder).as_posix())
    return data.getvalue()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_of: object) -> None:
        """Say nothing of clients that went away."""


class Site:
    """A host of files. ``requests``: the lines of what it was asked. ``status``: answered instead, if it is set."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.requests, self.status = files, list[str](), 0
        self.ranges, self.etag = True, '"1"'
        self.server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def top(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.answer(self, body=True)

            def do_HEAD(self) -> None:
                site.answer(self, body=False)

            def log_message(self, *_said: object) -> None:
                """Say nothing."""

        return Handler

    def answer(self, handler: BaseHTTPRequestHandler, body: bool) -> None:
        self.requests.append(handler.requestline)
        data = self.files.get(handler.path.partition("?")[0])
        asked = handler.headers.get("Range") if self.ranges else None
        if self.status or data is None:
            handler.send_response(self.status or 404)
            data = b""
        elif asked:
            first, last = map(int, asked.removeprefix("bytes=").split("-"))
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            data = data[first : last + 1]
        else:
            handler.send_response(200)
        handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data if body else b"")


@contextmanager
def site_of(files: dict[str, bytes]) -> Iterator[Site]:
    """Start a host of files, by their paths from ``/`` on."""
    site = Site(files)
    Thread(target=site.server.serve_forever, daemon=True).start()
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()
