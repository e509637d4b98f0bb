"""Create the webhook at SuperOffice, or change it, step by step, until it is as wanted.

If the process ends in between, the next call looks how far it came and goes on from there. A row
of ``Watch`` says that a new webhook is being saved, before it is. So two processes create one
webhook and not two, and so do a process that died and the next one.
"""

import time
from collections.abc import Generator, Iterator

from ..models import Watch
from ..superoffice_api.errors import ApiError, NotReached, NotRead, Refused
from ..superoffice_api.webhooks import Webhook
from . import arriving, noting
from .comparing import entity
from .looking import Look, look

LOST_ANSWER_WAITS = (1.0, 4.0, 16.0)
"""Seconds before each look for a webhook whose save had no answer."""

_PAUSE = 2.0


class NotApplied(ApiError):
    """Something is not as wanted. The message says what to do."""


class NotKnown(ApiError):
    """SuperOffice gave no answer, so it is not known whether the webhook was saved."""


def apply(endpoint: str, *, who: str, adopt: int | None = None) -> Iterator[str]:
    """Create or change the webhook of an endpoint as wanted; yield a sentence for each step.

    Args:
        endpoint: one of WEBHOOKS.
        who: the person who does it.
        adopt: the id of the webhook that is ours, even with another address.

    Raises:
        ApiError: something is not as wanted, or it is not known whether it is.
    """
    seen = look(endpoint, adopt=adopt)
    yield f"Signed in to {seen.wanted.tenant}; webhooks that are visible: {len(seen.visible)}."
    require_one(seen, adopt)
    if seen.ours is not None and seen.is_elsewhere and adopt is None:
        yield f"Webhook {seen.ours.id} had the wanted address before, so it is ours."
    if seen.is_as_wanted:
        noting.note(seen)
        yield "The webhook is as it is wanted."
        return
    # The secret in use, if it is known and ours.
    in_use = seen.ours.secret_number if seen.ours else None
    number = max(in_use or 0, 0)
    yield _tested(seen, number)
    if seen.ours is None:
        made = yield from _create(seen, who)
        if made is None:
            # Another process has created it.
            yield from apply(endpoint, who=who, adopt=adopt)
            return
        action = Watch.Action.CREATED
        yield f"Saved as webhook {made.id}."
    else:
        values = entity(seen.wanted, seen.secrets, number=number, watched=seen.watched)
        seen.webhooks.change(seen.ours.id, values)
        action = Watch.Action.CHANGED
        yield f"Webhook {seen.ours.id} was changed."
    yield conclude(endpoint, action=action, who=who, adopt=adopt)


def require_one(seen: Look, adopt: int | None) -> None:
    """Raise NotApplied if it is not clear which webhook is ours."""
    if seen.ours is not None or (adopt is None and not seen.matching):
        return
    if adopt is not None:
        raise NotApplied(f"There is no webhook {adopt} that our application may see.")
    names = "; ".join(f"{hook.id} ({hook.name}, {hook.state})" for hook in seen.matching)
    raise NotApplied(
        f"Several webhooks have the address {seen.wanted.url}: {names}. Say which one is ours with"
        " --adopt, and delete the others with --delete."
    )


def delete(endpoint: str, number: int, *, who: str) -> str:
    """Delete a webhook by its id; return a sentence that says so.

    Raises:
        ApiError: it was not deleted.
    """
    seen = look(endpoint)
    doomed = next((hook for hook in seen.visible if hook.id == number), None)
    if doomed is None:
        raise NotApplied(f"There is no webhook {number} that our application may see.")
    seen.webhooks.delete(number)
    noting.note(look(endpoint), action=Watch.Action.DELETED, who=who)
    return f"Webhook {number} ({doomed.name}, {doomed.url}) was deleted."


def conclude(endpoint: str, *, action: Watch.Action, who: str, adopt: int | None = None) -> str:
    """Look again, ping, and note what was done; return a sentence about the ping."""
    seen = look(endpoint, adopt=adopt)
    if seen.ours is None or not seen.wanted.ping:
        noting.note(seen, action=action, who=who)
        return "The webhook lists no ping, so it was not checked whether events arrive."
    has_arrived = arriving.ping(seen)
    noting.note(seen, action=action, who=who, has_arrived=has_arrived)
    if has_arrived:
        return "The ping has arrived."
    raise NotApplied(
        f"The ping has not arrived within {arriving.ARRIVAL_SECONDS:.0f} seconds. Does"
        f" {seen.wanted.url} lead to this project, and to this database?"
    )


def _tested(seen: Look, number: int) -> str:
    tested, has_arrived = arriving.test(seen, number)
    if not tested.succeeded:
        raise NotApplied(
            f"SuperOffice cannot deliver to {seen.wanted.url}, so nothing was saved. The address"
            " must be reachable from SuperOffice, with a valid certificate, and answer 200; its"
            f" project must know the secret. SuperOffice wrote: {tested.message or 'nothing'}"
        )
    if has_arrived:
        return f"SuperOffice has tested {seen.wanted.url}, and the test has arrived."
    return (
        f"SuperOffice has tested {seen.wanted.url} and was answered 200, but no test event has"
        " arrived in this database."
    )


def _create(seen: Look, who: str) -> Generator[str, None, Webhook | None]:
    """Save a new webhook; return None if another process has done so."""
    endpoint = seen.wanted.endpoint
    save = Watch.begin_saving(endpoint, seen.wanted.tenant, who)
    yield from _wait_for_earlier(save)
    if look(endpoint).matching:
        save.end_saving()
        return None
    try:
        made = seen.webhooks.create(entity(seen.wanted, seen.secrets, watched=seen.watched))
    except Refused:
        save.end_saving()
        raise
    except (NotReached, NotRead):
        saved = _saved_without_answer(endpoint)
        if saved is None:
            raise NotKnown(
                "SuperOffice gave no answer to the save, and the webhook is not there yet. Run"
                " this again: it looks first."
            ) from None
        made = saved
    save.end_saving()
    return made


def _wait_for_earlier(save: Watch) -> Iterator[str]:
    """Wait until each save that began earlier has ended, or until its webhook is there."""
    while True:
        if save.earlier_save_may_go_on():
            yield "Another process has begun to save this webhook. Waiting for its result."
        while save.earlier_save_may_go_on():
            if look(save.endpoint).matching:
                return
            time.sleep(_PAUSE)
        # The row of an earlier save may be visible only now: it commits after it has its number.
        if look(save.endpoint).matching or not save.earlier_save_may_go_on():
            return


def _saved_without_answer(endpoint: str) -> Webhook | None:
    """Return the webhook whose save had no answer; None if it is not there."""
    for wait in LOST_ANSWER_WAITS:
        time.sleep(wait)
        if matching := look(endpoint).matching:
            return matching[0]
    return None
