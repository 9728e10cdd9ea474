"""A local bucket behind a proxy that holds back what goes each way: ``python slow_bucket.py SECONDS`` starts both."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PIECE = 1 << 18


@contextmanager
def slow_bucket(latency: float) -> Iterator[tuple[str, str]]:
    """Start a server and its proxy in another process; yield their endpoints."""
    command = [sys.executable, str(Path(__file__)), str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            said = next(line for line in process.stdout if line.startswith("http"))
            direct, slow = said.split()
            yield direct, slow
        finally:
            process.kill()


def serve(latency: float) -> None:
    """Serve until killed."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    asyncio.run(_proxy(port, latency))


async def _proxy(port: int, latency: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_late(reader, there[1], latency), _late(there[0], writer, latency))

    proxy = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{port} http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}", flush=True)
    await proxy.serve_forever()


async def _late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float) -> None:
    """Pass on what comes, each piece so many seconds later."""
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    clock = asyncio.get_running_loop().time

    async def write() -> None:
        while True:
            due, data = await pieces.get()
            await asyncio.sleep(max(0.0, due - clock()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    task = asyncio.create_task(write())
    with suppress(OSError):
        while data := await reader.read(_PIECE):
            pieces.put_nowait((clock() + latency, data))
    pieces.put_nowait((clock() + latency, b""))
    with suppress(OSError):
        await task


if __name__ == "__main__":
    serve(float(sys.argv[1]))
