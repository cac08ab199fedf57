"""Aspose.Imaging Cloud's SDK for Python, as it is published, against `lookalike serve`: every operation."""

from __future__ import annotations

import base64
import http.server
import json
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import asposeimagingcloud.models.requests as asked
import pytest
from asposeimagingcloud import ImagingApi
from asposeimagingcloud.rest import ApiException

from tests.acceptance import comparables
from tests.acceptance.services import Service

DATA, STORAGE = "ImagingIntegrationTestData/AI", "Imaging-QA"
SOURCE = f"{DATA}/FindSimilar"


@pytest.fixture(autouse=True)
def _downloads_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The SDK saves downloads under their names in the folder for temporary files, where others have theirs.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture(scope="module")
def api(service: Service) -> ImagingApi:
    return service.api()


@pytest.fixture(scope="module")
def pictures(api: ImagingApi, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pictures as files of this machine, by name; all of them are in the storage too."""
    folder = tmp_path_factory.mktemp("pictures")
    files = {
        "ComparableImage.jpg": comparables.comparable(),
        "ComparingImageSimilar75.jpg": comparables.similar_75(),
        "ComparingImageSimilar15.jpg": comparables.similar_15(),
        **{f"FindSimilar/{name}": data for name, data in comparables.find_similar().items()},
    }
    (folder / "FindSimilar").mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
        api.upload_file(asked.UploadFileRequest(f"{DATA}/{name}", str(folder / name), STORAGE))
    return {name: folder / name for name in files}


@pytest.fixture
def context(api: ImagingApi, pictures: dict[str, Path]) -> Iterator[str]:
    """A search context, deleted at the end as the SDK's own tests do."""
    made = api.create_image_search(asked.CreateImageSearchRequest("akaze", "randomBinaryTree", None, STORAGE))
    assert made.search_status == "Idle"
    yield made.id
    api.delete_image_search(asked.DeleteImageSearchRequest(made.id, storage=STORAGE))
    with pytest.raises(ApiException) as raised:
        api.get_image_search_status(asked.GetImageSearchStatusRequest(made.id, storage=STORAGE))
    assert (raised.value.code, raised.value.error.code) == (404, "not_found")


def extract(api: ImagingApi, context: str, name: str) -> None:
    request = asked.CreateImageFeaturesRequest(context, image_id=f"{DATA}/{name}", storage=STORAGE)
    api.create_image_features(request)


def extract_folder(api: ImagingApi, context: str) -> None:
    """As the SDK's tests do: start, then ask until it is idle."""
    api.create_image_features(
        asked.CreateImageFeaturesRequest(context, images_folder=SOURCE, storage=STORAGE)
    )
    for _ in range(600):
        status = api.get_image_search_status(asked.GetImageSearchStatusRequest(context, storage=STORAGE))
        if status.search_status == "Idle":
            return
        assert status.search_status == "ExtractingFeatures"
    raise AssertionError("never idle")


def features(api: ImagingApi, context: str, image_id: str) -> Any:
    return api.get_image_features(asked.GetImageFeaturesRequest(context, image_id, storage=STORAGE))


def test_images_are_added_read_updated_and_deleted(
    api: ImagingApi, context: str, pictures: dict[str, Path]
) -> None:
    name, other = "TempAI/ComparingImageSimilar15.jpg", "TempAI/ComparableImage.jpg"
    first, second = pictures["ComparingImageSimilar15.jpg"], pictures["ComparableImage.jpg"]
    api.add_search_image(asked.AddSearchImageRequest(context, name, str(first), storage=STORAGE))
    assert api.object_exists(asked.ObjectExistsRequest(name, STORAGE)).exists

    def read(image_id: str) -> bytes:
        request = asked.GetSearchImageRequest(context, image_id, storage=STORAGE)
        return Path(api.get_search_image(request)).read_bytes()

    assert read(name) == first.read_bytes()
    # One that was never added is added.
    api.update_search_image(asked.UpdateSearchImageRequest(context, other, str(second), storage=STORAGE))
    assert read(other) == second.read_bytes()
    for image_id in (name, "never/added.jpg"):
        api.delete_search_image(asked.DeleteSearchImageRequest(context, image_id, storage=STORAGE))
    with pytest.raises(ApiException) as raised:
        read(name)
    assert raised.value.code == 404


def test_features_are_extracted_read_updated_and_deleted(
    api: ImagingApi, context: str, pictures: dict[str, Path]
) -> None:
    name = f"{DATA}/ComparingImageSimilar15.jpg"
    extract(api, context, "ComparingImageSimilar15.jpg")
    found = features(api, context, name)
    assert found.image_id == name
    assert len(base64.b64decode(found.features)) == found.features_count * (
        32 + found.feature_length_in_bits // 8
    )
    loose = api.extract_image_features(asked.ExtractImageFeaturesRequest(context, name, storage=STORAGE))
    assert loose.features == found.features
    sent = str(pictures["ComparableImage.jpg"])
    api.update_image_features(asked.UpdateImageFeaturesRequest(context, name, sent, storage=STORAGE))
    assert len(features(api, context, name).features) != len(found.features)
    api.delete_image_features(asked.DeleteImageFeaturesRequest(context, name, storage=STORAGE))
    with pytest.raises(ApiException) as raised:
        features(api, context, name)
    assert raised.value.error.code == "not_found"


def test_images_are_compared(api: ImagingApi, context: str, pictures: dict[str, Path]) -> None:
    for name in ("ComparableImage.jpg", "ComparingImageSimilar75.jpg"):
        extract(api, context, name)
    ids = [f"{DATA}/ComparableImage.jpg", f"{DATA}/ComparingImageSimilar75.jpg"]
    request = asked.CompareImagesRequest(context, ids[0], image_id2=ids[1], storage=STORAGE)
    (alike,) = api.compare_images(request).results
    assert alike.similarity >= 70
    sent = str(pictures["ComparingImageSimilar15.jpg"])
    request = asked.CompareImagesRequest(context, ids[0], image_data=sent, storage=STORAGE)
    (unlike,) = api.compare_images(request).results
    assert unlike.similarity <= 15


def test_duplicates_are_found_in_a_folder_and_three_more(api: ImagingApi, context: str) -> None:
    extract_folder(api, context)
    assert len(features(api, context, f"{SOURCE}/3.jpg").features) > 0
    for name in ("ComparableImage.jpg", "ComparingImageSimilar75.jpg", "ComparingImageSimilar15.jpg"):
        extract(api, context, name)
    request = asked.FindImageDuplicatesRequest(context, 80.0, storage=STORAGE)
    (group,) = api.find_image_duplicates(request).duplicates
    found = {image.image_id: image.similarity for image in group.duplicate_images}
    assert found[f"{SOURCE}/2.jpg"] == found[f"{DATA}/ComparableImage.jpg"] == 100.0
    assert 80 <= found[f"{DATA}/ComparingImageSimilar75.jpg"] < 100


def test_similar_images_are_found_by_image_and_by_tag(
    api: ImagingApi, context: str, pictures: dict[str, Path]
) -> None:
    extract_folder(api, context)
    request = asked.FindSimilarImagesRequest(context, 3.0, 3, image_id=f"{SOURCE}/4.jpg", storage=STORAGE)
    assert 1 <= len(api.find_similar_images(request).results) <= 3
    sent = str(pictures["ComparingImageSimilar75.jpg"])
    api.create_image_tag(asked.CreateImageTagRequest(sent, context, "TestTag", storage=STORAGE))
    tags = json.dumps(["TestTag"])
    request = asked.FindImagesByTagsRequest(tags, context, 60.0, 5, storage=STORAGE)
    (found,) = api.find_images_by_tags(request).results
    assert found.image_id == f"{SOURCE}/2.jpg"


def test_images_of_a_web_page_are_taken_in_under_their_urls(
    api: ImagingApi, context: str, tmp_path: Path
) -> None:
    (tmp_path / "a b.jpg").write_bytes(comparables.similar_75())
    (tmp_path / "page.html").write_text('<p><img src="a%20b.jpg"><img src="gone.jpg">')
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = f"http://127.0.0.1:{server.server_port}/page.html"
        request = asked.CreateWebSiteImageFeaturesRequest(context, page, storage=STORAGE)
        api.create_web_site_image_features(request)
        server.shutdown()
    url = page.replace("page.html", "a%20b.jpg")
    assert features(api, context, url).image_id == url
    with pytest.raises(ApiException) as raised:
        api.create_web_site_image_features(asked.CreateWebSiteImageFeaturesRequest(context, page))
    assert (raised.value.code, raised.value.error.code) == (400, "outbound_failed")


def test_the_storage_copies_moves_lists_and_removes(api: ImagingApi, pictures: dict[str, Path]) -> None:
    def names(path: str) -> list[str]:
        return [each.name for each in api.get_files_list(asked.GetFilesListRequest(path, STORAGE)).value]

    def exists(path: str) -> bool:
        return bool(api.object_exists(asked.ObjectExistsRequest(path, STORAGE)).exists)

    assert "FindSimilar" in names(DATA)
    api.copy_folder(asked.CopyFolderRequest(SOURCE, "Temp/copied", STORAGE, STORAGE))
    api.move_folder(asked.MoveFolderRequest("Temp/copied", "Temp/moved", STORAGE, STORAGE))
    assert names("Temp") == ["moved"]
    api.copy_file(asked.CopyFileRequest("Temp/moved/2.jpg", "Temp/ü 2.jpg", STORAGE, STORAGE))
    api.move_file(asked.MoveFileRequest("Temp/moved/1.jpg", "Temp/1.jpg", STORAGE, STORAGE))
    for path in ("Temp/ü 2.jpg", f"{SOURCE}/2.jpg"):
        saved = api.download_file(asked.DownloadFileRequest(path, STORAGE))
        assert Path(saved).read_bytes() == comparables.comparable()
    (version,) = api.get_file_versions(asked.GetFileVersionsRequest("Temp/1.jpg", STORAGE)).value
    assert version.is_latest
    api.create_folder(asked.CreateFolderRequest("Temp/empty", STORAGE))
    assert names("Temp") == ["1.jpg", "empty", "moved", "ü 2.jpg"]
    api.delete_file(asked.DeleteFileRequest("Temp/1.jpg", STORAGE, version.version_id))
    assert not exists("Temp/1.jpg")
    api.delete_folder(asked.DeleteFolderRequest("Temp", STORAGE, True))
    assert not exists("Temp")
    assert api.storage_exists(asked.StorageExistsRequest(STORAGE)).exists
    assert not api.storage_exists(asked.StorageExistsRequest("NonExistingStorage")).exists
    usage = api.get_disc_usage(asked.GetDiscUsageRequest(STORAGE))
    assert 0 < usage.used_size < usage.total_size


def test_an_error_tells_what_is_wrong(api: ImagingApi, context: str) -> None:
    with pytest.raises(ApiException) as raised:
        extract(api, context, "nothing.jpg")
    error = raised.value.error
    assert (raised.value.code, error.code, error.message) == (404, "not_found", "Not Found")
    assert "nothing.jpg" in error.description


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's word)
        """Say nothing."""
