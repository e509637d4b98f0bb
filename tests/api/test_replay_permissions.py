"""Who may replay over the API, and how often."""

import pytest
from django.core.cache import cache
from rest_framework.settings import api_settings

from superoffice_hooks.models import Event, Replay
from superoffice_hooks.replay import running

from .asking import ALL, FAILED, REPLAYS, WHY, ask, started
from .conftest import API, logged_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def urls(event, calls, superuser, monkeypatch, settings) -> list[str]:
    """What starts a replay, what replays one event, and what ends a replay that is under way."""
    monkeypatch.setattr(running, "BATCH_EVENTS", 1)
    events = [event(PrimaryKey=number) for number in range(3)]
    settings.SUPEROFFICE_HOOKS = {**settings.SUPEROFFICE_HOOKS, "DISPATCH": "worker"}
    replay = started(superuser)
    assert calls == [0]
    return [REPLAYS, f"{API}events/{events[0].pk}/replay/", f"{REPLAYS}{replay['id']}/cancel/"]


@pytest.mark.words
class TestPermissions:
    @pytest.mark.parametrize(
        ("caller", "asked"),
        [
            ("anonymous", FAILED),
            ("stranger", FAILED),
            *(
                ("viewer", asked)
                for asked in (FAILED, {**FAILED, "dry_run": True}, WHY, {}, {"color": "red"})
            ),
        ],
        indirect=["caller"],
        ids=str,
    )
    def test_who_may_not_replay_does_not(self, urls, calls, caller, asked):
        for url in urls:
            response = ask(caller, asked, url)
            assert response.status_code == 403
            assert response["Content-Type"] == "application/problem+json"
        assert calls == [0]
        assert Replay.objects.get().state == "waiting"

    @pytest.mark.parametrize("caller", ["replayer", "superuser"], indirect=True)
    def test_who_may_does(self, urls, caller):
        answers = [ask(caller, asked, url) for asked, url in zip((ALL, WHY, ""), urls, strict=True)]
        assert [answer.status_code for answer in answers] == [201, 200, 200]

    def test_to_replay_wants_the_permission_to_see_events(self, urls, calls):
        caller = logged_in("ray", "replay_event", "view_replay")
        assert {ask(caller, WHY, url).status_code for url in urls} == {403}

    @pytest.mark.parametrize(
        ("caller", "status"),
        [("anonymous", 403), ("stranger", 403), ("viewer", 200), ("superuser", 200)],
        indirect=["caller"],
    )
    def test_who_may_view_replays_looks(self, urls, caller, status):
        for path in ("replays/", f"replays/{Replay.objects.get().pk}/"):
            assert caller.get(path).status_code == status

    def test_who_may_replay_but_not_view_replays_reads_no_more_than_the_answer(self, urls):
        caller = logged_in("ray", "view_event", "replay_event")
        assert ask(caller, ALL).status_code == 201
        assert caller.get("replays/").status_code == 403

    def test_what_does_not_exist_looks_no_different_to_who_may_not(self, viewer):
        assert ask(viewer, "", f"{REPLAYS}999/cancel/").status_code == 403
        assert ask(viewer, WHY, f"{API}events/999/replay/").status_code == 403

    def test_a_page_of_somebody_else_cannot_replay_in_a_users_name(self, urls, calls, replayer):
        for url in urls:
            response = replayer.client.post(url, ALL, content_type="application/json")
            assert response.status_code == 403
            assert "CSRF" in response.json()["detail"]
        assert calls == [0]


class TestThrottling:
    @pytest.fixture(autouse=True)
    def forgetful(self):
        cache.clear()
        yield
        cache.clear()

    @pytest.fixture
    def twice_an_hour(self, monkeypatch):
        rates = {**api_settings.DEFAULT_THROTTLE_RATES, "superoffice_replay": "2/hour"}
        monkeypatch.setattr(api_settings, "DEFAULT_THROTTLE_RATES", rates, raising=False)

    def test_without_a_rate_nobody_is_held_back(self, event, calls, replayer):
        url = f"{API}events/{event().pk}/replay/"
        assert [ask(replayer, WHY, url).status_code for _ in range(5)] == [200] * 5

    def test_replays_and_plans_count_for_each_user(self, urls, twice_an_hour, replayer, superuser):
        assert ask(replayer, {**FAILED, "dry_run": True}).status_code == 200
        assert ask(replayer, WHY, urls[1]).status_code == 200
        response = ask(replayer, ALL)
        assert response.status_code == 429
        assert response["Content-Type"] == "application/problem+json"
        assert 3500 < int(response["Retry-After"]) <= 3600
        assert ask(superuser, ALL).status_code == 201

    def test_looking_and_cancelling_do_not(self, urls, twice_an_hour, replayer):
        for _ in range(3):
            assert replayer.get("replays/").status_code == 200
            ask(replayer, WHY, urls[1])
        assert ask(replayer, "", urls[2]).status_code == 200
        assert Event.objects.count() == 3
