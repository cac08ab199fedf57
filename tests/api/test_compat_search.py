from __future__ import annotations

import base64
import json
import uuid
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from lookalike.features.keypoints import KEY_POINT
from tests import pictures

SEARCH = "/v3.0/imaging/ai/imageSearch"
STORAGE = "/v3.0/imaging/storage"
SIZE = (320, 240)
SCENE, OTHER = pictures.photo(910, SIZE), pictures.photo(911, SIZE)
FINE, POOR, UNLIKE = pictures.jpeg(SCENE, 95), pictures.jpeg(SCENE, 50), pictures.jpeg(OTHER, 90)


@pytest.fixture
def context(working: httpx.Client) -> str:
    """The path of an empty search context."""
    made = working.post(f"{SEARCH}/create", params={"detector": "akaze", "matchingAlgorithm": ""})
    assert made.status_code == 200
    assert made.json()["searchStatus"] == "Idle"
    return f"{SEARCH}/{made.json()['id']}"


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> str:
    return str(request.node.originalname)


def put(client: httpx.Client, context: str, image_id: str, data: bytes) -> httpx.Response:
    answer = client.post(f"{context}/image", params={"imageId": image_id}, files={"imageData": data})
    assert (answer.status_code, answer.content) == (200, b""), answer.text
    return answer


def features(client: httpx.Client, context: str, image_id: str) -> dict[str, object]:
    answer = client.get(f"{context}/features", params={"imageId": image_id})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def groups(client: httpx.Client, context: str, threshold: object = 90) -> list[list[str]]:
    answer = client.get(f"{context}/findDuplicates", params={"similarityThreshold": str(threshold)})
    assert answer.status_code == 200, answer.text
    return [[image["imageId"] for image in each["duplicateImages"]] for each in answer.json()["duplicates"]]


def test_both_faces_show_the_same_contexts_images_and_jobs(working: httpx.Client, context: str) -> None:
    context_id = context.rpartition("/")[2]
    made = put(working, context, "a/fine.jpg", FINE)
    job = working.get(made.headers["Location"]).json()
    assert (job["id"], job["state"]) == (made.headers["X-Job-Id"], "succeeded")
    assert working.get(f"/v1/contexts/{context_id}/images/a/fine.jpg").json()["state"] == "ready"
    # Put by version 1, which starts no job: its features are extracted when they are asked for.
    working.put(f"/v1/contexts/{context_id}/images/poor.jpg", content=POOR)
    assert features(working, context, "poor.jpg")["imageId"] == "poor.jpg"
    found = working.get(f"{context}/findDuplicates", params={"similarityThreshold": "80.0"})
    listed = working.get(f"{found.headers['Location']}/groups").json()["items"]
    assert groups(working, context) == [[image["image_id"] for image in listed[0]["images"]]]
    working.delete(f"/v1/contexts/{context_id}")
    gone = working.get(f"{context}/status")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")


def test_an_uploaded_image_is_a_file_of_the_storage(working: httpx.Client, context: str, folder: str) -> None:
    image_id = f"{folder}/a b.jpg"
    put(working, context, image_id, FINE)
    assert working.get(f"{STORAGE}/file/{quote(image_id)}").content == FINE
    # Updating puts what was never there, and replaces what is.
    for data in (POOR, UNLIKE):
        for name in ("new.jpg", "a b.jpg"):
            params = {"imageId": f"{folder}/{name}"}
            assert working.put(f"{context}/image", params=params, content=data).status_code == 200
            assert working.get(f"{context}/image", params=params).content == data
    for _ in range(2):
        assert working.delete(f"{context}/image", params={"imageId": image_id}).status_code == 200
    assert working.get(f"{context}/image", params={"imageId": image_id}).status_code == 404
    assert working.get(f"{STORAGE}/exist/{quote(image_id)}").json()["exists"] is False


