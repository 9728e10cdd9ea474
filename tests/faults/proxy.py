"""A proxy in front of a server of buckets: any one request through it can go wrong on its way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAYS = ("refused three times", "lost on its way", "its reply lost", "sent twice", "its reply cut off")
_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}
Answer = tuple[int, list[tuple[str, str]], bytes]


class Proxy(ThreadingHTTPServer):
    """``way``: what goes wrong with request ``at``, by its number; ``asked``: how many requests came."""

    daemon_threads = True

    def __init__(self, endpoint: str) -> None:
        self.there = endpoint.removeprefix("http://")
        self.at, self.way, self.asked, self.left = -1, "", 0, 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def disturb(self, at: int, way: str) -> None:
        """Count from 0 again; let a request go wrong in this way."""
        self.at, self.way, self.asked, self.left = at, way, 0, 3

    def way_of_next(self) -> str:
        with self.lock:
            n, self.asked = self.asked, self.asked + 1
            if self.way == "refused three times" and n >= self.at >= 0 and self.left:
                self.left -= 1
                return self.way
            return self.way if n == self.at else ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        way = self.server.way_of_next()
        if way == "refused three times":
            self._answer((503, [], b"<Error><Code>SlowDown</Code></Error>"))
        elif way == "lost on its way":
            self._hang_up()
        else:
            answer = self._asked(body)
            if way == "sent twice":
                answer = self._asked(body)
            if way == "its reply lost":
                self._hang_up()
            else:
                self._answer(answer, half=way == "its reply cut off")

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _do

    def _asked(self, body: bytes) -> Answer:
        there = HTTPConnection(self.server.there)
        there.request(self.command, self.path, body, dict(self.headers))
        answer = there.getresponse()
        found = answer.status, answer.getheaders(), answer.read()
        there.close()
        return found

    def _answer(self, answer: Answer, half: bool = False) -> None:
        status, headers, data = answer
        self.send_response_only(status)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", lengths[0] if lengths and self.command == "HEAD" else str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if half else data)
        if half:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, *_said: object) -> None:
        """Say nothing."""


@contextmanager
def proxy_of(endpoint: str) -> Iterator[Proxy]:
    """Start a proxy of a server."""
    proxy = Proxy(endpoint)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
