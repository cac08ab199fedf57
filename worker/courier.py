"""Sending deliveries: a thread in each worker's main process looks once a second what is due.

Each is sent by a thread of its own, of which there are few, one for each receiver at most; so one that hangs
holds up neither the work on images nor the other receivers. What a worker had in hand when it died is sent
again by another when its lease is over.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import structlog
from standardwebhooks import Webhook as Signer

from lookalike.errors import LookalikeError
from storage import deliveries
from storage.db import Database, OperationalError
from storage.deliveries import Attempt, Claimed, message_id_of
from worker.outbound import Answer, Outbound, OutboundFailed

LOOK_SECONDS = 1.0
MOST_AT_ONCE = 8
# As the specification recommends: time enough for a receiver to take it, and an end to one that hangs.
ATTEMPT_SECONDS = 20.0

log = structlog.get_logger()


class Courier:
    """Sends what is due; `clock` gives epoch seconds in place of the database's, for tests."""

    def __init__(
        self,
        database: Database,
        outbound: Outbound,
        *,
        allow_http: bool = False,
        clock: Callable[[], float] | None = None,
        chance: Callable[[], float] = random.random,
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self._database, self._outbound = database, outbound
        self._allow_http, self._clock, self._chance = allow_http, clock, chance
        self._attempt_seconds = attempt_seconds
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._over, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep_looking, name="courier", daemon=True)

    def start(self) -> None:
        """Begin to look, at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; what is on its way is sent again by another if we do not hear how it ended."""
        self._over.set()
        self._wake.set()

    def look(self) -> int:
        """Send what is due now, each in a thread of its own; return how many were begun."""
        count = 0
        with self._database.reading() as session:
            found = deliveries.due(session, MOST_AT_ONCE, self._now())
        for delivery_id in found:
            if not self._places.acquire(blocking=False):
                break
            claimed = self._claimed(delivery_id)
            if claimed is None:
                self._places.release()
                continue
            count += 1
            threading.Thread(target=self._send, args=(claimed,), name="delivery", daemon=True).start()
        return count

    def send_one(self) -> str | None:
        """Send one delivery that is due and return its state then; None if nothing is due."""
        with self._database.reading() as session:
            found = deliveries.due(session, 1, self._now())
        claimed = self._claimed(found[0]) if found else None
        return self._sent(claimed) if claimed else None

    def _keep_looking(self) -> None:
        while not self._over.is_set():
            self._wake.clear()
            try:
                self.look()
            except (LookalikeError, OperationalError, OSError) as error:
                log.warning("courier.failed", error=repr(error))
            self._wake.wait(LOOK_SECONDS)

    def _claimed(self, delivery_id: int) -> Claimed | None:
        with self._database.transaction() as session:
            return deliveries.claim(session, delivery_id, self._now())

    def _send(self, claimed: Claimed) -> None:
        try:
            self._sent(claimed)
        except Exception as error:  # the database may be away: the lease ends, and it is sent again
            log.warning("delivery.broken_off", delivery_id=claimed.delivery_id, error=repr(error))
        finally:
            self._places.release()
            # The next for this receiver need not wait for a second.
            self._wake.set()

    def _sent(self, claimed: Claimed) -> str | None:
        attempt = self._attempted(claimed)
        with self._database.transaction() as session:
            state = deliveries.finish(session, claimed, attempt, self._chance(), self._now())
        log.info(
            "delivery.attempted",
            delivery_id=claimed.delivery_id,
            webhook_id=str(claimed.webhook_id),
            status=attempt.status,
            error=attempt.error,
            milliseconds=attempt.milliseconds,
            state=state,
        )
        return state

    def _attempted(self, claimed: Claimed) -> Attempt:
        at, started = datetime.fromtimestamp(claimed.now, UTC), time.perf_counter()
        status, error, patience = None, None, None
        try:
            answer = self._answer(claimed, at)
        except LookalikeError as failure:
            error = failure.detail
        else:
            status, patience = answer.status, _retry_after(answer, at)
        return Attempt(at, status, error, round((time.perf_counter() - started) * 1000), patience)

    def _answer(self, claimed: Claimed, at: datetime) -> Answer:
        if not self._allow_http and not claimed.url.startswith("https:"):
            raise OutboundFailed("Nothing is sent in the clear: the address must begin with https.")
        return self._outbound.request(
            "POST",
            claimed.url,
            max_bytes=0,
            seconds=self._attempt_seconds,
            silent_seconds=self._attempt_seconds,
            keeps_body=False,
            headers=headers(claimed, at),
            content=claimed.payload.encode(),
        )

    def _now(self) -> float | None:
        return self._clock() if self._clock else None


def headers(claimed: Claimed, at: datetime) -> dict[str, str]:
    """Return the headers of the specification: the notice's id, the attempt's time, a signature a secret."""
    message_id = message_id_of(claimed.key)
    signatures = [Signer(secret).sign(message_id, at, claimed.payload) for secret in claimed.secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _retry_after(answer: Answer, at: datetime) -> float | None:
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - at).total_seconds())
    except (ValueError, TypeError):
        return None