def test_what_happens_to_files_does_not_touch_contexts(
    working: httpx.Client, context: str, folder: str
) -> None:
    image_id = f"{folder}/a.jpg"
    working.put(f"{STORAGE}/file/{image_id}", content=FINE)
    assert working.post(f"{context}/features", params={"imageId": image_id}).status_code == 200
    before = features(working, context, image_id)
    to = {"destPath": f"{folder}/b.jpg"}
    assert working.put(f"{STORAGE}/file/move/{image_id}", params=to).status_code == 200
    assert working.delete(f"{STORAGE}/folder/{folder}", params={"recursive": "true"}).status_code == 200
    assert features(working, context, image_id) == before
    assert working.get(f"{context}/image", params={"imageId": image_id}).content == FINE
    # And a file that was not uploaded with the image outlives it.
    working.put(f"{STORAGE}/file/{image_id}", content=FINE)
    working.post(f"{context}/image", params={"imageId": image_id})
    working.delete(f"{context}/image", params={"imageId": image_id})
    assert working.get(f"{context}/image", params={"imageId": image_id}).status_code == 404
    assert working.get(f"{STORAGE}/file/{image_id}").content == FINE


def test_features_can_be_read_as_soon_as_they_are_asked_for(
    working: httpx.Client, context: str, folder: str
) -> None:
    working.put(f"{STORAGE}/file/{folder}/a.jpg", content=FINE)
    params = {"imageId": f"{folder}/a.jpg"}
    # An empty body that calls itself a form without a boundary, as the SDK for Python sends it.
    form = {"Content-Type": "multipart/form-data"}
    assert working.post(f"{context}/features", params=params, headers=form).content == b""
    first = features(working, context, params["imageId"])
    assert working.put(f"{context}/features", params=params, content=UNLIKE).status_code == 200
    second = features(working, context, params["imageId"])
    assert len(str(first["features"])) != len(str(second["features"]))
    # They are the context's own: the storage's file is as it was.
    assert working.get(f"{STORAGE}/file/{folder}/a.jpg").content == FINE
    assert working.delete(f"{context}/features", params=params).status_code == 200
    assert working.get(f"{context}/features", params=params).status_code == 404
    put(working, context, f"{folder}/own.jpg", FINE)
    own = {"imageId": f"{folder}/own.jpg"}
    working.delete(f"{context}/features", params=own)
    assert working.get(f"{context}/image", params=own).content == FINE


def test_features_are_key_points_in_one_line_of_base64(working: httpx.Client, context: str) -> None:
    put(working, context, "a.jpg", FINE)
    found = features(working, context, "a.jpg")
    assert set(found) == {"imageId", "featuresCount", "featureLengthInBits", "features"}
    points = np.frombuffer(base64.b64decode(str(found["features"]), validate=True), KEY_POINT)
    assert len(points) == found["featuresCount"] > 20
    assert set(points["byte_count"] * 8) == {found["featureLengthInBits"]}
    assert points["x"].min() >= 0
    assert points["x"].max() <= SIZE[0]
    assert (np.diff(points["response"]) <= 0).all()
    extracted = working.get(f"{context}/image2features", params={"imageId": "a.jpg"})
    assert extracted.json() == found


def test_a_picture_can_be_reduced_to_features_without_being_added(
    working: httpx.Client, context: str, folder: str
) -> None:
    working.put(f"{STORAGE}/file/{folder}/a.jpg", content=FINE)
    named = working.get(f"{context}/image2features", params={"imageId": f"{folder}/a.jpg"}).json()
    # The SDK for Node sends a GET with a form.
    sent = working.request("GET", f"{context}/image2features", files={"imageData": FINE}).json()
    assert (named["imageId"], sent["imageId"]) == (f"{folder}/a.jpg", "")
    assert named["features"] == sent["features"]
    assert groups(working, context) == []
    assert working.get(f"{context}/features", params={"imageId": f"{folder}/a.jpg"}).status_code == 404
    form = {"Content-Type": "multipart/form-data"}
    assert working.get(f"{context}/image2features", headers=form).status_code == 400


