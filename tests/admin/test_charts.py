"""The chart: every part where it belongs, every word on its mark."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings
from django.utils import timezone, translation

from superoffice_hooks.admin import charts
from superoffice_hooks.models import Event
from superoffice_hooks.reports.recent import Hour


def clock(hour: Hour) -> str:
    return charts.at(hour.start).partition(" ")[2]


def hours(*events: dict[str, int], since: datetime = datetime(2026, 1, 7, tzinfo=UTC)):
    return [Hour(since + number * timedelta(hours=1), given) for number, given in enumerate(events)]


def test_every_status_has_its_place_in_the_stack():
    assert sorted(charts.STACK) == sorted(Event.Status)


def test_parts_stand_on_each_other_and_are_as_high_as_their_numbers():
    chart = charts.chart(hours({"succeeded": 60, "failed": 20}, {}, {"skipped": 40}))
    (failed, succeeded), (skipped,) = (column.parts for column in chart.columns)
    assert (failed.status, succeeded.status) == ("failed", "succeeded")
    assert failed.y + failed.height == charts.BOTTOM == skipped.y + skipped.height
    assert succeeded.y + succeeded.height == failed.y
    assert succeeded.height == 3 * failed.height == 1.5 * skipped.height
    assert skipped.x == pytest.approx(failed.x + 2 * (charts.RIGHT - charts.LEFT) / 3, abs=0.01)


def test_one_failed_event_among_thousands_is_seen():
    (column,) = charts.chart(hours({"succeeded": 9999, "failed": 1})).columns
    assert column.parts[0].height >= charts.LOWEST
    assert column.parts[1].y >= 0


@pytest.mark.parametrize(
    ("highest", "step"),
    [(1, 1), (4, 1), (5, 2), (8, 2), (9, 5), (20, 5), (21, 10), (102, 50), (4000, 1000)],
)
def test_the_grid_has_round_numbers_and_few_lines(highest, step):
    assert charts.grid_step(highest) == step
    marks = charts.chart(hours({"failed": highest})).counts
    assert len(marks) <= 5
    assert marks[0] == (charts.BOTTOM, "0")
    assert marks[-1].at == charts.TOP
    assert int(marks[-1].words) >= highest


def test_hours_are_marked_four_times_a_day_in_local_time():
    chart = charts.chart(hours(*[{"failed": 1}] * 24))
    assert [mark.words for mark in chart.hours] == ["06:00", "12:00", "18:00", "2026-01-08"]
    six_o_clock = charts.LEFT + 5 * (charts.RIGHT - charts.LEFT) / 24
    assert chart.hours[0].at == pytest.approx(six_o_clock, abs=0.01)


def test_the_two_hours_of_one_name_are_told_apart_when_clocks_are_set_back():
    night = hours(*[{"failed": 1}] * 3, since=datetime(2026, 10, 25, tzinfo=UTC))
    assert [clock(hour) for hour in night] == ["02:00 CEST", "02:00 CET", "03:00 CET"]


def test_no_hour_is_made_up_when_clocks_are_set_forward():
    night = hours(*[{"failed": 1}] * 3, since=datetime(2026, 3, 29, tzinfo=UTC))
    assert [clock(hour) for hour in night] == ["01:00 CET", "03:00 CEST", "04:00 CEST"]


def test_there_is_no_zone_to_show_without_time_zones():
    assert charts.at(datetime(2026, 10, 25, 2)) == "2026-10-25 02:00"  # noqa: DTZ001


def test_half_hours_are_shown_where_the_time_zone_has_them():
    with timezone.override("Asia/Kolkata"):
        assert charts.at(datetime(2026, 1, 7, tzinfo=UTC)) == "2026-01-07 05:30 IST"


def test_a_column_says_its_figures_in_the_language_of_the_reader():
    (hour,) = hours({"succeeded": 1200, "failed": 3})
    with translation.override("de"), override_settings(USE_THOUSAND_SEPARATOR=True):
        assert charts.words(hour) == "2026-01-07 01:00 CET: 3 fehlgeschlagen, 1.200 erfolgreich"
