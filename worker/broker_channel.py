"""A channel to the broker that says so when its connection is gone.

Kombu closes a channel of a dead connection by giving its messages back, and a task that ends later
acknowledges its message on it. Both find no connection any more and fail with AttributeError (kombu 5.7,
transport/redis.py, Channel._connparams), which nobody expects: the worker ends. So it is told as what it is.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import redis as transport
from redis.exceptions import ConnectionError as BrokerConnectionError


class Channel(transport.Channel):
    """Kombu's channel, with the error that its callers expect."""

    def _connparams(self, *arguments: Any, **options: Any) -> Any:
        if self.connection.client is None:
            raise BrokerConnectionError("The connection to the broker is closed.")
        return super()._connparams(*arguments, **options)  # type: ignore[no-untyped-call]


def install() -> None:
    """Have all connections to brokers use it."""
    transport.Transport.Channel = Channel
