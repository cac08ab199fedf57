"""What the routes work with, made once for each application."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from api.accounts import Accounts
from api.listeners import NoticeWatcher
from api.metrics import Metrics
from api.watcher import JobWatcher
from storage.blobs import Blobs
from storage.db import Database
from storage.settings import Settings
from worker.dispatch import Dispatcher
from worker.tools import Tools, make_tools


@dataclass(frozen=True)
class Parts:
    """The settings, stores and doors of one application."""

    settings: Settings
    database: Database
    blobs: Blobs
    dispatcher: Dispatcher
    watcher: JobWatcher
    metrics: Metrics
    accounts: Accounts
    listeners: NoticeWatcher

    @property
    def cache_dir(self) -> Path:
        """Where what can be made anew is kept, shared with the workers of this machine."""
        return self.settings.data_dir / "cache"

    def tools(self) -> Tools:
        """Return the engine's tools for one request: what they keep is for one thread alone."""
        return make_tools(self.settings, database=self.database, blobs=self.blobs)
