"""A trunk's answers in plain words."""

from __future__ import annotations

import pytest

from b2bua.trunks.words import _TABLES, Meaning, Question, meaning
from sip_stack.message import REASONS


@pytest.mark.parametrize(("question", "status", "well", "words"), [
    pytest.param("OPTIONS", 200, True, "it is there and answers", id="there"),
    pytest.param("OPTIONS", 404, True, "does no harm", id="there, though it knows no such user"),
    pytest.param("OPTIONS", 401, True, "asks for a password", id="there, with a password"),
    pytest.param("OPTIONS", 407, True, "password", id="a proxy that asks for a password is there"),
    pytest.param("OPTIONS", 500, True, "a fault of the trunk", id="there, and ill"),
    pytest.param("OPTIONS", 503, False, "out of service", id="out of service"),
    pytest.param("OPTIONS", None, False, "nobody answered", id="silence"),
    pytest.param("REGISTER", 200, True, "are right", id="registered"),
    pytest.param("REGISTER", 202, True, "are right", id="any 2xx"),
    pytest.param("REGISTER", 401, False, "is wrong", id="a wrong password"),
    pytest.param("REGISTER", 403, False, "wrong user or password", id="refused"),
    pytest.param("REGISTER", 404, False, "does not know this user", id="no such user"),
    pytest.param("REGISTER", 405, False, "register = false", id="no registrar"),
    pytest.param("INVITE", 200, True, "answered", id="answered"),
    pytest.param("INVITE", 302, False, "sends us elsewhere", id="elsewhere"),
    pytest.param("INVITE", 403, False, "number shown", id="a number that is not ours"),
    pytest.param("INVITE", 404, False, "number_format", id="a number in another form"),
    pytest.param("INVITE", 407, False, "is wrong", id="a wrong password for calls"),
    pytest.param("INVITE", 408, False, "found nobody in time", id="408"),
    pytest.param("INVITE", 480, True, "the trunk works", id="480"),
    pytest.param("INVITE", 486, True, "busy", id="busy"),
    pytest.param("INVITE", 499, False, "refuses", id="a status that nobody knows"),
    pytest.param("INVITE", 503, False, "out of service", id="503"),
    pytest.param("INVITE", 604, False, "refuses", id="no such number anywhere"),
])  # fmt: skip
def test_meaning(question: Question, status: int | None, well: bool, words: str) -> None:
    said = meaning(question, status, password=True)
    assert said.well is well
    assert words in said.sentence


@pytest.mark.parametrize(("question", "status"), [("REGISTER", 401), ("INVITE", 407)])
def test_a_password_that_is_missing_is_not_called_wrong(question: Question, status: int) -> None:
    assert meaning(question, status, password=False) == Meaning(
        False, "it asks for a password and the trunk has none here: set `user` and `password`"
    )


def test_every_final_status_has_a_sentence() -> None:
    for question in _TABLES:
        for status in (status for status in REASONS if status >= 200):
            assert meaning(question, status, password=True).sentence
