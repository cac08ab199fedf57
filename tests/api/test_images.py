from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests import pictures
from tests.api.conftest import MOST_BYTES

CAT, DOG = (pictures.jpeg(pictures.photo(seed, (160, 120))) for seed in (1, 2))
ODD_IDS = [
    "cats/a.jpg",
    "übung/日本 1.jpg",
    "a?b#c%2Fd&e+f.jpg",
    "100%",
    "a\\b",
    "a:b;c",
    "\u202egpj.exe",
    "~",
]


def upload(*files: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", file) for file in files]


def listed(client: httpx.Client, context: str, **query: Any) -> list[str]:
    return [each["image_id"] for each in client.get(f"{context}/images", params=query).json()["items"]]


def test_many_images_are_uploaded_at_once_under_their_file_names(client: httpx.Client, context: str) -> None:
    answer = client.post(f"{context}/images", files=upload(("cats/a.jpg", CAT), ("b.jpg", DOG)))
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["state"]) == ("extract_features", "queued")
    assert [(each["name"], each["total"]) for each in job["stages"]] == [("extract", 2)]
    assert listed(client, context) == ["b.jpg", "cats/a.jpg"]
    shown = client.get(f"{context}/images/cats/a.jpg").json()
    assert (shown["state"], shown["source"], shown["bytes"]) == ("pending", "stored", len(CAT))
    assert shown["sha256"] == sha256(CAT).hexdigest()


def test_each_file_may_come_with_an_id_of_its_own(client: httpx.Client, context: str) -> None:
    files = upload(("1.jpg", CAT), ("2.jpg", DOG))
    answer = client.post(f"{context}/images", files=files, data={"image_id": ["x/cat", "x/dog"]})
    assert answer.status_code == 202
    assert client.get(f"{context}/content/x/dog").content == DOG
    few = client.post(f"{context}/images", files=files, data={"image_id": ["only one"]})
    assert few.status_code == 422
    assert "2 files and 1 fields" in few.json()["detail"]


def test_two_images_with_one_id_are_refused_and_nothing_is_stored(client: httpx.Client, context: str) -> None:
    answer = client.post(f"{context}/images", files=upload(("a", CAT), ("b", DOG), ("a", DOG)))
    assert (answer.status_code, answer.json()["code"]) == (422, "duplicate_image_id")
    assert "'a'" in answer.json()["detail"]
    assert listed(client, context) == []
    assert client.get("/v1/jobs", params={"context_id": context.rpartition("/")[2]}).json()["items"] == []


def test_image_ids_are_kept_as_given(client: httpx.Client, context: str) -> None:
    for image_id in ODD_IDS:
        path = f"{context}/images/{quote(image_id, safe='')}"
        assert client.put(path, content=CAT).status_code == 201
        assert client.get(path).json()["image_id"] == image_id
        content = client.get(f"{context}/content/{quote(image_id, safe='/')}")
        assert content.content == CAT
        assert content.headers["Content-Disposition"].isascii()
    assert listed(client, context) == sorted(ODD_IDS)


def test_an_image_is_put_replaced_and_removed(client: httpx.Client, context: str) -> None:
    path = f"{context}/images/cats/a.jpg"
    assert client.put(path, content=CAT).status_code == 201
    assert client.put(path, content=DOG).status_code == 200
    assert client.get(path).json()["sha256"] == sha256(DOG).hexdigest()
    assert client.delete(path).status_code == 204
    assert (client.get(path).status_code, client.delete(path).status_code) == (404, 404)


def test_an_id_that_is_not_usable_is_refused(client: httpx.Client, context: str) -> None:
    for image_id in ("a//b", "a/", "%2e%2e/a", "a/%2E/b", "%00", "%ff", "a" * 1025):
        url = client.base_url.copy_with(raw_path=f"{context}/images/{image_id}".encode())
        answer = client.put(url, content=CAT)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_image_id"), image_id
    assert listed(client, context) == []


def test_what_is_over_the_limit_is_refused_while_it_arrives(client: httpx.Client, context: str) -> None:
    big = b"\xff\xd8\xff" + bytes(MOST_BYTES)
    answers = [
        client.post(f"{context}/images", files=upload(("fine", CAT), ("big.jpg", big))),
        client.put(f"{context}/images/big", content=big * 50),
        client.put(f"{context}/images/big", content=iter([big[:1000]] * 1000)),
    ]
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(413, "image_too_large")] * 3
    assert answers[0].json()["detail"] == "big.jpg has more than 400,000 bytes."
    assert listed(client, context) == []


