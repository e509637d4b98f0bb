"""A database that was made for other characters, or for a loose comparison, is served as well."""

import pytest

from .conftest import URL, execute, name_of, new_database

pytestmark = [
    pytest.mark.hard,
    pytest.mark.skipif(
        not URL.startswith("mysql"), reason="Others have one character set for all tables."
    ),
]

DELIVERS_TWO = """
import json
from django.test import Client
from superoffice_hooks.models import Event
from superoffice_hooks.wire.signature import sign
from tests.hard import SECRET

client = Client(SERVER_NAME="127.0.0.1")
for number, tenant in enumerate(("Cust1", "cust1")):
    sent = json.dumps({
        "EventId": f"00000000-0000-0000-0000-00000000000{number}",
        "Event": "ticket.changed",
        "PrimaryKey": 7,
        "ContextIdentifier": tenant,
        "WebhookName": "Tickets \U0001f600 \u00e5",
    })
    headers = {"X-SuperOffice-Signature": sign(sent.encode(), SECRET)}
    answer = client.post(
        "/superoffice/webhook/", sent, content_type="application/json", headers=headers
    )
    assert answer.status_code == 200
print(sorted(Event.objects.values_list("tenant", "webhook_name")))
print(Event.objects.filter(tenant="CUST1").count())
"""


@pytest.mark.parametrize("characters", ["latin1", "utf8mb3", "utf8mb4 COLLATE utf8mb4_general_ci"])
def test_what_the_database_would_choose_does_not_matter(characters, project_on, django_db_blocker):
    with django_db_blocker.unblock(), new_database() as url:
        execute(f"ALTER DATABASE {name_of(url)} CHARACTER SET {characters}")
        project = project_on(url)
        assert "W008" not in project.run("django", "check", "--database", "default")
        said = project.run("django", "shell", "-c", DELIVERS_TWO)
        assert "[('Cust1', 'Tickets 😀 å'), ('cust1', 'Tickets 😀 å')]\n0\n" in said
