"""Requests to addresses that users name: web pages, images, webhooks. Nothing on the inside is reached.

A name is resolved once, every address it has must be public, and the connection goes to an address that was
checked: a name that points elsewhere a moment later (DNS rebinding) gains nothing. Redirects are followed
here, one checked request after another. An answer has a limit in bytes and the whole exchange one in seconds,
however slowly it drips.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import certifi
import httpcore

from lookalike.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

USER_AGENT = "Lookalike"
MOST_REDIRECTS = 5
# Silence for so long ends the exchange, even if its time is not over.
MOST_SILENT_SECONDS = 10.0
DEFAULT_PORTS = {"http": 80, "https": 443}
# IPv4 addresses in the clothes of IPv6: what counts is where they lead.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddress(InvalidInput):
    """The address is private, local or reserved: requests go to public addresses only."""

    code = "forbidden_address"


class OutboundFailed(InvalidInput):
    """The other side could not be reached, or its answer could not be read."""

    code = "outbound_failed"


class AnswerTooLarge(OutboundFailed):
    """The answer has more bytes than are taken."""

    code = "answer_too_large"


class AnswerTooSlow(OutboundFailed):
    """The answer took more time than is given."""

    code = "answer_too_slow"


@dataclass(frozen=True)
class Answer:
    """What came back; `url` is where it came from, after redirects. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    url: str

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Outbound:
    """Makes requests; `allow_private` lets them reach this machine and its network (a setting)."""

    def __init__(self, *, allow_private: bool = False) -> None:
        self._allow_private = allow_private

    def get(self, url: str, *, max_bytes: int, seconds: float) -> Answer:
        """Get a URL, following redirects. Raises as request does."""
        deadline = time.monotonic() + seconds
        for _ in range(MOST_REDIRECTS + 1):
            answer = self.request("GET", url, max_bytes=max_bytes, seconds=deadline - time.monotonic())
            location = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or not location:
                return answer
            url = urljoin(url, location)
        raise OutboundFailed(f"There are more than {MOST_REDIRECTS} redirects, the last to {url!r}.")

    def request(
        self,
        method: str,
        url: str,
        *,
        max_bytes: int,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        silent_seconds: float = MOST_SILENT_SECONDS,
        keeps_body: bool = True,
    ) -> Answer:
        """Make one request and return its answer, whatever its status; redirects are not followed.

        Silence of `silent_seconds` ends it early. Without `keeps_body` only status and headers are read.
        Raises ForbiddenAddress, AnswerTooLarge, AnswerTooSlow, or OutboundFailed if there is no answer.
        """
        checked = checked_url(url)
        deadline = time.monotonic() + seconds
        backend = _CheckedBackend(self._allow_private, deadline)
        # Compressed answers could grow without end.
        sent = {"Host": _host_of(checked), "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        sent |= dict(headers or {}) | ({"Content-Length": str(len(content))} if content else {})
        timeout = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), silent_seconds)}
        try:
            with (
                httpcore.ConnectionPool(ssl_context=_ssl_context(), network_backend=backend) as pool,
                pool.stream(
                    method, _target(checked), headers=list(sent.items()), content=content, extensions=timeout
                ) as response,
            ):
                body = _read(response.iter_stream(), max_bytes) if keeps_body else b""
                given = {name.decode("latin-1").lower(): _text(value) for name, value in response.headers}
                return Answer(response.status, given, body, url)
        except httpcore.TimeoutException:
            raise AnswerTooSlow(f"{_host_of(checked)} did not answer in time.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as error:
            told = str(error) or type(error).__name__
            raise OutboundFailed(f"{_host_of(checked)} could not be asked: {told}.") from None

    def check(self, url: str) -> None:
        """Raise what request would raise before it connects: for addresses that are to be used later."""
        checked = checked_url(url)
        addresses(str(checked.hostname), _port_of(checked), allow_private=self._allow_private)


def checked_url(url: str) -> SplitResult:
    """Return the parts of an http or https URL with a host. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput(f"{url!r} is not a URL.") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or port == 0:
        raise InvalidInput(f"{url!r} is not an http or https URL with a host.")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("A URL here has no name and password in it.")
    return parts


def addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Resolve a host and return its addresses. Raises ForbiddenAddress if any is not public."""
    try:
        # The longest time that this may take is the resolver's own.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutboundFailed(f"There is no host {host!r}.") from None
    result = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    for address in result:
        # All of them: which one is taken must not decide.
        if not allow_private and not is_public(ipaddress.ip_address(address)):
            raise ForbiddenAddress(f"{host!r} is {address}: requests go to public addresses only.")
    return result


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the open internet, and not of a network of its own."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to addresses that were checked, until a deadline."""

    def __init__(self, allow_private: bool, deadline: float) -> None:
        self._allow_private, self._deadline = allow_private, deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that answers."""
        failure: Exception | None = None
        for address in addresses(host, port, allow_private=self._allow_private):
            try:
                stream = self._backend.connect_tcp(
                    address, port, _left(self._deadline, timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failure or httpcore.ConnectError(f"no address of {host}")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Never: a socket is on the inside."""
        raise ForbiddenAddress


class _TimedStream(httpcore.NetworkStream):
    """A stream that ends at a deadline: what drips a byte at a time is never silent."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        # The certificate is that of the name, wherever the connection goes.
        secured = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline, timeout))
        return _TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return min(left, MOST_SILENT_SECONDS if timeout is None else timeout)


def _read(pieces: Iterable[bytes], max_bytes: int) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > max_bytes:
            raise AnswerTooLarge(f"The answer has more than {max_bytes:,} bytes.")
    return bytes(body)


@cache
def _ssl_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _port_of(parts: SplitResult) -> int:
    return int(parts.port or DEFAULT_PORTS[parts.scheme])


def _host_of(parts: SplitResult) -> str:
    host = _name_of(parts)
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{parts.port}"


def _target(parts: SplitResult) -> httpcore.URL:
    path = _quoted(parts.path or "/") + (f"?{_quoted(parts.query)}" if parts.query else "")
    return httpcore.URL(
        scheme=parts.scheme.encode(),
        host=_name_of(parts).encode(),
        port=_port_of(parts),
        target=path.encode(),
    )


def _name_of(parts: SplitResult) -> str:
    name = parts.hostname or ""
    return name if name.isascii() else name.encode("idna").decode()


def _quoted(text: str) -> str:
    """Percent-encode what may not stand in a request line; what is encoded already stays."""
    return quote(text, safe="%/:?#[]@!$&'()*+,;=-._~")
