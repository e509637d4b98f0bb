"""The schema: OpenAPI 3.1, complete, without a warning, and as docs/openapi.yaml has it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from superoffice_hooks.api import urls
from superoffice_hooks.api.schema import examples

from ..openapi import PATH, schema, written
from .conftest import API


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return schema()


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def bodies(made: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where each body of a request or an answer is described, and how."""
    for path, method, operation in operations(made):
        described = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for what, body in described.items():
            for media_type, content in body.get("content", {}).items():
                yield f"{method} {path} {what} {media_type}", content


def test_the_written_one_is_what_is_made():
    assert PATH.read_text(encoding="utf-8") == written(), "Run make openapi."


def test_drf_spectacular_has_nothing_to_complain_of(capsys):
    GENERATOR_STATS.reset()
    schema()
    assert capsys.readouterr().err == ""
    assert not GENERATOR_STATS


def test_it_is_of_openapi_3_1(made):
    assert made["openapi"] == "3.1.0"
    validate_schema(made)
    assert list(OpenAPIV31SpecValidator(made).iter_errors()) == []


def test_every_url_is_described(made):
    patterns = [str(pattern.pattern) for pattern in urls.urlpatterns]
    ours = {
        API + re.sub(r"<\w+:(\w+)>", r"{\1}", path).replace("{pk}", "{id}") for path in patterns
    }
    assert set(made["paths"]) == ours


def test_every_operation_says_what_it_does_and_who_may(made):
    for path, method, operation in operations(made):
        assert operation["description"], (method, path)
        assert operation["description"].startswith(operation["summary"])
        assert "``" not in operation["description"]
        assert operation["security"] == [{"cookieAuth": []}, {"basicAuth": []}]


def test_every_operation_has_a_title_of_its_own(made):
    titles = [operation["summary"] for _, _, operation in operations(made)]
    assert len(titles) == len(set(titles))
    assert all(8 < len(title) < 80 for title in titles)


def test_every_operation_describes_its_errors_as_problems(made):
    for path, method, operation in operations(made):
        statuses = set(operation["responses"])
        assert all(answer["description"] for answer in operation["responses"].values())
        assert {"400", "401", "403", "406", "429"} <= statuses
        assert ("404" in statuses) is ("{id}" in path or "{endpoint}" in path)
        assert ("415" in statuses) is (method == "post")
        calls_superoffice = "/webhooks/" in path and method == "post"
        assert ("409" in statuses) is (path.endswith("/cancel/") or calls_superoffice)
        assert ("502" in statuses) is calls_superoffice
        for status in statuses - {"200", "201"}:
            answer = operation["responses"][status]
            [(media_type, content)] = answer["content"].items()
            assert media_type == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/SuperOfficeProblem"}


def test_the_fields_that_can_be_chosen_are_those_of_the_rows(made):
    for path, component in (("events/", "Event"), ("replays/{id}/", "ReplayDetail")):
        parameters = made["paths"][API + path]["get"]["parameters"]
        [fields] = [parameter for parameter in parameters if parameter["name"] == "fields"]
        properties = made["components"]["schemas"][f"SuperOffice{component}"]["properties"]
        assert fields["schema"]["items"] == {"enum": list(properties)}


def test_every_parameter_and_criterion_is_described(made):
    for path, _, operation in operations(made):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                assert parameter["description"], (path, parameter)
    criteria = made["components"]["schemas"]["SuperOfficeCriteria"]["properties"]
    undescribed = [name for name, about in criteria.items() if "description" not in about]
    assert undescribed == []


def test_every_component_has_a_name_that_no_other_app_has(made):
    for name in made["components"]["schemas"]:
        assert "SuperOffice" in name


def test_every_body_has_an_example(made):
    without = {where for where, content in bodies(made) if "example" not in content}
    # Where the first way to log in is a session, there is no 401.
    assert {where.split()[2] for where in without} == {"401"}


def test_every_example_is_as_the_schema_says(made):
    checked = set()
    for where, content in bodies(made):
        if "example" in content:
            validator = Draft202012Validator(
                {**content["schema"], "components": made["components"]},
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )
            assert list(validator.iter_errors(content["example"])) == [], where
            checked.add(content["schema"]["$ref"].rpartition("/")[2].replace("SuperOffice", ""))
    assert checked == examples().keys()
