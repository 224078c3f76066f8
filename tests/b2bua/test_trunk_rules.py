"""What follows a trunk's answers, by tables."""

from __future__ import annotations

import pytest

from b2bua.trunks.rules import Health, Step, after_register, back_off_s, contact_user, is_alive, refresh_s
from sip_stack.message import Response
from store.values import Trunk

US = "t0123"


def response(status: int, **fields: str) -> Response:
    return Response(status, "", {name.replace("_", "-"): [value] for name, value in fields.items()})


@pytest.mark.parametrize(("answer", "step"), [
    pytest.param(response(200, Contact=f"<sip:{US}@h>;expires=120"), Step("registered", 88, 3600, 0),
                 id="10.2.4: the time of our own Contact counts"),
    pytest.param(response(200, Contact=f"<sip:else@h>;expires=9, <sip:{US}@h>;expires=120", Expires="7"),
                 Step("registered", 88, 3600, 0), id="among others'"),
    pytest.param(response(200, Contact=f"<sip:{US}@h>", Expires="600"), Step("registered", 540, 3600, 0),
                 id="else that of Expires"),
    pytest.param(response(200), Step("registered", 3240, 3600, 0), id="else what we asked for"),
    pytest.param(response(200, Contact="<sip:", Expires="600"), Step("registered", 540, 3600, 0), id="unreadable"),
    pytest.param(response(200, Expires="soon"), Step("registered", 3240, 3600, 0), id="no number"),
    pytest.param(response(200, Expires="999999999"), Step("registered", 77760, 3600, 0), id="a day at most"),
    pytest.param(response(200, Expires="0"), Step("failed", 240, 3600, 3), id="bound for no time at all"),
    pytest.param(response(423, Min_Expires="7200"), Step("trying", 120, 7200, 3), id="10.2.8: again, for longer"),
    pytest.param(response(423, Min_Expires="60"), Step("failed", 240, 3600, 3), id="longer than that already"),
    pytest.param(response(423), Step("failed", 240, 3600, 3), id="for how long?"),
    pytest.param(None, Step("failed", 240, 3600, 3), id="no answer"),
    pytest.param(response(503), Step("failed", 240, 3600, 3), id="503"),
    pytest.param(response(503, Retry_After="300 (maintenance)"), Step("failed", 300, 3600, 3), id="20.33: left alone"),
    pytest.param(response(503, Retry_After="5"), Step("failed", 240, 3600, 3), id="later than it asks"),
    pytest.param(response(503, Retry_After="99999"), Step("failed", 1800, 3600, 3), id="for half an hour at most"),
    pytest.param(response(403), Step("refused", 1800, 3600, 3), id="403 is tried seldom"),
    pytest.param(response(401), Step("refused", 1800, 3600, 3), id="so is a wrong password"),
    pytest.param(response(302), Step("failed", 240, 3600, 3), id="elsewhere"),
])
def test_after_register(answer: Response | None, step: Step) -> None:
    assert after_register(answer, US, 3600, 2, lambda: 1.0) == step


def test_10_2_8_too_brief_an_interval_is_mended_at_once() -> None:
    assert after_register(response(423, Min_Expires="7200"), US, 3600, 0, lambda: 1.0) == Step("trying", 0, 7200, 1)


@pytest.mark.parametrize(("failures", "drawn", "wait_s"), [
    (1, 0.0, 30), (1, 1.0, 60), (2, 1.0, 120), (3, 0.5, 180), (5, 1.0, 960), (6, 1.0, 1800), (1000, 0.0, 900),
])
def test_rfc_5626_4_5_back_off(failures: int, drawn: float, wait_s: float) -> None:
    assert back_off_s(failures, lambda: drawn) == wait_s


@pytest.mark.parametrize(("granted_s", "wait_s"), [(3600, 3240), (120, 88), (60, 30), (20, 10)])
def test_refreshed_before_it_expires(granted_s: int, wait_s: float) -> None:
    assert refresh_s(granted_s) == wait_s


@pytest.mark.parametrize(("status", "alive"), [
    (200, True), (401, True), (403, True), (404, True), (405, True), (480, True), (500, True), (501, True),
    (408, False), (503, False), (None, False),
])
def test_is_alive(status: int | None, alive: bool) -> None:
    assert is_alive(status) is alive


@pytest.mark.parametrize(("heard", "up"), [
    pytest.param("--", "uu", id="two losses are no proof"),
    pytest.param("---", "uud", id="three are"),
    pytest.param("--+--", "uuuuu", id="in a row"),
    pytest.param("---+", "uudd", id="one answer is no proof"),
    pytest.param("---++", "uuddu", id="two are"),
    pytest.param("---+-++", "uuddddu", id="in a row too"),
])
def test_health(heard: str, up: str) -> None:
    health, seen = Health(3, 2), ""
    for result in heard:
        before = health.up
        assert health.heard(result == "+") is (health.up != before)
        seen += "u" if health.up else "d"
    assert seen == up


def test_our_contact_is_the_same_after_a_restart_and_nobodys_else() -> None:
    trunk = Trunk(1, "R1", "sip.example.net", user="u", password="secret")
    assert contact_user(trunk) == contact_user(Trunk(2, "R1", "sip.example.net", user="u", password="secret", ring_s=1))
    others = [Trunk(1, *names, user="u", password=p) for *names, p in (
        ("R2", "sip.example.net", "secret"), ("R1", "h", "secret"), ("R1", "sip.example.net", "other"),
    )]  # fmt: skip
    assert len({contact_user(each) for each in (trunk, *others)}) == 4
    assert "secret" not in contact_user(trunk)
