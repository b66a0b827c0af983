"""Whatever a program sends: no server error, and every answer is what the schema promised."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from knox.models import AuthToken
from schemathesis import checks

from config.wsgi import application
from tests import factories
from tests.pool import attacked_pool

BOUNDED = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@pytest.fixture
def token(transactional_db, own_files, settings) -> dict[str, str]:
    settings.ALLOWED_HOSTS = ["*"]
    attacked_pool()
    factories.open_study()
    return {"Authorization": f"Token {AuthToken.objects.create(user=factories.user('ada', 'admin'))[1]}"}


@pytest.mark.slow
def test_no_request_breaks_the_interface(token):
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", application, headers=token)
    tried, seen = [], set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == "/api/v1/schema/":
            continue

        @BOUNDED
        @given(case=operation.as_strategy())
        def attempt(case):
            answer = case.call(headers=token)
            seen.add(answer.status_code)
            case.validate_response(
                answer,
                checks=[checks.not_a_server_error, checks.response_schema_conformance, checks.content_type_conformance],
            )

        attempt()
        tried.append(operation.label)
    assert len(tried) >= 35
    assert {200, 400, 404} <= seen and not {401, 403} & seen
