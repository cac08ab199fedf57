"""The listings of docs/migrating-from-aspose.md, run as they stand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from asposeimagingcloud.models.requests import CreateImageSearchRequest
from asposeimagingcloud.rest import ApiException

from tests.acceptance import comparables
from tests.acceptance.command import ROOT, environment
from tests.acceptance.services import Service
from tests.acceptance.test_readme import needs_curl

GUIDE = (ROOT / "docs/migrating-from-aspose.md").read_text()


def listing(language: str) -> str:
    """The block of the guide that the comment above it marks."""
    marked = rf"test_aspose_guide\.py runs this \w+ as it stands\. -->\n```{language}\n(.*?)```"
    (block,) = re.findall(marked, GUIDE, re.DOTALL)
    return str(block)


def run(command: list[str], service: Service, **variables: str) -> str:
    """Run a listing with the server's address and the client's credentials."""
    known = {"SERVER": service.url, "CLIENT_ID": service.client_id, "CLIENT_SECRET": service.client_secret}
    done = subprocess.run(
        command,
        env=environment(**known, **variables),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_curl
def test_the_guides_listings_do_what_they_say(service: Service, tmp_path: Path) -> None:
    files = {
        "a.jpg": comparables.comparable(),
        "b.jpg": comparables.comparable(),
        "c.jpg": comparables.similar_15(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    printed = run([sys.executable, "-c", listing("python")], service, PHOTOS=str(tmp_path))
    assert printed == "a.jpg 100.0, b.jpg 100.0\n"
    context = last_context(service)
    lines = run(["bash", "-euo", "pipefail", "-c", listing("sh")], service, CONTEXT=context).splitlines()
    expected = '{"Duplicates":[{"duplicatesInGroup":[{"ImageId":"a.jpg","Similarity":100.0},'
    assert len(lines) == 4
    for line in lines:
        assert line.startswith(expected)
        assert (json.loads(line)["Code"], json.loads(line)["Status"]) == (200, "OK")


def last_context(service: Service) -> str:
    """The id of the context that was made last, as version 1 lists it."""
    answer = httpx.get(f"{service.url}/v1/contexts", params={"limit": "1000"}, headers=bearer(service))
    return str(answer.json()["items"][-1]["id"])


def bearer(service: Service) -> dict[str, str]:
    form = {
        "grant_type": "client_credentials",
        "client_id": service.client_id,
        "client_secret": service.client_secret,
    }
    token = httpx.post(f"{service.url}/connect/token", data=form).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("service", ["clients"], indirect=True)
def test_swapped_credentials_are_refused_in_words(service: Service) -> None:
    swapped = replace(service, client_id=service.client_secret, client_secret=service.client_id)
    with pytest.raises(ApiException) as raised:
        swapped.api().create_image_search(CreateImageSearchRequest())
    assert raised.value.code == 401
    form = {
        "grant_type": "client_credentials",
        "client_id": swapped.client_id,
        "client_secret": swapped.client_secret,
    }
    refused = httpx.post(f"{service.url}/connect/token", data=form)
    assert (refused.status_code, "swapped" in refused.json()["error_description"]) == (401, True)