def test_a_folder_is_extracted_by_a_job_that_is_there_when_the_answer_is(
    working: httpx.Client, context: str, folder: str
) -> None:
    for number in range(12):
        drawn = pictures.jpeg(pictures.photo(920 + number, SIZE))
        working.put(f"{STORAGE}/file/{folder}/{number}.jpg", content=drawn)
    working.put(f"{STORAGE}/file/{folder}/words.txt", content=b"no picture")
    working.put(f"{STORAGE}/file/{folder}/deeper/0.jpg", content=FINE)
    params = {"imageId": "", "imagesFolder": f"/{folder}/"}
    made = working.post(f"{context}/features", params=params)
    assert (made.status_code, made.content) == (200, b"")
    job = working.get(made.headers["Location"]).json()
    status = working.get(f"{context}/status").json()["searchStatus"]
    after = working.get(made.headers["Location"]).json()
    # Not idle unless the job has ended meanwhile.
    assert status == "ExtractingFeatures" or after["state"] == "succeeded"
    assert job["kind"] == "extract_features"
    ended = working.get(made.headers["Location"], headers={"Prefer": "wait=60"}).json()
    assert (ended["state"], ended["counts"]["extracted"]) == ("succeeded", 12)
    assert working.get(f"{context}/status").json()["searchStatus"] == "Idle"
    assert int(str(features(working, context, f"{folder}/3.jpg")["featuresCount"])) > 0
    for unknown in (f"{folder}/words.txt", f"{folder}/deeper/0.jpg"):
        assert working.get(f"{context}/features", params={"imageId": unknown}).status_code == 404
    nowhere = working.post(f"{context}/features", params={"imagesFolder": "nowhere"})
    assert nowhere.status_code == 404


def test_one_job_answers_at_every_threshold_until_the_context_changes(
    working: httpx.Client, context: str
) -> None:
    for name, data in {"fine": FINE, "poor": POOR, "other": UNLIKE}.items():
        put(working, context, name, data)
    path = f"{context}/findDuplicates"
    answers = [
        working.get(path, params={"similarityThreshold": each}) for each in ("95", "90.0", "80", "70.00", "5")
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["X-Job-Id"] for answer in answers}) == 1
    for answer in answers:
        (group,) = answer.json()["duplicates"]
        assert [image["imageId"] for image in group["duplicateImages"]] == ["fine", "poor"]
        assert group["duplicateImages"][0]["similarity"] == 100.0
        assert 95 <= group["duplicateImages"][1]["similarity"] < 100
    put(working, context, "another", UNLIKE)
    anew = working.get(path, params={"similarityThreshold": "90"})
    assert anew.headers["X-Job-Id"] != answers[0].headers["X-Job-Id"]
    assert len(anew.json()["duplicates"]) == 2


