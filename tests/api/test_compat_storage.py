from __future__ import annotations

import re

import httpx
import pytest

from tests.api.conftest import MOST_BYTES

STORAGE = "/v3.0/imaging/storage"


@pytest.fixture
def folder(client: httpx.Client, request: pytest.FixtureRequest) -> str:
    """A folder of the storage that no other test uses."""
    return f"{request.node.originalname}"


def upload(client: httpx.Client, path: str, data: bytes, **params: str) -> httpx.Response:
    answer = client.put(f"{STORAGE}/file/{path}", content=data, params=params)
    assert answer.status_code == 200, answer.text
    return answer


def exists(client: httpx.Client, path: str, **params: str) -> dict[str, bool]:
    answer: dict[str, bool] = client.get(f"{STORAGE}/exist/{path}", params=params).json()
    return answer


def listed(client: httpx.Client, path: str, **params: str) -> list[str]:
    answer = client.get(f"{STORAGE}/folder/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["value"]]


def test_a_file_comes_back_as_it_was_sent(client: httpx.Client, folder: str) -> None:
    assert upload(client, f"{folder}/a.txt", b"words").content == b'{"uploaded":["a.txt"],"errors":[]}'
    form = {"File": ("b.txt", b"more words")}
    answer = client.put(f"{STORAGE}/file/{folder}/b.txt", files=form)
    assert answer.content == b'{"uploaded":["b.txt"],"errors":[]}'
    client.put(f"{STORAGE}/file/{folder}/empty.txt", files={"File": ("empty.txt", b"")})
    assert client.get(f"{STORAGE}/file/{folder}/empty.txt").content == b""
    for address in (f"{folder}/a.txt", f"{folder}%2Fa.txt", f"/{folder}/a.txt"):
        assert client.get(f"{STORAGE}/file/{address}").content == b"words"
    assert exists(client, f"{folder}/a.txt") == {"exists": True, "isFolder": False}
    assert exists(client, f"{folder}%2Fb.txt") == {"exists": True, "isFolder": False}
    assert exists(client, folder) == {"exists": True, "isFolder": True}
    assert exists(client, f"{folder}/c.txt") == {"exists": False, "isFolder": False}


def test_a_listing_has_the_keys_that_the_sdks_know_and_no_others(client: httpx.Client, folder: str) -> None:
    upload(client, f"{folder}/sub/a.txt", b"words")
    upload(client, f"{folder}/b.txt", b"four")
    below, file = client.get(f"{STORAGE}/folder/{folder}").json()["value"][::-1]
    assert set(file) == {"name", "isFolder", "modifiedDate", "size", "path"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", file.pop("modifiedDate"))
    assert file == {"name": "b.txt", "isFolder": False, "size": 4, "path": f"/{folder}/b.txt"}
    assert (below["name"], below["isFolder"], below["size"]) == ("sub", True, 0)
    assert folder in listed(client, "")


def test_files_and_folders_are_copied_moved_and_removed(client: httpx.Client, folder: str) -> None:
    upload(client, f"{folder}/in/a.txt", b"words", storageName="First")
    two = {"srcStorageName": "First", "destStorageName": "Second"}

    def change(path: str, to: str) -> None:
        answer = client.put(f"{STORAGE}/{path}", params={"destPath": to, **two})
        assert (answer.status_code, answer.content) == (200, b"")

    change(f"file/copy/{folder}/in/a.txt", f"{folder}/b.txt")
    change(f"folder/copy/{folder}/in", f"{folder}/copied")
    change(f"folder/move/{folder}/in", f"{folder}/moved")
    assert listed(client, folder, storageName="Second") == ["b.txt", "copied", "moved"]
    assert not exists(client, f"{folder}/in", storageName="First")["exists"]
    two = {"srcStorageName": "Second", "destStorageName": "Second"}
    change(f"file/move/{folder}/b.txt", f"{folder}/c.txt")
    assert listed(client, folder, storageName="Second") == ["c.txt", "copied", "moved"]
    gone = client.delete(f"{STORAGE}/file/{folder}/c.txt", params={"storageName": "Second"})
    assert (gone.status_code, gone.content) == (200, b"")
    full = client.delete(f"{STORAGE}/folder/{folder}", params={"storageName": "Second"})
    assert full.status_code == 409
    # As the SDK for Python writes it.
    params = {"storageName": "Second", "recursive": "True"}
    assert client.delete(f"{STORAGE}/folder/{folder}", params=params).status_code == 200
    assert exists(client, folder, storageName="Second") == {"exists": False, "isFolder": False}


def test_a_folder_can_be_made_and_takes_files_under_their_own_names(
    client: httpx.Client, folder: str
) -> None:
    assert client.put(f"{STORAGE}/folder/{folder}").content == b""
    assert exists(client, folder) == {"exists": True, "isFolder": True}
    several = [("one", ("a.txt", b"1")), ("two", ("dir/b.txt", b"2"))]
    answer = client.put(f"{STORAGE}/file/{folder}", files=several)
    assert answer.json()["uploaded"] == ["a.txt", "b.txt"]
    assert listed(client, folder) == ["a.txt", "b.txt"]


def test_a_storage_is_there_once_something_is_in_it(client: httpx.Client, folder: str) -> None:
    assert client.get(f"{STORAGE}/{folder}/exist").content == b'{"exists":false}'
    upload(client, "a.txt", b"words", storageName=folder)
    assert client.get(f"{STORAGE}/{folder}/exist").content == b'{"exists":true}'
    assert listed(client, "", storageName=folder) == ["a.txt"]
    usage = client.get(f"{STORAGE}/disc", params={"storageName": folder}).json()
    assert usage["usedSize"] == 5 < usage["totalSize"]


def test_the_one_version_of_a_file_is_the_present_one(client: httpx.Client, folder: str) -> None:
    upload(client, f"{folder}/a.txt", b"old")
    (version,) = client.get(f"{STORAGE}/version/{folder}/a.txt").json()["value"]
    assert (version["isLatest"], version["size"]) == (True, 3)
    upload(client, f"{folder}/a.txt", b"newer")
    known = {"versionId": version["versionId"]}
    assert not exists(client, f"{folder}/a.txt", **known)["exists"]
    assert client.get(f"{STORAGE}/file/{folder}/a.txt", params=known).status_code == 404
    assert client.get(f"{STORAGE}/file/{folder}/a.txt").content == b"newer"


@pytest.mark.parametrize(
    "name", ["b%C3%A4r.txt", "a%20b.txt", "%E5%9B%BE.jpg", "it's.txt", "%20.txt", '%22".txt']
)
def test_a_download_has_a_plain_file_name_whatever_it_is_called(
    client: httpx.Client, folder: str, name: str
) -> None:
    # The SDK for Python crashes where there is only filename*=, or nothing to read in filename=.
    upload(client, f"{folder}/{name}", b"words")
    disposition = client.get(f"{STORAGE}/file/{folder}/{name}").headers["Content-Disposition"]
    found = re.search(r"filename=['\"]?([^'\"\s]+)['\"]?", disposition)
    assert found
    assert found[1].isascii()


@pytest.mark.parametrize(
    "path", ["%2E%2E/secret", "a/%2E%2E/%2E%2E/b", "a%2F..%2Fb", "a/%2E/b", "a%00b", "a//b"]
)
def test_a_path_that_climbs_out_is_refused(client: httpx.Client, path: str) -> None:
    for answer in (
        client.get(f"{STORAGE}/file/{path}"),
        client.put(f"{STORAGE}/file/{path}", content=b"x"),
        client.get(f"{STORAGE}/exist/{path}"),
        client.put(f"{STORAGE}/folder/copy/a", params={"destPath": httpx.URL(f"/{path}").path}),
    ):
        assert answer.status_code in (400, 404), answer.request.url
        assert set(answer.json()["error"]) == {"code", "message", "description", "innerError"}


def test_what_is_refused_says_why(client: httpx.Client, folder: str) -> None:
    upload(client, f"{folder}/a.txt", b"words")
    answers = {
        "not_found": client.get(f"{STORAGE}/file/{folder}/none.txt"),
        "wrong_kind": client.put(f"{STORAGE}/file/{folder}", content=b"x"),
        "invalid_input": client.put(f"{STORAGE}/file/{folder}/b.txt"),
        "image_too_large": client.put(f"{STORAGE}/file/{folder}/b.txt", content=b"x" * (MOST_BYTES + 1)),
        "conflict": client.delete(f"{STORAGE}/folder/{folder}"),
        "no_such_route": client.get(f"{STORAGE}/nothing/of/that/kind"),
        "method_not_allowed": client.post(f"{STORAGE}/disc"),
    }
    answers["wrong_kind"] = client.put(f"{STORAGE}/folder/{folder}/a.txt")
    found = {code: answer.json()["error"]["code"] for code, answer in answers.items()}
    assert found == {code: code for code in answers}
    for answer in answers.values():
        assert answer.status_code >= 400
        assert answer.content.startswith(b'{"error":{"code":"')
