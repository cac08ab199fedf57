"""The API behind uvicorn, in this process."""

from __future__ import annotations

import ipaddress
import signal
import socket
import sys
from typing import TYPE_CHECKING

from lookalike.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from cli.wiring import Parts
    from storage.settings import Settings

# How long open event streams may take to end once the server is told to stop.
GRACE_SECONDS = 3
BACKLOG = 2048
UNGUARDED = (
    "On {host} other machines could reach this server, and it has no accounts: they may read and delete all "
    "that is in it. Set LOOKALIKE_AUTH=clients and make a client with `lookalike clients add NAME`; or, if "
    "that is what you want, say --open-to-everybody (LOOKALIKE_OPEN_TO_EVERYBODY=yes)."
)


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
        forwarded_allow_ips=parts.settings.trusted_proxies,
    )
    # Once it has stopped, uvicorn raises the signal anew for whoever had it before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    uvicorn.Server(config).run(sockets=[listener])


def _leave(number: int, frame: object) -> None:
    sys.exit(0)


def listening(host: str, port: int, settings: Settings, *, is_open: bool = False) -> socket.socket:
    """Take the address before anything else starts; raise Unavailable that says who has it.

    Raises InvalidInput where others could reach a server that asks nobody who they are.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sends without delay only where it is: else the body of an answer
    # waits, on connections that are kept, until the client's kernel acknowledges the head, 40 ms later.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        if settings.auth == "open" and not (is_open or settings.open_to_everybody):
            _check_loopback(host, listener)
        listener.listen(BACKLOG)
    except InvalidInput:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise Unavailable(
            f"Cannot listen on {host}:{port}: {reason}. Choose another --host or --port."
        ) from None
    return listener


def _check_loopback(host: str, listener: socket.socket) -> None:
    # Of the socket, not of the name that was given: a name means what the machine's resolver says.
    address = ipaddress.ip_address(listener.getsockname()[0].partition("%")[0])
    if not (getattr(address, "ipv4_mapped", None) or address).is_loopback:
        raise InvalidInput(UNGUARDED.format(host=host))


def url_of(listener: socket.socket) -> str:
    """Return the address for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
