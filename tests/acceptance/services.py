"""A `lookalike serve` of one kind or the other, as programs know it that were written for Aspose's cloud."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asposeimagingcloud import ImagingApi

from tests.acceptance.command import environment, free_port, run, running, wait_until_ready


@dataclass(frozen=True)
class Service:
    """A server, and what a client needs to know of it."""

    url: str
    client_id: str = ""
    client_secret: str = ""

    def api(self) -> ImagingApi:
        """Return the SDK's client: secret first."""
        return ImagingApi(self.client_secret, self.client_id, self.url, "v3.0", False)


@contextmanager
def serving(auth: str, folder: Path) -> Iterator[Service]:
    """Run a server, `open` or with a client of its own."""
    port = free_port()
    credentials = {}
    if auth == "clients":
        added = run("clients", "add", "the SDK", "--data-dir", folder / "data")
        assert added.returncode == 0, added.stderr
        credentials = dict(re.findall(r"^(client_id|client_secret)=(.+)$", added.stdout, re.MULTILINE))
    env = environment(LOOKALIKE_AUTH=auth, LOOKALIKE_ALLOW_PRIVATE_ADDRESSES="true")
    log = folder / "serve.log"
    with running("serve", "--port", port, "--data-dir", folder / "data", log=log, env=env) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process, log)
        yield Service(url, **credentials)
