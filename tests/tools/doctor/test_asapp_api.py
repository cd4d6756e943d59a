"""What the doctor learns of ASAPP itself, without a word of the credentials in what it says."""

from __future__ import annotations

import pytest

from .conftest import Doctor
from .fake_asapp import AsappAccount, FakeAsapp, entity, error
from .fake_aws import Account

HEALTH = "/v1/health"
ENTITIES = "/configuration/v1/redaction-entities"


def test_credentials_that_asapp_takes_and_what_the_account_redacts(
    doctor: Doctor, asapp: AsappAccount
) -> None:
    run = doctor()
    assert run.code == 0
    assert run.finding("well  ASAPP's API: https://api.asapp.com accepts the credentials")
    said = run.finding("well  ASAPP's API: the account redacts CREDIT_CARD_NUMBER, SSN. ")
    assert said.endswith("Names of people stay in the text, which is ASAPP's default")
    assert [each.partition("?")[0] for each in asapp.asked] == [HEALTH, ENTITIES, ENTITIES]


def test_an_account_that_redacts_names_too(doctor: Doctor, asapp: AsappAccount) -> None:
    asapp.entities.append(entity("CUSTOMER_NAME", redacted=True))
    run = doctor()
    said = run.finding("ASAPP's API: the account redacts CREDIT_CARD_NUMBER, SSN, CUSTOMER_NAME")
    assert "Names of people" not in said


def test_credentials_that_asapp_refuses_and_nothing_more_is_asked(
    doctor: Doctor, asapp: AsappAccount
) -> None:
    asapp.api_secret = "rotated"
    run = doctor()
    assert run.code == 1
    finding = run.finding("problem  ASAPP's API: https://api.asapp.com refuses the credentials")
    assert "(401-01): no call would be transcribed" in finding
    assert (
        "`aws secretsmanager put-secret-value --secret-id connect-autotranscribe/asapp" in finding
    )
    assert "ASAPP's sandbox and production have different credentials" in finding
    assert ENTITIES not in "".join(asapp.asked)
    assert run.finding("well  CDK bootstrap"), "the rest goes on"


@pytest.mark.parametrize("redaction", ["redacted", "redacted_and_unredacted"])
def test_an_account_without_redaction_refuses_every_start(
    doctor: Doctor, asapp: AsappAccount, redaction: str
) -> None:
    asapp.entities = [entity("SSN", redacted=False)]
    run = doctor(asapp__redaction=redaction)
    assert run.code == 1
    finding = run.finding("problem  ASAPP's API: the account redacts nothing in transcripts")
    assert "ASAPP refuses every start that asks for redacted text" in finding
    assert finding.endswith(
        '→ ask ASAPP\'s account team for redaction, or write asapp.redaction = "unredacted"'
    )
    run = doctor(asapp__redaction="unredacted")
    assert run.code == 0
    assert run.finding("well  ASAPP's API: the account redacts nothing", "as the settings say")


def test_an_account_that_redacts_may_refuse_what_is_unredacted(
    doctor: Doctor, asapp: AsappAccount
) -> None:
    run = doctor(asapp__redaction="unredacted")
    assert run.code == 0
    finding = run.finding("warning  ASAPP's API: the account redacts CREDIT_CARD_NUMBER, SSN")
    assert "an account that always redacts refuses a start" in finding


def test_an_account_without_any_entity(doctor: Doctor, asapp: AsappAccount) -> None:
    asapp.entities = []
    assert doctor().finding("problem  ASAPP's API: the account redacts nothing")


def test_asapp_is_not_asked_if_you_say_so(doctor: Doctor, asapp: AsappAccount) -> None:
    run = doctor(asks_asapp=False)
    assert run.code == 0
    assert run.finding("skipped  ASAPP's API: not asked, as you said → run it without ASAPP=off")
    assert asapp.asked == []


def test_asapp_is_not_asked_without_credentials(
    doctor: Doctor, account: Account, asapp: AsappAccount
) -> None:
    account.secret_value = None
    assert doctor().finding("skipped  ASAPP's API: not asked without credentials → see above")
    assert asapp.asked == []


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, error("500-01", "oops"), "answered 500 (500-01)"),
        (404, error("404-01", "gone"), "answered 404 (404-01)"),
        (503, "busy", "answered 503 (no code)"),
        (200, "<html>a proxy</html>", "answered 200 (not JSON)"),
        (200, '{"healthCheck": "DEGRADED"}', "reports its health as DEGRADED"),
    ],
)
def test_what_asapp_answers_otherwise_is_a_warning(
    doctor: Doctor, asapp: AsappAccount, status: int, body: str, said: str
) -> None:
    asapp.answers[HEALTH] = status, body
    run = doctor()
    assert run.code == 0
    assert "https://status.asapp.com" in run.finding("warning  ASAPP's API", said)


def test_a_key_that_may_not_see_the_configuration(doctor: Doctor, asapp: AsappAccount) -> None:
    asapp.answers[ENTITIES] = 403, error("403-01", "Forbidden")
    run = doctor()
    assert run.code == 0
    assert run.finding("well  ASAPP's API", "accepts the credentials")
    finding = run.finding(
        "warning  ASAPP's API: what the account redacts could not be read", "403 (403-01)"
    )
    assert finding.endswith("ask ASAPP what the account redacts in transcripts")


def test_a_redirect_gets_no_credentials(
    doctor: Doctor, asapp: AsappAccount, fake_asapp: FakeAsapp
) -> None:
    asapp.answers[HEALTH] = 302, f"{fake_asapp.url}/elsewhere"
    run = doctor()
    assert run.finding("warning  ASAPP's API", "answered 302")
    assert asapp.asked == [HEALTH]
