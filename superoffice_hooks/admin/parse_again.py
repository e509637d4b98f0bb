"""Parse again: turn signed rejections into events, after the fault in reading them is fixed."""

from collections import Counter

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext, ngettext

from ..dispatcher import hand_over
from ..models import Rejection
from ..receiving import deliveries
from ..wire.notification import Unreadable
from . import display
from .readonly import ReadOnlyAdmin


def view(admin: ReadOnlyAdmin[Rejection], request: HttpRequest, pk: int) -> HttpResponse:
    """Parse one rejection, and show its event, or the reason for which there is none."""
    try:
        rejection = admin.get_queryset(request).get(pk=pk)
        event, is_due = deliveries.receive_again(rejection, request.user.get_username())
    except Rejection.DoesNotExist:
        message = gettext("There is no such rejection, or nobody signed it.")
        admin.message_user(request, message, messages.WARNING)
        return HttpResponseRedirect(admin.with_filters(request, admin.url("rejection_changelist")))
    except Unreadable as error:
        message = gettext("It still makes no event. %(reason)s") % {"reason": error}
        admin.message_user(request, message, messages.ERROR)
        return HttpResponseRedirect(admin.with_filters(request, admin.url("rejection_change", pk)))
    message = gettext("The rejection could be read, and is kept as %(event)s now.")
    admin.message_user(request, message % {"event": event}, messages.SUCCESS)
    may_view = request.user.has_perm("superoffice_hooks.view_event")
    url = admin.url("event_change", event.pk) if may_view else ""
    hand_over(event if is_due else None)
    return HttpResponseRedirect(
        admin.with_filters(request, url or admin.url("rejection_changelist"))
    )


def parse_selected(
    admin: ReadOnlyAdmin[Rejection], request: HttpRequest, rejections: QuerySet[Rejection]
) -> HttpResponse | None:
    """Parse the selected rejections, oldest first, and say how many became events."""
    keys = rejections.order_by("pk").values_list("pk", flat=True)[: admin.max_selected + 1]
    if len(keys) > admin.max_selected:
        message = gettext("Please select %(max)d rejections at most.") % {"max": admin.max_selected}
        admin.message_user(request, message, messages.ERROR)
        return None
    results = Counter[str]()
    for key in keys:
        try:
            # One by one: together, the bodies may have a gigabyte.
            rejection = Rejection.objects.get(pk=key)
            event, is_due = deliveries.receive_again(rejection, request.user.get_username())
        except Unreadable:
            results["unreadable"] += 1
        except Rejection.DoesNotExist:
            results["left alone"] += 1
        else:
            results["event"] += 1
            hand_over(event if is_due else None)
    level = messages.SUCCESS if results["event"] == results.total() else messages.WARNING
    admin.message_user(request, _report(results), level)
    return HttpResponseRedirect(request.get_full_path())


def _report(results: Counter[str]) -> str:
    """Return how many rejections became events, and how many did not."""
    count, unreadable, alone = results.total(), results["unreadable"], results["left alone"]
    parsed = ngettext(
        "%(count)d rejection parsed again: %(events)d made an event.",
        "%(count)d rejections parsed again: %(events)d made an event.",
        count,
    )
    still = ngettext(
        "%(count)d still makes no event.", "%(count)d still make no event.", unreadable
    )
    left_alone = ngettext(
        "%(count)d was not signed, or is gone, and was left alone.",
        "%(count)d were not signed, or are gone, and were left alone.",
        alone,
    )
    others = display.sentences((unreadable, still), (alone, left_alone))
    return " ".join([parsed % {"count": count, "events": results["event"]}, *others])
