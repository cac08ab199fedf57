"""Which addresses notices may be sent to: https and public, unless the settings allow others."""

from __future__ import annotations

from lookalike.errors import InvalidInput
from storage.settings import Settings
from worker.outbound import ForbiddenAddress, Outbound, OutboundFailed, checked_url


def outbound_of(settings: Settings) -> Outbound:
    """Return what makes requests to receivers."""
    return Outbound(allow_private=settings.allow_private_addresses)


def check(url: str, settings: Settings) -> None:
    """Raise InvalidInput for an address that nothing would be sent to. Each attempt looks again."""
    parts = checked_url(url)
    if parts.scheme != "https" and not settings.webhooks_over_http:
        raise InvalidInput("Notices are not sent in the clear: the address must begin with https.")
    try:
        outbound_of(settings).check(url)
    except ForbiddenAddress:
        raise
    except OutboundFailed:
        # The name may be unknown just now: the attempts will tell.
        return
