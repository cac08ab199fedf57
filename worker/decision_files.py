"""Decisions as a file: JSON lines, the first of which says what the file is.

    {"format": "lookalike-decisions", "version": 1}
    {"sha256": ["…", "…"], "verdict": "keep_both", "note": "", "decided_at": "2026-11-25T22:00:00Z"}

A reader passes over fields that it does not know; another version is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from lookalike.decisions import KEEP_BOTH, VERDICTS
from lookalike.errors import InvalidInput
from storage.decisions import MOST_NOTE_LENGTH, NewDecision
from storage.models import Decision
from storage.types import utc_now

FORMAT, VERSION = "lookalike-decisions", 1
MEDIA_TYPE = "application/jsonl"
MOST_BYTES = 64 * 1024**2


def written(decisions: Iterable[Decision]) -> Iterator[str]:
    """Give the lines of a file of decisions."""
    yield _line({"format": FORMAT, "version": VERSION})
    for each in decisions:
        yield _line(
            {
                "sha256": [each.low_sha256.hex(), each.high_sha256.hex()],
                "verdict": each.verdict,
                "note": each.note,
                "decided_at": each.decided_at.isoformat().replace("+00:00", "Z"),
            }
        )


def read(data: bytes) -> list[NewDecision]:
    """Return the decisions in a file. Raises InvalidInput that names the line."""
    lines = data.splitlines()
    head = _parsed(lines[0], 1) if lines else {}
    if head.get("format") != FORMAT:
        raise InvalidInput(
            f'This is no file of decisions: its first line is not {{"format": "{FORMAT}", …}}.'
        )
    if head.get("version") != VERSION:
        raise InvalidInput(
            f"The file is of version {head.get('version')!r}; this program reads version {VERSION}."
        )
    numbered = enumerate(lines[1:], start=2)
    return [_decision(_parsed(line, number), number) for number, line in numbered if line.strip()]


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n"


def _parsed(line: bytes, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidInput(f"Line {number} is not a JSON object.")
    return found


def _decision(found: dict[str, Any], number: int) -> NewDecision:
    try:
        one, other = (bytes.fromhex(each) for each in found["sha256"])
        decided_at = datetime.fromisoformat(found["decided_at"])
        verdict, note = found["verdict"], found.get("note", "")
        is_good = (
            len(one) == len(other) == 32
            and verdict in VERDICTS
            and (one != other or verdict == KEEP_BOTH)
            and isinstance(note, str)
            and len(note) <= MOST_NOTE_LENGTH
            and not any(char == "\0" or 0xD800 <= ord(char) <= 0xDFFF for char in note)
            and decided_at.tzinfo is not None
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        is_good = False
    if not is_good:
        raise InvalidInput(
            f"Line {number} is not a decision: it needs two `sha256` (different ones unless both are kept), "
            f"a `verdict` of {' or '.join(VERDICTS)}, and `decided_at` with its zone."
        )
    # A clock that was ahead must not make a decision that nobody can replace.
    return NewDecision(one, other, verdict, note, min(decided_at, utc_now()))
