"""What all views of the API share: who may, what may be asked, how mistakes are told."""

from collections.abc import Callable, Iterable, Iterator
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
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings

from . import problems
from .permissions import MayView
from .schema import Schema

# Beside ours the first lets nobody in or out. Ours is the others with more to it; they would want
# the permission to add events of whoever replays.
_NOTHING_TO_ADD = (AllowAny, DjangoModelPermissions, DjangoModelPermissionsOrAnonReadOnly)

_MOST_MISTAKES = 20


class View(GenericAPIView[Any]):
    """A view of the API. Its queryset says of which model, and so which permission it takes."""

    # Not those that the project's other views have by default.
    schema = Schema()
    filter_backends: Any = ()
    pagination_class: Any = None

    may: ClassVar[type[MayView]] = MayView
    """The permission asked for beside the project's own."""
    parameters: ClassVar[tuple[str, ...]] = ()
    """Query parameters of a GET, besides those of filters and pages."""
    repeatable: ClassVar[tuple[str, ...]] = ()
    """Those of all query parameters that may be given more than once."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """The view, without the transaction of ATOMIC_REQUESTS around it.

        In one, an error at the end would undo what the runs of receivers wrote down.
        """
        view: Any = super().as_view(**initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(alias)(view)
        return view

    def get_permissions(self) -> list[Any]:
        """The project's own permissions, and ours: the project can restrict, not open."""
        own = [
            permission
            for permission in super().get_permissions()
            if type(permission) not in _NOTHING_TO_ADD
        ]
        return [*own, self.may()]

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return problems.answer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what is not understood: a misspelt filter must not select everything."""
        super().initial(request, *args, **kwargs)
        if mistakes := dict(islice(self._mistakes(request), _MOST_MISTAKES)):
            raise ValidationError(mistakes)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """As JSON, a problem says that it is one."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.exception and response.accepted_renderer.media_type == "application/json":
            response.content_type = problems.MEDIA_TYPE
        return response

    def understood(self) -> Iterable[str]:
        """The query parameters of a GET."""
        filterset = getattr(self, "filterset_class", None)
        yield from self.parameters
        yield from filterset.base_filters if filterset else ()
        yield from getattr(self.pagination_class, "parameters", ())

    def _known(self, request: Request) -> list[str]:
        # A POST with what looks like an option in its URL must not do the real thing.
        return sorted(self.understood()) if request.method in ("GET", "HEAD") else []

    def _mistakes(self, request: Request) -> Iterator[tuple[str, str]]:
        """What is wrong with the parameters as such, by name."""
        known, others = self._known(request), _of_framework(request)
        for name, values in request.query_params.lists():
            if name not in known and name not in others:
                expected = ", ".join(known) or "none"
                yield name[:50], f"There is no such parameter. Known ones: {expected}."
            elif len(values) > 1 and name not in self.repeatable:
                yield name, "Expected one value, and it is given more than once."
            elif not all(value.strip() for value in values) and not self._is_form(request):
                yield name, "Expected a value, or the parameter to be left out."

    def _is_form(self, request: Request) -> bool:
        """Whether a person fills in the filters; a form sends those that are left empty, too."""
        return request.accepted_renderer.format == "api"


def _of_framework(request: Request) -> set[str | None]:
    """What the project has REST framework itself understand."""
    version = api_settings.VERSION_PARAM if request.versioning_scheme else None
    return {api_settings.URL_FORMAT_OVERRIDE, version}
