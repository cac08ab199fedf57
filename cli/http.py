"""The API behind uvicorn, in this process."""

from __future__ import annotations

import signal
import socket
import sys
from typing import TYPE_CHECKING

from lookalike.errors import Unavailable

if TYPE_CHECKING:
    from cli.wiring import Parts

# How long open event streams may take to end once the server is told to stop.
GRACE_SECONDS = 3
BACKLOG = 2048


def run(parts: Parts, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, then leave by SystemExit, so that what else runs is stopped too."""
    import uvicorn

    from api.app import create_app

    config = uvicorn.Config(
        create_app(parts.settings, parts.database, parts.blobs, parts.dispatcher),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    # Once it has stopped, uvicorn raises the signal anew for whoever had it before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    uvicorn.Server(config).run(sockets=[listener])


def _leave(number: int, frame: object) -> None:
    sys.exit(0)


def listening(host: str, port: int) -> socket.socket:
    """Take the address before anything else starts; raise Unavailable that says who has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise Unavailable(
            f"Cannot listen on {host}:{port}: {reason}. Choose another --host or --port."
        ) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
