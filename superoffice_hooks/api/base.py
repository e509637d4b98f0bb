"""The base of the API's views: permissions, known parameters, errors."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, ClassVar

from django.db import connections, transaction
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import (
    AllowAny,
    DjangoModelPermissions,
    DjangoModelPermissionsOrAnonReadOnly,
)
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from . import problems
from .parsers import JSONParser
from .schema import Schema

VIEW = "%(app_label)s.view_%(model_name)s"
"""The permission to view the model of a view's queryset."""

# These project defaults are skipped: AllowAny adds nothing to ours, and the others would require
# add_event for a POST.
_SKIPPED_DEFAULTS = (AllowAny, DjangoModelPermissions, DjangoModelPermissionsOrAnonReadOnly)

_BROWSABLE = "api"
"""The format of the browsable API."""


def renderers() -> list[type[BaseRenderer]]:
    """Return JSON as the OpenAPI document has it, and the project's browsable API.

    The project's other renderers are skipped: they may rename keys, or wrap the answer.
    """
    project: Any = api_settings.DEFAULT_RENDERER_CLASSES
    return [JSONRenderer, *(one for one in project if one.format == _BROWSABLE)]


class ModelPermission(DjangoModelPermissions):
    """Requires the permission to view the model; for a POST, the permissions that are named.

    Methods without an entry in perms_map are refused.
    """

    def __init__(self, for_post: Sequence[str]) -> None:
        self.perms_map = {method: [VIEW] for method in ("GET", "HEAD", "OPTIONS")}
        if for_post:
            self.perms_map["POST"] = list(for_post)


class View(GenericAPIView[Any]):
    """A view of the API. The model of its queryset says which permission is required."""

    # These replace the defaults of the project.
    schema = Schema()
    renderer_classes: Any = renderers()
    filter_backends: Any = ()
    pagination_class: Any = None

    post_permissions: ClassVar[Sequence[str]] = ()
    """The permissions that a POST requires, besides the project's own; none if there is no POST."""
    parameters: ClassVar[tuple[str, ...]] = ()
    """Query parameters of a GET, besides those of filters and pages."""
    repeatable: ClassVar[tuple[str, ...]] = ()
    """The query parameters that may be repeated."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view without ATOMIC_REQUESTS: a rollback would undo runs of receivers."""
        view: Any = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(alias)(view)
        return view

    def get_permissions(self) -> list[Any]:
        """Return the project's permissions and ours: a project can restrict access, not open it."""
        own = [
            permission
            for permission in super().get_permissions()
            if type(permission) not in _SKIPPED_DEFAULTS
        ]
        return [*own, ModelPermission(self.post_permissions)]

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return problems.answer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse unknown parameters: a misspelt filter must not select everything."""
        super().initial(request, *args, **kwargs)
        if mistakes := dict(islice(self._mistakes(request), problems.MAX_MISTAKES)):
            raise ValidationError(mistakes)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Set the media type of a problem in JSON."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.exception and response.accepted_renderer.media_type == "application/json":
            response.content_type = problems.MEDIA_TYPE
        return response

    def known_parameters(self) -> Iterable[str]:
        """Yield the query parameters of a GET."""
        filterset = getattr(self, "filterset_class", None)
        yield from self.parameters
        yield from filterset.base_filters if filterset else ()
        yield from getattr(self.pagination_class, "parameters", ())

    def _mistakes(self, request: Request) -> Iterator[tuple[str, str]]:
        """Yield the name and the mistake of each wrong parameter."""
        # A POST has its options in the body: ?dry_run=1 must not start a replay.
        known = sorted(self.known_parameters()) if request.method in ("GET", "HEAD") else []
        version = api_settings.VERSION_PARAM if request.versioning_scheme else None
        of_framework = {api_settings.URL_FORMAT_OVERRIDE, version}
        # The form of the browsable API sends empty filters, too.
        is_form = request.accepted_renderer.format == _BROWSABLE
        for name, values in request.query_params.lists():
            if name not in known and name not in of_framework:
                expected = ", ".join(known) or "none"
                yield name[:50], f"There is no such parameter. Known ones: {expected}."
            elif len(values) > 1 and name not in self.repeatable:
                yield name, "Expected one value, and it is given more than once."
            elif not all(value.strip() for value in values) and not is_form:
                yield name, "Expected a value, or the parameter to be left out."


class ActionView(View):
    """A view that does something with what the body says; the body must be JSON.

    A form cannot tell an empty value from a missing one, which would select more events.
    """

    parser_classes = (JSONParser,)

    def body(self, request: Request) -> dict[str, Any]:
        """Return the values of the body.

        Raises:
            ValidationError: it is invalid.
        """
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values
