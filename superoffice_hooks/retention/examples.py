"""The error that a failure group shows as its example, once the run that it came from is gone."""

from collections.abc import Collection

from django.db.models import QuerySet

from ..models import FailureGroup, ReceiverRun


def replace_examples(runs: QuerySet[ReceiverRun], events: Collection[int], otherwise: str) -> None:
    """Let no failure group show the error of one of these runs, of these events by primary key.

    It shows the error of a run of another event instead, if it has one.
    """
    of_group = runs.exclude(group=None).order_by().values_list("group", "error").distinct()
    for group, error in of_group:
        shown = FailureGroup.objects.using(runs.db).filter(pk=group, error=error)
        if not shown.exists():
            continue
        others = ReceiverRun.objects.using(runs.db).filter(group=group).exclude(event__in=events)
        other = others.exclude(error=error).order_by().values_list("error", flat=True)[:1]
        shown.update(error=next(iter(other), otherwise))
