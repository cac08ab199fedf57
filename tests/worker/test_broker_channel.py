from __future__ import annotations

import pytest
from kombu import Connection
from redis.exceptions import ConnectionError as BrokerConnectionError

from worker import broker_channel


def test_a_channel_whose_connection_is_gone_says_so(broker_url: str) -> None:
    broker_channel.install()
    with Connection(broker_url) as connection:
        connection.connect()
        channel = connection.channel()
        channel.connection.client = None
        channel._pool = None
        with pytest.raises(BrokerConnectionError):
            channel.qos.ack("a message of before")
        assert BrokerConnectionError in connection.connection_errors
