"""What a person does about a webhook at SuperOffice: test, ping, activate again."""

from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import subscribing, superoffice_api
from ..models import Watch
from ..subscribing import configured
from ..superoffice_api.errors import ApiError
from . import display

if TYPE_CHECKING:
    from .webhooks import WatchAdmin


class Action(NamedTuple):
    """An action on a webhook."""

    title: Any
    explanation: Any
    states: tuple[str, ...] = ()
    """The states of a webhook in which it is offered; empty for every state."""


ACTIONS = {
    "test": Action(
        _("Test"),
        _(
            "SuperOffice sends a test event to the address that is wanted, and it is awaited here."
            " Nothing is saved at SuperOffice."
        ),
    ),
    "ping": Action(
        _("Ping"),
        _("We raise the event superoffice_hooks.ping in SuperOffice, and await it here."),
        (Watch.State.ACTIVE,),
    ),
    "reactivate": Action(
        _("Activate again"),
        _(
            "SuperOffice tests the address. If it can deliver, the webhook is saved as it is"
            " wanted, and active. A ping then shows whether events arrive. Events of the time in"
            " which it was stopped are never sent later."
        ),
        (Watch.State.STOPPED, Watch.State.TOO_MANY_ERRORS),
    ),
}


def view(admin: "WatchAdmin", request: HttpRequest, endpoint: str, *, action: str) -> HttpResponse:
    """Explain one of ACTIONS on the webhook of an endpoint; after a POST, do it."""
    if endpoint not in configured.endpoints() or not is_visible(admin, request, endpoint):
        raise Http404
    way_back = admin.url("watch_webhook", endpoint)
    if request.method == "POST":
        _act(admin, request, endpoint, action)
        return HttpResponseRedirect(way_back)
    return admin.render(
        request,
        "confirm.html",
        title=ACTIONS[action].title,
        button=ACTIONS[action].title,
        explanation=ACTIONS[action].explanation,
        help=gettext("It takes up to 20 seconds."),
        subject=display.visible(endpoint),
        way_back=way_back,
    )


def is_visible(admin: "WatchAdmin", request: HttpRequest, endpoint: str) -> bool:
    """Return whether the user may see the webhook of an endpoint."""
    visible = admin.visible(request)
    return visible is None or bool(visible.filter(endpoint=endpoint).exists())


def _act(admin: "WatchAdmin", request: HttpRequest, endpoint: str, action: str) -> None:
    """Do it, and say in a sentence what came of it."""
    if not superoffice_api.is_installed():
        message = gettext("This needs the extra superoffice, which is not installed.")
        admin.message_user(request, message, messages.ERROR)
        return
    try:
        result = subscribing.act(endpoint, action, who=request.user.get_username())
    except configured.NotPossible as error:
        admin.message_user(request, display.visible(str(error)), messages.WARNING)
    except ApiError as error:
        admin.message_user(request, display.visible(str(error)), messages.ERROR)
    else:
        level = messages.SUCCESS if result.is_well else messages.ERROR
        admin.message_user(request, display.visible(result.sentence), level)
