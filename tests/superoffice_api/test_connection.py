"""What CONNECTIONS may have for a tenant."""

import pytest

from superoffice_hooks.superoffice_api.connection import Connection, WrongConnection

ONLINE = {
    "host": "https://online.superoffice.com/",
    "client_secret": "abc",
    "system_user_token": "App-1",
    "private_key": "/etc/key.xml",
}
ON_SITE = {"api": "https://crm.example.com/SuperOffice/api/v1", "username": "u", "password": "p"}


def test_online():
    connection = Connection.read("Cust12345", ONLINE)
    assert connection.host == "https://online.superoffice.com"
    assert connection.is_online


def test_on_site():
    connection = Connection.read("Default", ON_SITE)
    assert connection.api == "https://crm.example.com/SuperOffice/api/v1/"
    assert not connection.is_online


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (None, "no dict"),
        ({**ONLINE, "host": "http://online.superoffice.com"}, "plain http"),
        ({**ONLINE, "host": "https://online.superoffice.com/login"}, "is an origin"),
        ({**ONLINE, "host": "online.superoffice.com"}, "https://"),
        ({**ONLINE, "host": "https://u:p@online.superoffice.com"}, "user name"),
        ({**ONLINE, "host": "https://[x"}, "cannot be read"),
        ({**ONLINE, "client_secret": ""}, "no 'client_secret'"),
        ({**ONLINE, "private_key": 7}, "no 'private_key'"),
        ({**ONLINE, "verify": False}, "unknown key 'verify'"),
        ({**ON_SITE, "api": "http://crm.example.com/api/v1"}, "plain http"),
        ({**ON_SITE, "api": "https://crm.example.com/api/v1?x=1"}, "query"),
    ],
)
def test_what_makes_no_connection(values, problem):
    with pytest.raises(WrongConnection, match=problem):
        Connection.read("Cust12345", values)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_plain_http_is_for_fakes_on_this_machine(host):
    assert Connection.read("x", {**ONLINE, "host": f"http://{host}:8000"}).host