def test_a_context_of_version_1_is_asked_down_to_its_own_floor(working: httpx.Client) -> None:
    made = working.post("/v1/contexts", json={"name": "mine", "match_floor": 75}).json()
    answer = working.get(f"{SEARCH}/{made['id']}/findDuplicates", params={"similarityThreshold": "74"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_threshold")
    assert groups(working, f"{SEARCH}/{made['id']}", 75) == []


def test_the_tutorials_line_gets_the_tutorials_shape(working: httpx.Client, context: str) -> None:
    put(working, context, "a.jpg", FINE)
    put(working, context, "b.jpg", FINE)
    tutorial = context.replace("/v3.0/", "/v3/")
    for threshold in ("95", "90.0", "80", "70"):
        answer = working.get(
            f"{tutorial}/findDuplicates?similarityThreshold={threshold}",
            headers={"Authorization": "Bearer anything", "Accept": "application/json"},
        )
        assert answer.status_code == 200
        assert answer.text == (
            '{"Duplicates":[{"duplicatesInGroup":[{"ImageId":"a.jpg","Similarity":100.0},'
            '{"ImageId":"b.jpg","Similarity":100.0}]}],"Code":200,"Status":"OK"}'
        )
    status = working.get(f"{tutorial}/status").json()
    assert status == {"Id": context.rpartition("/")[2], "SearchStatus": "Idle", "Code": 200, "Status": "OK"}
    similar = working.get(
        f"{tutorial}/findSimilar", params={"similarityThreshold": "90", "maxCount": "1", "imageId": "a.jpg"}
    )
    assert similar.json()["Results"] == [{"ImageId": "b.jpg", "Similarity": 100.0}]
    assert working.delete(f"{tutorial}/image", params={"imageId": "a.jpg"}).json() == {
        "Code": 200,
        "Status": "OK",
    }
    refused = working.get(f"{tutorial}/image", params={"imageId": "a.jpg"}).json()
    assert (refused["Code"], refused["Status"], refused["Error"]["Code"]) == (404, "Not Found", "not_found")


def test_similar_images_come_nearest_first_and_no_more_than_asked_for(
    working: httpx.Client, context: str
) -> None:
    for name, data in {"fine": FINE, "poor": POOR, "other": UNLIKE}.items():
        put(working, context, name, data)

    def similar(threshold: str, count: int, **sent: object) -> list[str]:
        params = {"similarityThreshold": threshold, "maxCount": str(count)}
        params |= {"imageId": str(sent.pop("image_id"))} if "image_id" in sent else {}
        answer = working.request("GET", f"{context}/findSimilar", params=params, **sent)  # type: ignore[arg-type]
        assert answer.status_code == 200, answer.text
        return [each["imageId"] for each in answer.json()["results"]]

    assert similar("90", 5, image_id="fine") == ["poor"]
    assert similar("0", 5, image_id="fine") == ["poor", "other"]
    assert similar("3", 1, image_id="fine") == ["poor"]
    assert similar("80.0", 5, files={"imageData": FINE}) == ["fine", "poor"]
    assert similar("80.0", 5, image_id="", content=FINE) == ["fine", "poor"]
    form = {"Content-Type": "multipart/form-data"}
    params = {"similarityThreshold": "80", "maxCount": "3"}
    assert working.get(f"{context}/findSimilar", params=params, headers=form).status_code == 400
    for wrong in ({"maxCount": "0"}, {"similarityThreshold": "nan"}, {"similarityThreshold": "101"}):
        answer = working.get(f"{context}/findSimilar", params={**params, **wrong, "imageId": "fine"})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "sent",
    [
        {"data": {"tags": '["cat"]'}, "files": {"none": b""}},
        {"files": {"tags": ("tags", b'["dog", "cat"]', "application/octet-stream")}},
        {"content": b'["cat"]', "headers": {"Content-Type": "application/json"}},
        {"content": b'"cat"'},
    ],
)
def test_images_are_found_by_tags_however_these_are_sent(
    working: httpx.Client, context: str, sent: dict[str, object]
) -> None:
    put(working, context, "fine", FINE)
    put(working, context, "other", UNLIKE)
    added = working.post(f"{context}/addTag", params={"tagName": "cat"}, files={"imageData": POOR})
    assert (added.status_code, added.content) == (200, b"")
    params = {"similarityThreshold": "60", "maxCount": "5"}
    found = working.post(f"{context}/findByTags", params=params, **sent)  # type: ignore[arg-type]
    assert [each["imageId"] for each in found.json()["results"]] == ["fine"]
    unknown = working.post(f"{context}/findByTags", params=params, content=b'["bird"]')
    assert unknown.content == b'{"results":[]}'
    for wrong in (b"", b"cat", b"[]", b"[1]", b'{"a":1}'):
        assert working.post(f"{context}/findByTags", params=params, content=wrong).status_code == 400
    for nothing in (b"", b"words"):
        refused = working.post(f"{context}/addTag", params={"tagName": "cat"}, content=nothing)
        assert refused.status_code == 400


def test_two_images_are_compared_by_the_detail_that_they_share(working: httpx.Client, context: str) -> None:
    put(working, context, "fine", FINE)
    put(working, context, "other", UNLIKE)

    def shared(second: str | None = None, **sent: object) -> list[dict[str, object]]:
        params = {"imageId1": "fine"} | ({} if second is None else {"imageId2": second})
        answer = working.post(f"{context}/compare", params=params, **sent)  # type: ignore[arg-type]
        found: list[dict[str, object]] = answer.json()["results"]
        return found

    assert shared("fine") == [{"imageId": "fine", "similarity": 100.0}]
    (unlike,) = shared("other")
    assert unlike["imageId"] == "other"
    assert float(str(unlike["similarity"])) <= 15
    (uploaded,) = shared(files={"whatever": POOR})
    assert uploaded["imageId"] == ""
    assert float(str(uploaded["similarity"])) >= 70
    assert working.post(f"{context}/compare", params={"imageId1": "fine"}).status_code == 400
    assert working.post(f"{context}/compare", params={"imageId1": "none"}, content=POOR).status_code == 404


def test_a_picture_that_cannot_be_read_is_refused_with_the_reason(
    working: httpx.Client, context: str
) -> None:
    answer = working.post(f"{context}/features", params={"imageId": "words"}, content=b"only words")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "not_an_image")
    assert working.get(f"{context}/features", params={"imageId": "words"}).status_code == 400
    missing = working.post(f"{context}/features", params={"imageId": "none.jpg"})
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "source",
    [
        "http://127.0.0.1:1/",
        "http://localhost/",
        "file:///etc/passwd",
        "http://[::1]/",
        "http%3A%2F%2F10.0.0.1",
    ],
)
def test_a_page_on_the_inside_is_refused(working: httpx.Client, context: str, source: str) -> None:
    answer = working.post(f"{context}/features/web", params={"imagesSource": source})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in ("forbidden_address", "invalid_input", "outbound_failed")


