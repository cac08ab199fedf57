from __future__ import annotations

import re

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Enough to meet each kind of value; the whole takes seconds.
EXAMPLES = 4


@pytest.fixture(scope="session")
def described(working: httpx.Client) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{working.base_url}/openapi.json")


def test_whatever_is_sent_is_answered_as_described(
    working: httpx.Client, described: schemathesis.BaseSchema
) -> None:
    for found in described.get_all_operations():
        operation = found.ok()

        @hypothesis.seed(1)
        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(case=operation.as_strategy())
        def is_answered(case: schemathesis.Case) -> None:
            case.call_and_validate(base_url=str(working.base_url), checks=CHECKS, timeout=20)

        is_answered()


def test_every_operation_is_told_in_words(working: httpx.Client) -> None:
    described = working.get("/openapi.json").json()
    tags = {tag["name"] for tag in described["tags"]}
    for path, methods in [*described["paths"].items(), *described["webhooks"].items()]:
        for operation in methods.values():
            assert set(operation["tags"]) <= tags
            assert operation["summary"][0].isupper(), path
            assert re.fullmatch("[a-z_]+", operation["operationId"])


def test_the_docs_are_readable_without_a_network(working: httpx.Client) -> None:
    page = working.get("/docs").text
    assert "Two images of the context" in page
    assert "/v1/jobs/{job_id}/groups" in page
    assert "A schedule could not make its job" in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
