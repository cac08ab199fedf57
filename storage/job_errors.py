"""What went wrong with single images of a job."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import and_, func, literal, or_, select

from storage.db import Session
from storage.inserts import insert_ignoring
from storage.models import Content, Image, JobError
from storage.pages import Page, checked_limit, decode_cursor, page_of

_ROWS_AT_A_TIME = 500


def record(session: Session, job_id: uuid.UUID, errors: Iterable[tuple[str, str, str]]) -> None:
    """Add (image_id, code, detail); an image that has an error in this job keeps it."""
    rows = [
        {"job_id": job_id, "image_id": image_id, "code": code, "detail": detail}
        for image_id, code, detail in errors
    ]
    for start in range(0, len(rows), _ROWS_AT_A_TIME):
        part = rows[start : start + _ROWS_AT_A_TIME]
        session.execute(insert_ignoring(session, JobError).values(part))


def find(session: Session, job_id: uuid.UUID, image_id: str) -> JobError | None:
    """Return what went wrong with one image of a job, or None."""
    query = select(JobError).where(JobError.job_id == job_id, JobError.image_id == image_id)
    return session.scalars(query).one_or_none()


def record_known(session: Session, job_id: uuid.UUID, context_id: uuid.UUID, extractor_version: int) -> None:
    """Add what is known to be wrong with live images of a context: their bytes are not tried again."""
    is_current = Content.extractor_version == extractor_version
    known = (
        select(
            literal(job_id, JobError.job_id.type),
            Image.image_id,
            func.coalesce(Image.error_code, Content.error_code),
            func.coalesce(Image.error_detail, Content.error_detail, ""),
        )
        .outerjoin(Content, Content.id == Image.content_id)
        .where(
            Image.context_id == context_id,
            Image.removed_revision.is_(None),
            or_(Image.error_code.is_not(None), and_(Content.error_code.is_not(None), is_current)),
        )
    )
    columns = ["job_id", "image_id", "code", "detail"]
    session.execute(insert_ignoring(session, JobError).from_select(columns, known))


def page(
    session: Session, job_id: uuid.UUID, *, limit: int = 100, cursor: str | None = None
) -> Page[JobError]:
    """Return the errors of a job by image id."""
    query = select(JobError).where(JobError.job_id == job_id).order_by(JobError.image_id)
    if cursor is not None:
        query = query.where(JobError.image_id > decode_cursor(cursor)[0])
    rows = session.scalars(query.limit(checked_limit(limit) + 1)).all()
    return page_of(rows, limit, key=lambda error: [error.image_id])


def count(session: Session, job_id: uuid.UUID) -> int:
    """Return how many images of a job have an error."""
    query = select(func.count()).select_from(JobError).where(JobError.job_id == job_id)
    return int(session.scalar(query) or 0)


def of_contents(
    session: Session, sha256s: Iterable[bytes], extractor_version: int
) -> dict[bytes, tuple[str, str]]:
    """Return code and detail of those contents that cannot be decoded."""
    query = select(Content.sha256, Content.error_code, func.coalesce(Content.error_detail, "")).where(
        Content.sha256.in_(list(sha256s)),
        Content.error_code.is_not(None),
        Content.extractor_version == extractor_version,
    )
    return {row[0]: (str(row[1]), row[2]) for row in session.execute(query)}
