"""Signing in: what is sent, what is verified, and a sentence for each thing that can be wrong."""

from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from superoffice_hooks.superoffice_api.about import principal_of
from superoffice_hooks.superoffice_api.errors import NotReached, NotRead, NotSignedIn
from superoffice_hooks.testing.fake import Reply
from superoffice_hooks.testing.fake.login import as_pem, as_xml, made_up_key

from .conftest import client_of


@pytest.mark.parametrize("as_rsa_xml", [True, False])
@pytest.mark.parametrize("in_a_file", [True, False])
def test_the_key_may_be_pem_or_rsa_xml_text_or_path(superoffice, tmp_path, as_rsa_xml, in_a_file):
    key = superoffice.connection(as_rsa_xml=as_rsa_xml)["private_key"]
    if in_a_file:
        (tmp_path / "key").write_text("\ufeff" + key, encoding="utf-8")
        key = str(tmp_path / "key")
    with client_of(superoffice, private_key=key) as client:
        assert principal_of(client).associate_id == 42


def test_the_key_may_have_its_line_ends_written_out(superoffice):
    key = as_pem(made_up_key("app")).replace("\n", "\\n")
    with client_of(superoffice, private_key=key) as client:
        assert principal_of(client).associate_id == 42


ELLIPTIC = as_pem(ec.generate_private_key(ec.SECP256R1()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "key",
    [
        "/nowhere/key.xml",
        "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----",
        "<RSAKeyValue><Modulus>AQAB</Modulus></RSAKeyValue>",
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        "<RSAKeyValue>",
        "x" * 5000,
        ELLIPTIC,
    ],
)
def test_a_key_that_cannot_be_read_is_said_to_be_so(superoffice, key):
    with (
        client_of(superoffice, private_key=key) as client,
        pytest.raises(NotSignedIn, match="private key cannot be read"),
    ):
        principal_of(client)


def sentence(client) -> str:
    with pytest.raises(NotSignedIn) as refusal:
        principal_of(client)
    return str(refusal.value)


def test_a_wrong_key(superoffice):
    with client_of(superoffice, private_key=as_xml(made_up_key("another"))) as client:
        assert "private key does not belong to the application" in sentence(client)


def test_a_revoked_token(superoffice, client):
    superoffice.login.is_revoked = True
    assert "The system user token was revoked." in sentence(client)


@pytest.mark.parametrize(("minutes", "how"), [(20, "20 minutes behind"), (-9, "9 minutes ahead")])
def test_a_wrong_clock_and_how_wrong_it_is(superoffice, client, minutes, how):
    superoffice.login.clock = timedelta(minutes=minutes)
    assert f"Set the clock of this machine. It is {how}." in sentence(client)


def test_a_wrong_client_secret(superoffice):
    with client_of(superoffice, client_secret="the wrong one of another app") as client:
        assert "Compare host, client_secret, system_user_token" in sentence(client)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"IsSuccessful": False, "ErrorMessage": "NeedsReapproval"}, "approve it again"),
        ({"IsSuccessful": False, "ErrorMessage": "Code 7"}, "private key"),
        ({"IsSuccessful": "true", "Token": "x"}, "does not accept"),
        ({"IsSuccessful": True, "Token": None}, "does not accept"),
        ([], "no object"),
        (b"<html>", "no JSON"),
    ],
)
def test_an_answer_without_a_token(superoffice, client, said, expected):
    superoffice.fail("Authenticate", reply=Reply(200, said))
    assert expected in sentence(client)


def test_the_login_host_fails(superoffice, client):
    superoffice.fail("Authenticate", reply=Reply(503, b"<html>"))
    with pytest.raises(NotReached, match="503 to the sign-in"):
        principal_of(client)


def test_the_login_host_shows_no_keys(superoffice, client):
    superoffice.fail("jwks", reply=Reply(503, b"<html>"))
    with pytest.raises(NotReached, match="does not show its keys"):
        principal_of(client)


def forged(**changes):
    """Answers whose token has other claims, or is signed by somebody else."""
    key = made_up_key("another" if changes.pop("forged_by", None) else "login")
    kid = changes.pop("kid", "new")

    def mangle(request, reply):
        if "Authenticate" not in request.path:
            return reply
        claims = jwt.decode(reply.body["Token"], options={"verify_signature": False})
        claims["exp"] = int(claims["exp"])
        claims = {k: v for k, v in {**claims, **changes}.items() if v is not None}
        headers = {"kid": kid} if kid else {}
        return Reply(body={**reply.body, "Token": jwt.encode(claims, key, "RS256", headers)})

    return mangle


@pytest.mark.parametrize(
    "changes",
    [
        {"forged_by": "another"},
        {"iss": "Somebody"},
        {"aud": "spn:1"},
        {"exp": 1},
        {"exp": None},
        {"kid": "unknown"},
        {"http://schemes.superoffice.net/identity/ticket": None},
        {"http://schemes.superoffice.net/identity/ctx": "Cust99999"},
    ],
    ids=str,
)
def test_a_token_that_superoffice_did_not_sign_for_us_is_not_used(superoffice, client, changes):
    superoffice.mangle = forged(**changes)
    with pytest.raises(NotRead, match=r"not one that .* signed for this tenant"):
        principal_of(client)
    assert superoffice.calls("currentPrincipal") == []


@pytest.mark.parametrize("kid", ["new", None])
def test_a_token_is_verified_with_the_key_it_names_or_with_each(superoffice, client, kid):
    superoffice.mangle = forged(kid=kid)
    assert principal_of(client).associate_id == 42
