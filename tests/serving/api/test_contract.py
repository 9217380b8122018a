"""The API answers as its OpenAPI document says, whatever is asked: made-up requests, right and wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving.api.access import Access
from serving.api.app import create
from serving.api.release import Live, Loaded
from tests.serving.api.conftest import SHOP


@pytest.fixture
def document(loaded: Loaded) -> schemathesis.BaseSchema:
    app = create(Live(loaded.reader.lake, loaded), Access(None, 1e9))
    return schemathesis.openapi.from_asgi("/openapi.json", app)


schema = schemathesis.pytest.from_fixture("document")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@schema.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_is_asked_is_answered_as_declared(case: schemathesis.Case[Any]) -> None:
    case.headers["Host"] = "localhost"
    if "shop" in case.path_parameters and len(str(case.path_parameters["shop"])) % 4:
        case.path_parameters["shop"] = SHOP  # else most requests would be about a shop that nobody knows
    case.call_and_validate(checks=CHECKS)
