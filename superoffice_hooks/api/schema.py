"""The schema of the API: OpenAPI by drf-spectacular, with all errors.

The schema of a whole project includes ours. The examples are real answers of the API: a test
compares them with new ones.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers

from . import problems

_REFERENCE = "#/components/schemas/"
_PREFIX = "SuperOffice"
# The names of the key in a path: a setting of drf-spectacular chooses between them.
_KEYS = ("id", "pk")

_MEANINGS = {
    HTTPStatus.BAD_REQUEST: "A value is not what was expected; `errors` names it.",
    HTTPStatus.UNAUTHORIZED: "Nobody is logged in, or the credentials are wrong.",
    HTTPStatus.FORBIDDEN: "A permission is missing, or nobody is logged in.",
    HTTPStatus.NOT_FOUND: "There is no such row.",
    HTTPStatus.NOT_ACCEPTABLE: "There is no answer in a media type that the request accepts.",
    HTTPStatus.CONFLICT: "It cannot be done now; `detail` says why.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON.",
    HTTPStatus.TOO_MANY_REQUESTS: "The project's throttle rate is exceeded.",
    HTTPStatus.BAD_GATEWAY: "SuperOffice's API gave no answer, or refused; `detail` says which.",
}
_HEADERS = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate", "How to log in.", {"type": "string"}),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After", "Seconds to wait.", {"type": "integer"}),
}
_ALWAYS = (
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
    """An error in the format of RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What went wrong here, for people.")
    instance = serializers.CharField(required=False, help_text="The path of the request.")
    # RFC 9457 has this name; serializers have an attribute of the same name.
    errors = MistakeSerializer(many=True, required=False)  # type: ignore[assignment]


class Schema(AutoSchema):
    """Describes our views. The project's other views keep their own schema class."""

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

    def get_summary(self) -> str:
        """Return the first statement of the description, as the title of the operation."""
        return re.split(r"[.:;]", self.get_description().replace("\n", " "), maxsplit=1)[0]

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        # A project may have an Event, or a Status, of its own.
        return f"{_PREFIX}{super().get_serializer_name(serializer, direction)}"

    def _map_serializer(self, serializer: Any, direction: Any, *args: Any, **options: Any) -> Any:
        """Describe a serializer, with components of our own for its choices.

        drf-spectacular names such components by their fields. If the project had other choices for
        a field of the same name, it would rename the project's.
        """
        mapped: Any = super()._map_serializer(  # type: ignore[no-untyped-call]
            serializer, direction, *args, **options
        )
        name = self.get_serializer_name(serializer, direction).removesuffix("Serializer")
        for field, about in mapped.get("properties", {}).items():
            choice = about["items"] if about.get("type") == "array" else about
            if "enum" in choice:
                self._name_choice(f"{name}{field.title().replace('_', '')}Choice", choice)
        return mapped

    def _name_choice(self, name: str, about: dict[str, Any]) -> None:
        """Replace choices by a reference to a component."""
        about.pop("x-spec-enum-id", None)
        schema = {key: about.pop(key) for key in ("type", "enum") if key in about}
        component: Any = ResolvedComponent(  # type: ignore[no-untyped-call]
            name, ResolvedComponent.SCHEMA, schema, object=name
        )
        self.registry.register_on_missing(component)
        about["allOf"] = [component.ref]

    def _complete(self, parameter: dict[str, Any]) -> None:
        """Complete the schema of a parameter."""
        match parameter["in"], parameter["name"]:
            case "path", name if name in _KEYS:
                parameter["schema"] = {"type": "integer", "minimum": 1}
            case "query", "fields":
                view: Any = self.view
                names = list(view.row_serializer().names())
                parameter["schema"] = {"type": "array", "items": {"enum": names}}

    def _errors(self) -> Iterator[HTTPStatus]:
        yield from _ALWAYS
        if {f"{{{name}}}" for name in (*_KEYS, "endpoint")} & set(self.path.split("/")):
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
    """Add the example to a body, if its component has one."""
    name = content["schema"].get("$ref", "").removeprefix(_REFERENCE).replace(_PREFIX, "")
    if name in examples():
        content["example"] = examples()[name]


@cache
def examples() -> dict[str, Any]:
    """Return the examples by component name without the prefix."""
    loaded: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return loaded


EXAMPLES = Path(__file__).with_name("examples.json")
