from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lookalike.errors import InvalidInput
from worker import outbound
from worker.outbound import (
    AnswerTooLarge,
    AnswerTooSlow,
    ForbiddenAddress,
    Outbound,
    OutboundFailed,
    is_public,
)

Talk = Callable[[socket.socket], None]
INSIDE = Outbound(allow_private=True)


@contextmanager
def talking(talk: Talk) -> Iterator[tuple[str, list[bytes]]]:
    """A server on this machine that says what it is told to; gives its address and what it was asked."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(65536))
                try:
                    talk(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
    finally:
        # Closing alone does not wake who waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def saying(text: str, body: bytes = b"") -> Talk:
    head = f"HTTP/1.1 {text}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + body)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::1",
    ],
)
def test_an_address_of_the_inside_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1"])
def test_this_machine_is_refused_however_it_is_spelt(host: str) -> None:
    with talking(saying("200 OK")) as (url, heard):
        port = url.rpartition(":")[2]
        with pytest.raises((ForbiddenAddress, OutboundFailed)):
            Outbound().get(f"http://{host}:{port}/", max_bytes=100, seconds=5)
        assert heard == []


def test_a_redirect_to_the_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        talking(saying("200 OK", b"secret")) as (inner, heard),
        talking(saying(f"302 Found\r\nLocation: {inner}/")) as (outer, _),
    ):
        # As if the first address were one of the internet, and the second not.
        first = ipaddress.ip_address("127.0.0.1")
        seen: list[object] = []
        monkeypatch.setattr(
            outbound, "is_public", lambda each: not seen and (seen.append(each), each == first)[1]
        )
        with pytest.raises(ForbiddenAddress):
            Outbound().get(outer, max_bytes=100, seconds=5)
        assert heard == []


def test_a_name_is_resolved_once_and_connected_to_as_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with talking(saying("200 OK", b"public")) as (url, heard):
        port = int(url.rpartition(":")[2])
        resolved: list[str] = []
        resolve = socket.getaddrinfo

        def rebinding(host: str, *arguments: object, **options: object) -> object:
            resolved.append(host)
            name = "127.0.0.1" if host == "rebind.test" and resolved.count(host) == 1 else host
            return resolve(name, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        answer = INSIDE.get(f"http://rebind.test:{port}/", max_bytes=100, seconds=5)
        assert answer.body == b"public"
        assert resolved.count("rebind.test") == 1
        assert f"Host: rebind.test:{port}".encode() in heard[0]


def test_redirects_are_followed_but_not_for_ever() -> None:
    hops: list[Talk] = [saying("301 Moved\r\nLocation: /two"), saying("200 OK", b"here")]
    with talking(lambda connection: hops.pop(0)(connection)) as (url, heard):
        answer = INSIDE.get(f"{url}/one", max_bytes=100, seconds=5)
        assert (answer.body, answer.url) == (b"here", f"{url}/two")
        assert heard[1].startswith(b"GET /two ")
    with talking(saying("302 Found\r\nLocation: /again")) as (url, _), pytest.raises(OutboundFailed):
        INSIDE.get(url, max_bytes=100, seconds=5)


def test_an_answer_that_is_too_large_is_cut_off() -> None:
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with talking(flood) as (url, _), pytest.raises(AnswerTooLarge):
        INSIDE.get(url, max_bytes=200_000, seconds=30)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_answer_that_drips_is_given_up(start: bytes) -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(start)
        while not over.wait(0.05):
            connection.sendall(b"x")

    with talking(drip) as (url, _):
        before = time.monotonic()
        with pytest.raises(AnswerTooSlow):
            INSIDE.get(url, max_bytes=1000, seconds=0.4)
        over.set()
        assert time.monotonic() - before < 10


def test_what_is_sent_arrives() -> None:
    with talking(saying("204 No Content")) as (url, heard):
        answer = INSIDE.request(
            "POST", f"{url}/hook?a=b c", max_bytes=10, seconds=5, headers={"X-Own": "1"}, content=b"{}"
        )
        assert answer.status == 204
        assert heard[0].startswith(b"POST /hook?a=b%20c HTTP/1.1")
        assert b"X-Own: 1" in heard[0]


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.com/a", "gopher://x", "http://", "http://a:b@example.com", "x", ""],
)
def test_only_plain_web_addresses_are_taken(url: str) -> None:
    with pytest.raises(InvalidInput):
        Outbound().get(url, max_bytes=100, seconds=5)
