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
