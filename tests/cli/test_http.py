from __future__ import annotations

import asyncio
import socket

from cli.http import listening
from storage.settings import Settings


def test_answers_are_sent_without_delay(settings: Settings) -> None:
    assert asyncio.run(_sends_without_delay(listening("127.0.0.1", 0, settings)))


async def _sends_without_delay(listener: socket.socket) -> bool:
    """Accept a connection as uvicorn does; tell whether the kernel sends at once what is written to it."""
    told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(accepted, sock=listener):
        _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        without_delay = await told
        writer.close()
        await writer.wait_closed()
    return bool(without_delay)
