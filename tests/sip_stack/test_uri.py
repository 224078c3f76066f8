"""RFC 3261 19.1, RFC 3966."""

from __future__ import annotations

import pytest

from sip_stack.errors import BadMessage
from sip_stack.uri import Uri, parse_uri, sip_uri


@pytest.mark.parametrize(("text", "uri"), [
    pytest.param("sip:example.org", Uri("sip", "", "example.org"), id="host alone"),
    pytest.param("SIP:Bob@Example.ORG:5061", Uri("sip", "Bob", "example.org", 5061), id="scheme and host in any case"),
    pytest.param("sips:a:pw@h;transport=tls;lr", Uri("sips", "a:pw", "h", None, (("transport", "tls"), ("lr", None))),
                 id="password and parameters"),
    pytest.param("sip:001*002@10.0.0.1", Uri("sip", "001*002", "10.0.0.1"), id="a star in the user"),
    pytest.param("sip:u;x=1?y@h", Uri("sip", "u;x=1?y", "h"), id="semicolons and question marks in the user"),
    pytest.param("sip:a@[2001:db8::1]:5060", Uri("sip", "a", "[2001:db8::1]", 5060), id="IPv6"),
    pytest.param("sip:h?subject=x", Uri("sip", "", "h", None, (), "subject=x"), id="headers"),
    pytest.param("tel:+1-201-555-0123;phone-context=x", Uri("tel", "+1-201-555-0123", "", None, (("phone-context",
                 "x"),)),
                 id="tel"),
])  # fmt: skip
def test_parse_uri(text: str, uri: Uri) -> None:
    assert parse_uri(text) == uri
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize(("text", "status"), [
    pytest.param("sip:", 400, id="no host"),
    pytest.param("sip:a b@h", 400, id="space in the user"),
    pytest.param("sip:a@h; lr", 400, id="space before a parameter"),
    pytest.param("sip:a@h:0", 400, id="port 0"),
    pytest.param("sip:a@h:65536", 400, id="port too large"),
    pytest.param("sip:a\x00@h", 400, id="a NUL"),
    pytest.param("sip:a@h;x=\r\ny", 400, id="CR LF"),
    pytest.param('sip:a@h;x="1"', 400, id="quotes"),
    pytest.param("bob@h", 400, id="no scheme"),
    pytest.param("tel:abc?", 400, id="a tel URI of letters"),
    pytest.param("http://h/", 416, id="another scheme"),
])  # fmt: skip
def test_parse_uri_refuses(text: str, status: int) -> None:
    with pytest.raises(BadMessage) as caught:
        parse_uri(text)
    assert caught.value.status == status


@pytest.mark.parametrize(("userinfo", "user"), [("bob", "bob"), ("%62ob", "bob"), ("bob:pw", "bob"), ("5;isub=1", "5")])
def test_user(userinfo: str, user: str) -> None:
    assert Uri("sip", userinfo, "h").user == user


@pytest.mark.parametrize(("text", "number"), [
    pytest.param("sip:5551234@h", "5551234", id="no context"),
    pytest.param("sip:john;x=1@h;user=phone", "john", id="a name"),
    pytest.param("tel:7042;phone-context=example.com", "7042", id="RFC 3966 6: the context of a domain"),
    pytest.param("tel:863-1234;phone-context=+1-914-555", "+19145558631234", id="RFC 3966 6: a global context"),
    pytest.param("tel:5550123;phone-context=+1-201", "+12015550123", id="visual separators are none of the number"),
    pytest.param("tel:5550123;PHONE-CONTEXT=+1201", "+12015550123", id="in any case"),
    pytest.param("tel:+12015550123;phone-context=+44", "+12015550123", id="a global number has no context"),
    pytest.param("tel:*67;phone-context=+1", "*67", id="a service code is none of the context's numbers"),
    pytest.param("tel:5550123;phone-context=+", "5550123", id="a context without digits"),
    pytest.param("tel:5550123;phone-context=+1x", "5550123", id="neither domain nor number"),
    pytest.param("tel:5550123;phone-context", "5550123", id="empty"),
    pytest.param("tel:5550123;isub=1;phone-context=+1201", "+12015550123", id="behind another parameter"),
    pytest.param("sip:5550123;phone-context=+1201@h;user=phone", "+12015550123", id="a telephone-subscriber in SIP"),
    pytest.param("sips:5550123;phone-context=%2B1201@h;user=PHONE", "+12015550123", id="percent-encoded"),
    pytest.param("sip:7042;phone-context=example.com@h;user=phone", "7042", id="of a domain, in SIP"),
    pytest.param("sip:5550123;phone-context=+1201@h", "5550123", id="without user=phone it says nothing"),
    pytest.param("sip:5550123;phone-context=+1201@h;user=ip", "5550123", id="no telephone-subscriber"),
    pytest.param("sip:5550123@h;user=phone;phone-context=+1201", "5550123", id="the URI's own parameter"),
    pytest.param("sip:5550123;=1;phone-context=+1201@h;user=phone", "5550123", id="parameters that are none"),
    pytest.param("tel:911;phone-context=+1", "+1911", id="RFC 3966 5.1.5: need not be a number"),
])
def test_a_local_number_is_read_in_its_global_context(text: str, number: str) -> None:
    assert parse_uri(text).number == number


@pytest.mark.parametrize(
    ("text", "transport"), [("sip:h;transport=UDP", "UDP"), ("sip:h;Transport=tcp", "TCP"), ("sip:h", "")]
)
def test_transport_in_any_case(text: str, transport: str) -> None:
    assert parse_uri(text).transport == transport


@pytest.mark.parametrize(("user", "text"), [
    pytest.param("001*002", "sip:001*002@h", id="star"),
    pytest.param("a b@c\r\n<>\"", "sip:a%20b%40c%0D%0A%3C%3E%22@h", id="nothing gets out of the user part"),
    pytest.param("50%", "sip:50%25@h", id="percent"),
    pytest.param("\udcff", "sip:%FF@h", id="a byte that is no UTF-8"),
])  # fmt: skip
def test_sip_uri(user: str, text: str) -> None:
    assert str(sip_uri(user, "h")) == text


@pytest.mark.parametrize("host", ["2001:db8::1", "[2001:db8::1]"])
def test_sip_uri_puts_an_ipv6_address_in_brackets(host: str) -> None:
    assert str(sip_uri("a", host, 5060)) == "sip:a@[2001:db8::1]:5060"