@pytest.mark.parametrize("prefix", ["/v3.0", "/v3", ""])
def test_what_is_not_there_is_told_so_in_the_faces_own_shape(working: httpx.Client, prefix: str) -> None:
    for path in (
        "nonsense/status",
        f"{uuid.uuid4()}/status",
        f"{uuid.uuid4()}/findDuplicates?similarityThreshold=9",
    ):
        answer = working.get(f"{prefix}/imaging/ai/imageSearch/{path}")
        assert answer.status_code == 404
        assert ("Error" if prefix == "/v3" else "error") in answer.json()
    sent = working.post(
        f"{prefix}/imaging/ai/imageSearch/{uuid.uuid4()}/image", params={"imageId": "a"}, content=FINE
    )
    assert sent.status_code == 404


def test_answers_are_compact_with_status_200(working: httpx.Client, context: str) -> None:
    put(working, context, "ä.jpg", FINE)
    for answer in (
        working.get(f"{context}/features", params={"imageId": "ä.jpg"}),
        working.get(f"{context}/status"),
        working.get(f"{context}/findDuplicates", params={"similarityThreshold": "70"}),
    ):
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        compact = json.dumps(answer.json(), separators=(",", ":"), ensure_ascii=False)
        assert answer.text == compact


def test_a_decision_of_version_1_holds_here_at_once(working: httpx.Client, context: str) -> None:
    for name, data in {"fine": FINE, "poor": POOR}.items():
        put(working, context, name, data)
    assert groups(working, context) == [["fine", "poor"]]
    path = f"/v1/contexts/{context.rpartition('/')[2]}/decisions"
    decision = {"verdict": "not_duplicates", "image_ids": ["fine", "poor"]}
    assert working.post(path, json=decision).is_success
    assert groups(working, context, 90) == groups(working, context, 80) == []
    similar = {"similarityThreshold": "80", "maxCount": "5", "imageId": "fine"}
    assert working.get(f"{context}/findSimilar", params=similar).content == b'{"results":[]}'


@pytest.mark.parametrize(
    "head",
    [
        'Content-Disposition: form-data; name="imageData"; filename="imageData"\r\nContent-Type: image/x',
        'Content-Disposition: form-data; name="0"',
        "Content-Type: application/octet-stream",
    ],
)
def test_the_first_part_of_a_form_is_the_picture_whatever_its_head(
    working: httpx.Client, context: str, head: str
) -> None:
    # With the constant boundary of the SDK for .NET.
    body = f"--Somthing\r\n{head}\r\n\r\n".encode() + FINE + b"\r\n--Somthing--\r\n"
    form = {"Content-Type": "multipart/form-data; boundary=Somthing"}
    params = {"imageId": "a.jpg"}
    sent = working.post(f"{context}/image", params=params, content=body, headers=form)
    assert (sent.status_code, sent.content) == (200, b""), sent.text
    assert working.get(f"{context}/image", params=params).content == FINE
    # A form without anything in it is no picture.
    empty = working.get(f"{context}/image2features", params=params, headers=form)
    assert empty.status_code == 200
    cut = working.post(f"{context}/image", params=params, content=body[:-20], headers=form)
    assert (cut.status_code, cut.json()["error"]["code"]) == (400, "bad_form")
