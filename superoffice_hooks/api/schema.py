"""The schema of the API: OpenAPI by drf-spectacular, with each error that can be answered.

Whoever serves or writes a schema of the whole project has ours in it. The examples are answers that
the API gave; a test asks for them anew.
"""

import json
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from . import problems

_REFERENCE = "#/components/schemas/"
_PREFIX = "SuperOffice"
# What a project may have drf-spectacular call the key in a path.
_KEYS = ("id", "pk")

_MEANINGS = {
    HTTPStatus.BAD_REQUEST: "A value is not what was expected; `errors` names it.",
    HTTPStatus.UNAUTHORIZED: "Nobody is logged in, or the credentials are wrong.",
    HTTPStatus.FORBIDDEN: "A permission is missing, or nobody is logged in.",
    HTTPStatus.NOT_FOUND: "There is no such row.",
    HTTPStatus.NOT_ACCEPTABLE: "No media type that is accepted can be given.",
    HTTPStatus.CONFLICT: "The replay has ended already.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is no JSON.",
    HTTPStatus.TOO_MANY_REQUESTS: "The project allows no more for now.",
}
_HEADERS = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate", "How to log in.", {"type": "string"}),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After", "Seconds to wait.", {"type": "integer"}),
}
_OF_EVERYTHING = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.TOO_MANY_REQUESTS,
)


class MistakeSerializer(serializers.Serializer[Any]):
    """What is wrong with one value."""

    name = serializers.CharField(help_text="`criteria.since` is `since` within `criteria`.")
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """What went wrong, as RFC 9457 has it."""

    type = serializers.CharField()
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What went wrong here, for people.")
    instance = serializers.CharField(required=False, help_text="The path that was asked.")
    # A field of that name, though serializers have an attribute of their own.
    errors = MistakeSerializer(many=True, required=False)  # type: ignore[assignment]


class Schema(AutoSchema):
    """Describes our views, whichever schema the project's other views have."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation:
            for parameter in operation.get("parameters", ()):
                self._complete(parameter)
            responses = operation["responses"]
            for status, answer in responses.items():
                answer["description"] = answer["description"] or HTTPStatus(int(status)).phrase
            for body in (operation.get("requestBody", {}), *responses.values()):
                for content in body.get("content", {}).values():
                    _add_example(content)
            responses.update({str(int(status)): self._problem(status) for status in self._errors()})
        return operation

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        # A project has an Event, or a Status, of its own.
        return f"{_PREFIX}{super().get_serializer_name(serializer, direction)}"

    def _complete(self, parameter: dict[str, Any]) -> None:
        """Say of a parameter what only its view knows."""
        match parameter["in"], parameter["name"]:
            case "path", name if name in _KEYS:
                parameter["schema"] = {"type": "integer", "minimum": 1}
            case "query", "fields":
                view: Any = self.view
                names = list(view.row_serializer().names())
                parameter["schema"] = {"type": "array", "items": {"enum": names}}

    def _errors(self) -> Iterator[HTTPStatus]:
        yield from _OF_EVERYTHING
        if {f"{{{name}}}" for name in _KEYS} & set(self.path.split("/")):
            yield HTTPStatus.NOT_FOUND
        if self.method == "POST":
            yield HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        yield from map(HTTPStatus, getattr(self.view, "also_answers", ()))

    def _problem(self, status: HTTPStatus) -> dict[str, Any]:
        problem = self.resolve_serializer(ProblemSerializer, "response").ref
        content = {"schema": problem}
        if example := examples()["Problem"].get(str(int(status))):
            content["example"] = example
        described: dict[str, Any] = {
            "description": _MEANINGS[status],
            "content": {problems.MEDIA_TYPE: content},
        }
        if status in _HEADERS:
            name, description, schema = _HEADERS[status]
            described["headers"] = {name: {"description": description, "schema": schema}}
        return described


def _add_example(content: dict[str, Any]) -> None:
    """Give a body of one of our components its example, if it has one."""
    name = content["schema"].get("$ref", "").removeprefix(_REFERENCE).replace(_PREFIX, "")
    if name in examples():
        content["example"] = examples()[name]


@cache
def examples() -> dict[str, Any]:
    """The example of each component that has one, by its name without the prefix."""
    found: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found


EXAMPLES = Path(__file__).with_name("examples.json")
