"""RFC 3261 25: tokens, quoting, lists, parameters."""

from __future__ import annotations

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_stack.errors import BadMessage
from sip_stack.grammar import comma_list, is_token, param, parse_params, quote, remembered, unquote, write_params


@pytest.mark.parametrize(("text", "yes"), [
    pytest.param("INVITE", True, id="a method"),
    pytest.param("a-.!%*_+`'~9", True, id="every mark"),
    pytest.param("", False, id="empty"),
    pytest.param("a b", False, id="space"),
    pytest.param('a"', False, id="quote"),
    pytest.param("é", False, id="not ascii"),
])  # fmt: skip
def test_is_token(text: str, yes: bool) -> None:
    assert is_token(text) is yes


@pytest.mark.parametrize(("text", "quoted"), [
    pytest.param("Mary", '"Mary"', id="plain"),
    pytest.param('Mary "the" O\\Neill', '"Mary \\"the\\" O\\\\Neill"', id="quotes and backslashes"),
    pytest.param("a\r\nVia: evil\x00\x7f\t", '"a  Via: evil   "', id="control characters cannot end the header"),
])  # fmt: skip
def test_quote(text: str, quoted: str) -> None:
    assert quote(text) == quoted


@given(st.text())
def test_quoted_text_is_one_string_and_comes_back(text: str) -> None:
    quoted = quote(text)
    assert "\r" not in quoted
    assert "\n" not in quoted
    assert comma_list(quoted + ",x") == [quoted, "x"]
    assert unquote(quoted) == unquote(quote(unquote(quoted)))


@pytest.mark.parametrize(("text", "plain"), [
    pytest.param('"a\\"b"', 'a"b', id="escape"),
    pytest.param('"ab"', "ab", id="no escape"),
    pytest.param("ab", "ab", id="not quoted"),
    pytest.param('"', '"', id="a lone quote"),
])  # fmt: skip
def test_unquote(text: str, plain: str) -> None:
    assert unquote(text) == plain


@pytest.mark.parametrize(("value", "elements"), [
    pytest.param("a", ["a"], id="one"),
    pytest.param(" a , b ", ["a", "b"], id="two, trimmed"),
    pytest.param('"x, y" <sip:a,b@c>, <sip:d>', ['"x, y" <sip:a,b@c>', "<sip:d>"],
                 id="commas inside quotes and brackets"),
    pytest.param('"x \\", y", z', ['"x \\", y"', "z"], id="an escaped quote does not close"),
    pytest.param('a, "b, c', ["a", '"b, c'], id="an unclosed quote runs to the end"),
    pytest.param("a, <b, c", ["a", "<b, c"], id="an unclosed bracket runs to the end"),
    pytest.param(',"\\', ["", '"\\'], id="a lone backslash at the end"),
])  # fmt: skip
def test_comma_list(value: str, elements: list[str]) -> None:
    assert comma_list(value) == elements


@pytest.mark.parametrize(("text", "params"), [
    pytest.param("", (), id="none"),
    pytest.param(";Branch=z9hG4bK1;rport", (("branch", "z9hG4bK1"), ("rport", None)), id="names in lower case"),
    pytest.param(" ; tag = 19 ;lr", (("tag", "19"), ("lr", None)), id="white space"),
    pytest.param(';a="x;\\"y"', (("a", 'x;"y'),), id="a quoted value"),
    pytest.param(";a=;b", (("a", ""), ("b", None)), id="an empty value"),
    pytest.param(";a=1;", (("a", "1"),), id="a stray semicolon at the end"),
    pytest.param(";x=[::1]:5", (("x", "[::1]:5"),), id="an IPv6 host"),
])  # fmt: skip
def test_parse_params(text: str, params: object) -> None:
    assert parse_params(text) == params


@pytest.mark.parametrize("text", [";a=1;;b=2", ";a b", ';a="x', ";=1", "a=1", ";a=1 x"])
def test_parse_params_refuses(text: str) -> None:
    with pytest.raises(BadMessage):
        parse_params(text)


def test_param() -> None:
    params = parse_params(";lr;tag=1")
    assert (param(params, "lr"), param(params, "tag"), param(params, "x")) == ("", "1", None)


def test_write_params() -> None:
    assert write_params((("lr", None), ("tag", "1"), ("x", "a b"), ("y", ""), ("z", "[::1]"))) == (
        ';lr;tag=1;x="a b";y="";z=[::1]'
    )
    assert write_params(()) == ""


@pytest.mark.parametrize("text", [
    pytest.param('"\\' * 30_000, id="unclosed quotes, each escaped"),
    pytest.param("<" * 60_000 + ",", id="unclosed brackets"),
    pytest.param('"' * 60_001 + ",", id="quotes"),
    pytest.param(" " * 60_000 + ",x", id="spaces"),
])  # fmt: skip
def test_hostile_lists_are_read_in_linear_time(text: str) -> None:
    assert comma_list(text)  # quadratic patterns take minutes here and meet the suite's timeout
    with pytest.raises(BadMessage):
        parse_params(";a=" + text + " x")


class Value:
    """Something read, whose end can be seen."""


def test_what_comes_again_stays_remembered_among_texts_that_come_once() -> None:
    reads: list[str] = []
    read = remembered(lambda text: reads.append(text) or Value())
    usual = read("usual")
    for n in range(20_000):
        read(f"once {n}")
        assert read("usual") is usual
    assert reads.count("usual") == 1


def test_so_many_texts_are_remembered_and_none_that_is_long() -> None:
    alive: weakref.WeakSet[Value] = weakref.WeakSet()

    def made(text: str) -> Value:
        value = Value()
        alive.add(value)
        return value

    read = remembered(made)
    for n in range(20_000):
        read(f"{n}")
    assert 1024 <= len(alive) <= 2048
    before = len(alive)
    for n in range(100):
        read(f"{n}" + "x" * 160)
    assert len(alive) == before


def test_what_is_no_text_is_remembered_by_the_length_of_its_text() -> None:
    reads: list[tuple[str, str]] = []
    read = remembered(lambda pair: reads.append(pair) or Value(), lambda pair: len("".join(pair)))
    short, long = ("a", "b"), ("a", "x" * 160)
    assert read(short) is read(short)
    assert read(long) is not read(long)
    assert reads == [short, long, long]
