"""The pictures of a web page, fetched and taken into a context under their URLs."""

from __future__ import annotations

import hashlib
import io
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from lookalike.decoding_signatures import recognised
from lookalike.errors import ImageTooLarge, InvalidInput, LookalikeError, NotAnImage
from lookalike.ids import image_id_of_url
from storage import job_errors, uploads
from storage.blobs import Received
from storage.db import Session
from storage.models import Shard
from storage.uploads import Upload
from worker.lease import Lease
from worker.outbound import Answer, OutboundFailed
from worker.stage import Outcome
from worker.tools import Tools

MOST_PAGE_BYTES = 8 * 1024**2
MOST_IMAGES = 200
# Of all pictures of a page together: they are held in memory until they are stored.
MOST_BYTES = 256 * 1024**2
EACH_SECONDS = 30.0
ALL_SECONDS = 300.0
_HEAD_BYTES = 1024


class TooManyImages(InvalidInput):
    """The page shows more images than are taken from one."""

    code = "too_many_images"


@dataclass
class _Fetched:
    uploads: dict[str, Upload] = field(default_factory=dict)
    errors: dict[str, tuple[str, str]] = field(default_factory=dict)
    byte_count: int = 0


def fetch(shard: Shard, context_id: uuid.UUID, tools: Tools, lease: Lease) -> Outcome:
    """Fetch a page and its pictures; what cannot be had is recorded by its URL, the page's own too."""
    page: str = shard.input["page"]
    fetched = _Fetched()
    deadline = time.monotonic() + ALL_SECONDS
    try:
        _take_page(page, fetched, tools, lease, deadline)
    except LookalikeError as error:
        fetched.errors[_id_of(page)] = (error.code, error.detail)

    def store(session: Session, uploaded: list[Upload]) -> None:
        if uploaded:
            uploads.put_many(session, tools.blobs, context_id, uploaded)
        told = [(image_id, *error) for image_id, error in fetched.errors.items()]
        job_errors.record(session, shard.job_id, told)

    count = len(fetched.uploads)
    counts = {"files": count, "unfetched": len(fetched.errors)}
    return Outcome(partial(store, uploaded=list(fetched.uploads.values())), counts, item_count=count)


def image_urls(html: str, url: str) -> list[str]:
    """Return the addresses of the pictures that a page at a URL shows, each once, in their order."""
    finder = _ImageFinder(url)
    finder.feed(html)
    finder.close()
    return list(dict.fromkeys(finder.found))


def _take_page(page: str, fetched: _Fetched, tools: Tools, lease: Lease, deadline: float) -> None:
    most = max(MOST_PAGE_BYTES, tools.limits.max_bytes)
    answer = _answer(tools, page, most, deadline)
    if _is_picture(answer):
        _add(page, answer.body, fetched)
        return
    if len(answer.body) > MOST_PAGE_BYTES:
        raise ImageTooLarge(f"A page has at most {MOST_PAGE_BYTES:,} bytes.")
    urls = image_urls(_decoded(answer), answer.url)
    if len(urls) > MOST_IMAGES:
        raise TooManyImages(f"The page shows {len(urls)} images; at most {MOST_IMAGES} are taken from one.")
    for url in urls:
        lease.check()
        try:
            _take_image(url, fetched, tools, deadline)
        except LookalikeError as error:
            fetched.errors[_id_of(url)] = (error.code, error.detail)


def _take_image(url: str, fetched: _Fetched, tools: Tools, deadline: float) -> None:
    left = MOST_BYTES - fetched.byte_count
    answer = _answer(tools, url, min(left, tools.limits.max_bytes), deadline)
    if not _is_picture(answer):
        raise NotAnImage("What is there does not begin like an image.")
    _add(url, answer.body, fetched)


def _answer(tools: Tools, url: str, max_bytes: int, deadline: float) -> Answer:
    seconds = min(EACH_SECONDS, deadline - time.monotonic())
    answer = tools.outbound.get(url, max_bytes=max_bytes, seconds=seconds)
    if answer.status != 200:
        raise OutboundFailed(f"The answer is {answer.status}, not 200.")
    return answer


def _add(url: str, data: bytes, fetched: _Fetched) -> None:
    image_id = image_id_of_url(url)
    received = Received(hashlib.sha256(data).digest(), len(data), io.BytesIO(data))
    fetched.uploads[image_id] = Upload(image_id, received)
    fetched.byte_count += len(data)


def _is_picture(answer: Answer) -> bool:
    # By its bytes: what a server says of them may be anything.
    return recognised(answer.body[:_HEAD_BYTES]) is not None


def _decoded(answer: Answer) -> str:
    """Return a page as text. Addresses are ASCII, so a wrong guess of its encoding harms little."""
    _, _, charset = answer.headers.get("content-type", "").lower().partition("charset=")
    try:
        return answer.body.decode(charset.strip(" \"';") or "utf-8", "replace")
    except LookupError:
        return answer.body.decode("utf-8", "replace")


def _id_of(url: str) -> str:
    try:
        return image_id_of_url(url)
    except LookalikeError:
        return url.replace("\0", "")[:1024]


class _ImageFinder(HTMLParser):
    """Finds what `img` elements show, relative to the page or its `base`."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._base = url
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an address where there is one."""
        values = dict(attrs)
        if tag == "base" and (href := values.get("href")):
            self._base = urljoin(self._base, href)
        if tag == "img":
            self.found += self._addresses(values)

    def _addresses(self, values: dict[str, str | None]) -> Iterator[str]:
        # Pages that load pictures late have them here, and a grey pixel in src.
        for name in ("data-src", "src"):
            given = (values.get(name) or "").strip()
            try:
                address = urljoin(self._base, given)
                is_on_web = bool(given) and urlsplit(address).scheme in ("http", "https")
            except ValueError:
                continue
            if is_on_web:
                yield address.partition("#")[0]
                return