def test_who_sends_much_to_nowhere_sees_the_answer(client: httpx.Client) -> None:
    nowhere = "/v1/contexts/0198c0de-7a11-7000-8000-5ca1ab1e0000/images"
    much = bytes(20_000_000)
    answers = [
        client.put(f"{nowhere}/a", content=much),
        client.post(nowhere, files=upload(("a", much))),
    ]
    assert [each.status_code for each in answers] == [404, 404]


def test_an_empty_body_is_no_image(client: httpx.Client, context: str) -> None:
    answer = client.put(f"{context}/images/a", content=b"")
    assert (answer.status_code, answer.json()["code"]) == (422, "empty_file")


def test_a_large_upload_replaces_what_changed_and_keeps_the_rest(client: httpx.Client, context: str) -> None:
    files = [(f"{n:03}", f"{n}".encode()) for n in range(230)]
    assert client.post(f"{context}/images", files=upload(*files)).json()["stages"][0]["total"] == 230
    before = client.get(context).json()
    changed = [("000", b"new"), *files[1:]]
    client.post(f"{context}/images", files=upload(*changed)).raise_for_status()
    after = client.get(context).json()
    assert (after["revision"], after["image_counts"]) == (before["revision"] + 1, before["image_counts"])
    assert client.get(f"{context}/content/000").content == b"new"
    assert client.get(f"{context}/content/229").content == b"229"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "told"),
    [
        (b"", "multipart/form-data", 422, "boundary"),
        (b"nonsense", "multipart/form-data; boundary=x", 422, "multipart/form-data"),
        (b"--x\r\n", "multipart/form-data; boundary=x", 422, "last boundary"),
        (b"--x\r\n\r\na\r\n--x--\r\n", "multipart/form-data; boundary=x", 422, "with a name"),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422, "at least one file"),
        (b"{}", "application/json", 422, "multipart/form-data"),
    ],
)
def test_a_form_that_is_none_is_told_so(
    client: httpx.Client, context: str, body: bytes, content_type: str, status: int, told: str
) -> None:
    answer = client.post(f"{context}/images", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert told in answer.json()["detail"]


def test_images_come_in_pages_by_state(client: httpx.Client, context: str) -> None:
    client.post(f"{context}/images", files=upload(*((f"{n:02}", CAT) for n in range(7))))
    first = client.get(f"{context}/images", params={"limit": 4}).json()
    rest = client.get(f"{context}/images", params={"limit": 4, "cursor": first["next_cursor"]}).json()
    assert [each["image_id"] for each in first["items"] + rest["items"]] == [f"{n:02}" for n in range(7)]
    assert rest["next_cursor"] is None
    assert listed(client, context, state="ready") == []
    assert len(listed(client, context, state="pending")) == 7


def test_content_is_shown_safely(client: httpx.Client, context: str) -> None:
    page = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    client.put(f'{context}/images/cats/m\u00fcde "cat".jpg', content=CAT)
    client.put(f"{context}/images/page.jpg", content=page)
    shown = client.get(f'{context}/content/cats/m\u00fcde "cat".jpg')
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Disposition"].startswith(
        'inline; filename="m_de__cat_.jpg"; filename*=UTF-8'
    )
    assert int(shown.headers["Content-Length"]) == len(CAT)
    again = client.get(shown.url, headers={"If-None-Match": shown.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"{context}/content/page.jpg")
    assert other.headers["Content-Type"] == "application/octet-stream"
    assert other.headers["Content-Disposition"].startswith("attachment")


def test_only_folders_under_an_import_root_are_imported(
    client: httpx.Client, context: str, import_root: Path, tmp_path: Path
) -> None:
    (import_root / "2026").mkdir()
    (import_root / "out").symlink_to(tmp_path)
    allowed = client.post(f"{context}/imports", json={"source": str(import_root / "2026")})
    assert allowed.status_code == 202
    assert [stage["name"] for stage in allowed.json()["stages"]] == ["import", "extract"]
    refused = [str(tmp_path), f"{import_root}/../", f"{import_root}/out", "/etc", "2026", "s3://bucket"]
    refused += [str(import_root / "none"), "a\0b"]
    for source in refused:
        answer = client.post(f"{context}/imports", json={"source": source})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_source"), source
    assert str(import_root) in client.post(f"{context}/imports", json={"source": "/etc"}).json()["detail"]
    archive = import_root / "2026" / "photos.zip"
    archive.write_bytes(b"")
    copying = {"source": str(archive), "copy": True, "complete": True}
    made = client.post(f"{context}/imports", json=copying)
    assert made.status_code == 202
    assert made.json()["parameters"] == copying
