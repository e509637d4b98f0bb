"""The verdict: each state has its words and its level, and the most urgent comes first."""

from typing import Any

import pytest
from django.utils import translation

from superoffice_hooks.reports.levels import Level
from superoffice_hooks.reports.verdict import Facts, Topic, verdict

EACH: dict[Topic, tuple[dict[str, Any], Level, str]] = {
    Topic.DISPATCHER: ({"is_dispatcher_missing": True}, Level.ACT, "nobody dispatches"),
    Topic.OVERDUE: ({"overdue": 2}, Level.ACT, "2 events are overdue"),
    Topic.GATHERINGS: ({"gatherings": 2}, Level.ACT, "2 gatherings are overdue"),
    Topic.HUNG: ({"hung": 1}, Level.ACT, "1 lane hangs"),
    Topic.SET_ASIDE: (
        {"set_aside": 1},
        Level.ACT,
        "1 delivery in the spool can never be stored",
    ),
    Topic.SPOOL: ({"spooled": 3}, Level.ACT, "3 deliveries wait in the spool for the database"),
    Topic.WEBHOOK_DOWN: (
        {"webhooks_down": ("desk",)},
        Level.ACT,
        "SuperOffice delivers nothing to the endpoint desk",
    ),
    Topic.ENDED: (
        {"ended": 1},
        Level.ACT,
        "SuperOffice has ended 1 webhook after too many errors",
    ),
    Topic.FAILED: ({"failed": 5, "groups": 2}, Level.ACT, "5 events have failed of 2 causes"),
    Topic.STALLED: ({"stalled": 1}, Level.ACT, "1 replay is stalled"),
    Topic.WEBHOOK_UNKNOWN: (
        {"webhooks_unknown": ("desk", "crm")},
        Level.LOOK,
        "the states of the webhooks of desk, crm could not be read",
    ),
    Topic.WEBHOOK_DIFFERS: (
        {"webhooks_that_differ": ("desk",)},
        Level.LOOK,
        "the webhook of desk is not as it is wanted",
    ),
    Topic.STOPPED: ({"stopped": 1}, Level.LOOK, "1 webhook was stopped in SuperOffice"),
    Topic.REPLAYS: ({"unfinished": 2}, Level.LOOK, "2 replays are unfinished"),
    Topic.SILENT: ({"silent": ("desk", "crm")}, Level.LOOK, "unusually silent: desk, crm"),
}


def test_nothing_to_say_is_said_too():
    found = verdict(Facts())
    assert (found.level, found.findings, found.sentence) == (Level.FINE, [], "All is well.")


def test_every_topic_has_a_state():
    assert list(EACH) == list(Topic)


@pytest.mark.parametrize("topic", Topic)
def test_each_state_alone_has_its_level_and_its_words(topic):
    facts, level, words = EACH[topic]
    found = verdict(Facts(**facts))
    assert found.level == level
    assert found.findings == [(topic, level, words)]
    assert found.sentence == f"{level.words}: {words}."


def test_all_at_once_are_one_sentence_with_the_most_urgent_first():
    facts = {name: value for given, *_ in EACH.values() for name, value in given.items()}
    found = verdict(Facts(**facts))
    assert found.level == Level.ACT
    assert [finding.topic for finding in found.findings] == list(Topic)
    assert found.sentence.startswith("Somebody is needed: nobody dispatches; 2 events are overdue;")
    assert found.sentence.endswith("; unusually silent: desk, crm.")


def test_silence_alone_is_no_alarm():
    assert verdict(Facts(silent=("desk",))).level == Level.LOOK


def test_failures_of_unknown_cause_are_counted_without_one():
    assert verdict(Facts(failed=1)).sentence == "Somebody is needed: 1 event has failed."


def test_more_than_are_counted_are_called_so():
    found = verdict(Facts(failed=10_000, overdue=1000))
    words = [finding.words for finding in found.findings]
    assert words == ["1000 events or more are overdue", "10000 events or more have failed"]


def test_it_is_in_the_language_of_the_reader():
    with translation.override("de"):
        assert (
            verdict(Facts(stalled=1)).sentence
            == "Jemand wird gebraucht: 1 Wiederholung steht still."
        )
