"""Versions of what the engine computes; stored with its results, so that older results are made anew."""

from __future__ import annotations

# Raised whenever the same bytes would give another record or proxy.
EXTRACTOR_VERSION = 6
# Raised whenever the same two images would give another comparison; includes the extractor.
ENGINE_VERSION = 32
