"""The progress of a replay: a page that shows it, and a way to cancel.

Dispatchers carry replays on; the page changes nothing.
"""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from ..models import Replay
from . import display
from .dispatching_warnings import nobody_dispatches
from .readonly import ReadOnlyAdmin, may_replay


def show(admin: ReadOnlyAdmin[Replay], request: HttpRequest, pk: int) -> HttpResponse:
    """Show the progress of the replay."""
    replay = get_object_or_404(admin.get_queryset(request), pk=pk)
    return admin.render(
        request,
        "replay/progress.html",
        title=gettext("Progress of replay %(number)d") % {"number": replay.pk},
        replay=replay,
        state=state(replay),
        report=report(replay) if replay.finished_at else "",
        may_cancel=may_replay(request) and not replay.finished_at,
        warning="" if replay.finished_at else nobody_dispatches(),
    )


def state(replay: Replay) -> SafeString:
    """Return the state of a replay, with who works on it or how many events have failed."""
    words = {"who": replay.claimed_by, "count": replay.failed}
    match replay.state:
        case Replay.State.RUNNING if replay.claimed_by:
            word = gettext("running, carried on by %(who)s") % words
        case Replay.State.STALLED if replay.claimed_by:
            word = gettext("stalled: %(who)s does not carry it on any more") % words
        case Replay.State.FINISHED if replay.failed:
            return display.status("failed", gettext("finished, %(count)d failed") % words)
        case _:
            word = str(replay.state.label)
    return display.status(replay.state, word)


def cancel(admin: ReadOnlyAdmin[Replay], request: HttpRequest, pk: int) -> HttpResponse:
    """End the replay before its next event."""
    replay = get_object_or_404(admin.get_queryset(request), pk=pk)
    if not replay.cancel(request.user.get_username()):
        admin.message_user(request, gettext("The replay had ended already."), messages.WARNING)
    return HttpResponseRedirect(admin.url("replay_progress", pk))


def report(replay: Replay) -> str:
    """Return the result of a replay that has ended, in sentences."""
    numbers = {
        "count": replay.tried,
        "succeeded": replay.done - replay.skipped,
        "failed": replay.failed,
    }
    tried = ngettext(
        "%(count)d event replayed: %(succeeded)d succeeded, %(failed)d failed.",
        "%(count)d events replayed: %(succeeded)d succeeded, %(failed)d failed.",
        replay.tried,
    )
    skipped = ngettext(
        "%(count)d was skipped: this replay calls no receiver for it.",
        "%(count)d were skipped: this replay calls no receiver for them.",
        replay.skipped,
    )
    busy = ngettext(
        "%(count)d of the failed was unfinished and is left to its ordinary dispatch.",
        "%(count)d of the failed were unfinished and are left to their ordinary dispatch.",
        replay.busy,
    )
    sentences = display.sentences((replay.skipped, skipped), (replay.busy, busy))
    if replay.cancelled_by:
        cancelled = ngettext(
            "Cancelled by %(who)s, with %(count)d event to go.",
            "Cancelled by %(who)s, with %(count)d events to go.",
            replay.remaining,
        )
        sentences.append(cancelled % {"who": replay.cancelled_by, "count": replay.remaining})
    else:
        dropped = ngettext(
            "%(count)d no longer met the criteria when it was its turn.",
            "%(count)d no longer met the criteria when it was their turn.",
            replay.dropped,
        )
        sentences += display.sentences((replay.dropped, dropped))
    return " ".join([tried % numbers, *sentences])
