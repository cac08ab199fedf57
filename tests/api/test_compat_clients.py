"""The compatible API with accounts, and without a worker: who sees what, and what waits."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest

from api.app import create_app
from api.compat.calls import plain_image_id
from lookalike.errors import InvalidImageId
from lookalike.ids import image_id_of_url, url_of_image_id
from storage.blobs import Blobs
from storage.db import Database
from storage.settings import Settings
from tests import pictures
from tests.api.conftest import Guarded
from tests.api.serving import serving
from tests.racing import race
from worker.celery_app import make_app
from worker.dispatch import Dispatcher

SEARCH, STORAGE = "/v3.0/imaging/ai/imageSearch", "/v3.0/imaging/storage"
OPERATIONS = [
    ("GET", "status"),
    ("DELETE", ""),
    ("POST", "image?imageId=a.jpg"),
    ("GET", "image?imageId=a.jpg"),
    ("PUT", "image?imageId=a.jpg"),
    ("DELETE", "image?imageId=a.jpg"),
    ("POST", "features?imageId=a.jpg"),
    ("POST", "features?imagesFolder=a"),
    ("POST", "features/web?imagesSource=https://example.com"),
    ("GET", "features?imageId=a.jpg"),
    ("PUT", "features?imageId=a.jpg"),
    ("DELETE", "features?imageId=a.jpg"),
    ("GET", "image2features?imageId=a.jpg"),
    ("GET", "findSimilar?similarityThreshold=80&maxCount=3&imageId=a.jpg"),
    ("GET", "findDuplicates?similarityThreshold=80"),
    ("POST", "findByTags?similarityThreshold=80&maxCount=3"),
    ("POST", "addTag?tagName=a"),
    ("POST", "compare?imageId1=a.jpg"),
]
PICTURE = pictures.jpeg(pictures.photo(940, (160, 120)))


def test_nobody_without_a_token_gets_in(guarded: Guarded) -> None:
    for method, path in [
        ("POST", f"{SEARCH}/create"),
        ("GET", f"{STORAGE}/folder/"),
        ("GET", "/v3/imaging/x"),
    ]:
        answer = guarded.stranger.request(method, path)
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
        error = answer.json().get("error") or answer.json()["Error"]
        assert "not_authenticated" in error.values()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_anothers_context_is_not_there(guarded: Guarded, method: str, path: str) -> None:
    mine, other = guarded.let_in("mine"), guarded.let_in("other")
    made = mine.post(f"{SEARCH}/create").json()["id"]
    assert mine.get(f"{SEARCH}/{made}/status").status_code == 200
    anothers = other.request(method, f"{SEARCH}/{made}/{path}".rstrip("/"), content=b'["tag"]')
    unknown = other.request(method, f"{SEARCH}/{uuid.uuid4()}/{path}".rstrip("/"), content=b'["tag"]')
    assert (anothers.status_code, unknown.status_code) == (404, 404)
    assert anothers.json()["error"]["code"] == unknown.json()["error"]["code"] == "not_found"
    assert mine.get(f"{SEARCH}/{made}/status").status_code == 200


def test_anothers_files_are_not_there(guarded: Guarded) -> None:
    mine, other = guarded.let_in("mine"), guarded.let_in("other")
    assert mine.put(f"{STORAGE}/file/own/a.txt", content=b"mine").status_code == 200
    assert other.get(f"{STORAGE}/file/own/a.txt").status_code == 404
    assert other.get(f"{STORAGE}/exist/own").json() == {"exists": False, "isFolder": False}
    assert other.delete(f"{STORAGE}/folder/own", params={"recursive": "true"}).status_code == 404
    assert other.put(f"{STORAGE}/file/copy/own/a.txt", params={"destPath": "b.txt"}).status_code == 404
    other.put(f"{STORAGE}/file/own/a.txt", content=b"other's")
    assert mine.get(f"{STORAGE}/file/own/a.txt").content == b"mine"
    # Nor can another's file be taken into one's own context.
    made = other.post(f"{SEARCH}/create").json()["id"]
    mine.put(f"{STORAGE}/file/own/b.jpg", content=PICTURE)
    taken = other.post(f"{SEARCH}/{made}/features", params={"imageId": "own/b.jpg"})
    assert taken.status_code == 404


@pytest.fixture
def idle(sqlite_url: str, broker_url: str, settings: Settings) -> Iterator[httpx.Client]:
    """A server without a worker that waits for a second."""
    hasty = settings.model_copy(update={"compat_wait_seconds": 1, "broker_url": broker_url})
    database = Database(sqlite_url)
    dispatcher = Dispatcher(database, make_app(broker_url, hasty))
    with serving(create_app(hasty, database, Blobs(hasty.blob_url), dispatcher)) as client:
        yield client
    database.dispose()


def test_who_asks_again_joins_the_job_that_runs(idle: httpx.Client) -> None:
    context = f"{SEARCH}/{idle.post(f'{SEARCH}/create').json()['id']}"
    for path in ("image?imageId=a.jpg", "features?imageId=b.jpg"):
        waiting = idle.post(f"{context}/{path}", content=PICTURE)
        assert (waiting.status_code, waiting.json()["error"]["code"]) == (503, "still_running")
    assert idle.get(f"{context}/status").json()["searchStatus"] == "ExtractingFeatures"
    answers: list[httpx.Response] = []

    def find(threshold: str) -> None:
        answers.append(idle.get(f"{context}/findDuplicates", params={"similarityThreshold": threshold}))

    # At the same time, and at different thresholds; and once more afterwards.
    assert race(find, ["90", "75.0", "80"]) == []
    find("90")
    assert {answer.status_code for answer in answers} == {503}
    # One that the SDK for Python waits for by itself.
    assert answers[0].headers["Retry-After"] == "1"
    assert len({answer.headers["X-Job-Id"] for answer in answers}) == 1
    assert idle.get(answers[0].headers["Location"]).json()["state"] == "queued"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("cats/a.jpg", "cats/a.jpg"),
        ("/cats/a.jpg", "cats/a.jpg"),
        ("https://example.com/a.jpg", "https:/example.com/a.jpg"),
        ("HTTPS://example.com/a.jpg#part", "https:/example.com/a.jpg"),
        ("https%3A%2F%2Fexample.com%2Fa.jpg", "https:/example.com/a.jpg"),
        ("https%3a%2f%2fexample.com%2fa%20b.jpg", "https:/example.com/a b.jpg"),
        ("http://example.com", "http:/example.com"),
        ("http://example.com/", "http:/example.com/%2F"),
        ("http://example.com//a/../b?w=//", "http:/example.com/%2F/a/%2E%2E/b?w=/%2F/%2F"),
        # Percent signs of other ids are their own.
        ("100%25.jpg", "100%25.jpg"),
    ],
)
def test_urls_become_image_ids_however_often_they_were_encoded(given: str, stored: str) -> None:
    assert plain_image_id(given) == stored


def test_image_ids_that_were_urls_are_shown_as_such() -> None:
    url = "https://example.com/a/b.jpg?w=1"
    assert url_of_image_id(image_id_of_url(url)) == url
    assert url_of_image_id("cats/a.jpg") == "cats/a.jpg"
    with pytest.raises(InvalidImageId):
        plain_image_id("/")
