from __future__ import annotations

import io

import httpx
import pytest
from PIL import Image

from tests import pictures
from tests.api.conftest import make_context

SCENE, OTHER = pictures.photo(900, (320, 240)), pictures.photo(901, (320, 240))
FINE, POOR = pictures.jpeg(SCENE, 95), pictures.jpeg(SCENE, 50)


@pytest.fixture(scope="module")
def context(working: httpx.Client) -> str:
    made = make_context(working)
    files = {"fine": FINE, "poor": POOR, "other": pictures.jpeg(OTHER), "none": b"only words"}
    parts = [("files", file) for file in files.items()]
    working.post(f"{made}/images", files=parts, headers={"Prefer": "wait=60"}).raise_for_status()
    return made


def test_two_images_are_compared(working: httpx.Client, context: str) -> None:
    found = working.post(f"{context}/compare", json={"image_ids": ["fine", "poor"]}).json()
    assert (found["similarity"] > 95, found["relation"]) == (True, "reencoded")
    assert found["evidence"]["candidacy"]["is_candidate"]
    assert any("bits differ" in sentence for sentence in found["explanation"])
    unlike = working.post(f"{context}/compare", json={"image_ids": ["fine", "other"]}).json()
    assert unlike["similarity"] < 60
    assert unlike["explanation"][0].startswith("No match.")


def test_uploads_are_compared_with_images_and_with_each_other(working: httpx.Client, context: str) -> None:
    path = f"{context}/compare"
    with_stored = working.post(path, data={"image_id": "fine"}, files={"files": ("x", POOR)}).json()
    assert with_stored["relation"] == "reencoded"
    same = working.post(path, files=[("files", ("a", FINE)), ("files", ("b", FINE))]).json()
    assert (same["similarity"], same["relation"]) == (100.0, "identical_file")


def test_similar_images_come_most_similar_first(working: httpx.Client, context: str) -> None:
    found = working.post(f"{context}/similar", json={"image_id": "fine"}).json()["items"]
    assert [each["image_id"] for each in found] == ["poor"]
    uploaded = working.post(f"{context}/similar", files={"files": ("x", FINE)}, data={"limit": "2"})
    assert [each["image_id"] for each in uploaded.json()["items"]] == ["fine", "poor"]


def test_what_cannot_be_compared_is_told_so(working: httpx.Client, context: str) -> None:
    path = f"{context}/compare"
    answers = {
        "not_found": working.post(path, json={"image_ids": ["fine", "unknown"]}),
        "not_an_image": working.post(path, files={"files": b"words"}, data={"image_id": "fine"}),
        "empty_file": working.post(path, files={"files": b""}, data={"image_id": "fine"}),
        "unsupported_media_type": working.post(path, content=FINE),
    }
    assert {code: each.json()["code"] for code, each in answers.items()} == {code: code for code in answers}
    for ids in ([], ["fine"], ["fine", "none"], ["fine", "poor", "other"], [1, 2]):
        assert working.post(path, json={"image_ids": ids}).status_code == 422
    for asked in ({}, {"image_id": "fine", "limit": 0}, {"image_id": "fine", "similarity_threshold": 130}):
        assert working.post(f"{context}/similar", json=asked).status_code == 422


def test_a_thumbnail_is_a_small_jpeg(working: httpx.Client, context: str) -> None:
    answer = working.get(f"{context}/thumbnails/fine", params={"size": 64})
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (64, 48)
    known = working.get(answer.url, headers={"If-None-Match": answer.headers["ETag"]})
    assert known.status_code == 304
    assert working.get(f"{context}/thumbnails/fine", params={"size": 5000}).status_code == 422
    missing = working.get(f"{context}/thumbnails/none")
    assert (missing.status_code, "failed" in missing.json()["detail"]) == (404, True)
