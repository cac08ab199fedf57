"""Settings from the environment, prefix LOOKALIKE_."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from platformdirs import user_data_path
from pydantic import Field, PositiveInt, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lookalike.errors import InvalidInput

PREFIX = "LOOKALIKE_"


class Settings(BaseSettings):
    """What can be set, with what holds when it is not. `Settings.load()` tells errors by variable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Field(default_factory=lambda: user_data_path("lookalike"))
    # Empty: an SQLite file in data_dir.
    database_url: str = ""
    # None: embedded mode, with a private broker.
    broker_url: str | None = None
    # Empty: a folder in data_dir. Anything that fsspec opens, such as s3://bucket/prefix.
    blob_url: str = ""
    # Folders that the API may import from, separated like PATH; none means no import over HTTP.
    import_roots: Annotated[list[Path], NoDecode] = Field(default_factory=list)
    # open: nobody is asked who they are. clients: everybody has an id and a secret, see `lookalike clients`.
    # What URLs that may be imported begin with, separated by spaces, such as s3://photos; none means none.
    import_urls: Annotated[list[str], NoDecode] = Field(default_factory=list)
    auth: Literal["open", "clients"] = "open"
    # Whether web pages and webhooks may be on this machine or its network.
    allow_private_addresses: bool = False
    # Whether webhooks may be sent in the clear.
    webhooks_over_http: bool = False
    # The plain words without which a server on other addresses than loopback needs accounts.
    open_to_everybody: bool = False
    # The SDKs of Aspose never ask for a second token, so one lasts long; revoking ends it at once.
    token_hours: Annotated[int, Field(ge=24)] = 30 * 24
    session_hours: PositiveInt = 24
    # Whose word is taken for where a request came from and whether it was https: addresses or networks.
    trusted_proxies: str = "127.0.0.1"
    # What Prometheus sends as a bearer token: /metrics counts for all clients, so it is the operator's alone.
    metrics_token: str = ""
    # How long an answer of the Aspose-compatible API waits for its job: just under what those SDKs do.
    compat_wait_seconds: PositiveInt = 590
    max_image_bytes: PositiveInt = 256 * 1024**2
    # As in lookalike.decoding.Limits: what keeps a worker process under 1 GiB. A JPEG, which is read at a
    # fraction of its size, may have four times as many.
    max_image_pixels: PositiveInt = 89_478_485
    max_image_frames: PositiveInt = 10_000
    job_expiry_days: PositiveInt = 30
    # Of how many runs the groups can be read, in each context and at each threshold.
    kept_runs: PositiveInt = 30
    # For how long it is known, by hash, that an image was removed from a context.
    remembered_days: PositiveInt = 365
    worker_processes: PositiveInt = Field(default_factory=lambda: os.cpu_count() or 1)
    # What a process may take for one shard of the join, beside what it always takes.
    join_memory_bytes: Annotated[int, Field(ge=64 * 1024**2)] = 1024**3
    # What the features that are kept from job to job may take of a worker's disk: 4 KB an image.
    cache_bytes: Annotated[int, Field(ge=0)] = 16 * 1024**3
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("import_roots", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("import_urls", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return value.split() if isinstance(value, str) else value

    @field_validator("import_urls")
    @classmethod
    def _are_urls(cls, value: list[str]) -> list[str]:
        for url in value:
            if "://" not in url or "::" in url:
                raise ValueError(f"{url!r} is no URL such as s3://photos")
        return value

    @field_validator("import_roots")
    @classmethod
    def _existing(cls, value: list[Path]) -> list[Path]:
        for root in value:
            if not root.is_dir():
                raise ValueError(f"there is no folder {str(root)!r}")
        return [root.resolve() for root in value]

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        scheme = value.split(":", 1)[0].split("+", 1)[0]
        if value and scheme not in ("sqlite", "postgresql", "postgres"):
            raise ValueError(f"begins with {scheme!r}; use sqlite:///… or postgresql://…")
        return value

    def model_post_init(self, context: Any) -> None:
        """Fill in what depends on the data directory."""
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data_dir / 'lookalike.db'}")
        if not self.blob_url:
            object.__setattr__(self, "blob_url", str(self.data_dir / "blobs"))

    @property
    def is_embedded(self) -> bool:
        """Whether this process runs a broker of its own."""
        return self.broker_url is None

    @classmethod
    def load(cls, **values: Any) -> Self:
        """Read the environment; values override it. Raises InvalidInput that names the variable."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise InvalidInput("; ".join(_told(each) for each in error.errors())) from None


def _told(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    return f"{PREFIX}{name.upper()} is {error.get('input')!r}: {error['msg'].removeprefix('Value error, ')}"
