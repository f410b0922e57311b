"""The API keeps what its OpenAPI document says, whatever is sent: no 5xx, no other status, no other shape.

`FUZZ=long` tries more of everything.
"""

import os
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from scheduler.state.people.actors import Scope
from tests.scheduler.night import Night
from tests.scheduler.plans import single
from tests.web.served import Served
from web.api.callers import PREFIX

IS_LONG = os.environ.get("FUZZ") == "long"
EXAMPLES = 100 if IS_LONG else 6
ELSEWHERE = {"/events", "/storage"}  # one never ends, the other starts a process that asks a service
CHECKS = [
    schemathesis.checks.not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def schema(page: Served, night: Night) -> Any:
    load_all_checks()
    night.submit(single("fuzzed", 2, prefix="f"))
    answer = httpx.get(page.url + PREFIX + "/openapi.json", trust_env=False)
    assert answer.status_code == 200
    loaded = schemathesis.openapi.from_dict(answer.json())
    loaded.config.update(base_url=page.url + PREFIX)
    return loaded


def try_each(page: Served, schema: Any, examples: int, places: dict[str, Any]) -> int:
    """Try each operation; `places` go into its path. Return how many there are."""
    headers, tried = {"Authorization": f"Bearer {page.make_token('fuzz', Scope.ADMIN, 'fuzz')}"}, 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in ELSEWHERE:
            continue

        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def call(case: Any) -> None:
            case.path_parameters = {key: places.get(key, value) for key, value in (case.path_parameters or {}).items()}
            case.call_and_validate(headers=headers, checks=CHECKS)

        call()
        tried += 1
    return tried


@pytest.mark.timeout(1800 if IS_LONG else 170)
def test_whatever_is_sent_is_answered_as_the_document_says(page: Served, schema: Any) -> None:
    assert try_each(page, schema, EXAMPLES, {}) > 15


@pytest.mark.timeout(1800 if IS_LONG else 170)
def test_whatever_is_sent_about_what_exists_is_answered_so_too(page: Served, schema: Any) -> None:
    """A name that is made up is never that of a sweep, so nothing but 404 would be seen."""
    places = {"name": "fuzzed", "stage": "train-f0000", "number": 0, "sha256": "0" * 64}
    assert try_each(page, schema, EXAMPLES // 3, places) > 15
