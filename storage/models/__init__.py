"""The tables, a module a noun. Queries live with their noun, in storage's module of that name."""

from storage.models.base import Base
from storage.models.clients import BrowserSession, Client, SigningKey
from storage.models.contents import Content, FeatureBlock, Match
from storage.models.contexts import Context, Decision, Removal
from storage.models.files import StoredFile, Tag
from storage.models.groups import Group, Grouping, Lineage
from storage.models.images import Image, OtherFile
from storage.models.jobs import IdempotencyKey, Job, JobError, Shard, Stage
from storage.models.notices import Delivery, Notice, Webhook
from storage.models.schedules import Schedule, ScheduleRun

__all__ = [
    "Base",
    "BrowserSession",
    "Client",
    "Content",
    "Context",
    "Decision",
    "Delivery",
    "FeatureBlock",
    "Group",
    "Grouping",
    "IdempotencyKey",
    "Image",
    "Job",
    "JobError",
    "Lineage",
    "Match",
    "Notice",
    "OtherFile",
    "Removal",
    "Schedule",
    "ScheduleRun",
    "Shard",
    "SigningKey",
    "Stage",
    "StoredFile",
    "Tag",
    "Webhook",
]
