"""What no trace shows."""

from __future__ import annotations

import pytest

from b2bua.trace.masking import masked

HEAD = b"INVITE sip:b@h SIP/2.0\r\n"
DIGEST = b'Digest username="u", realm="r", nonce="n1", uri="sip:h", response="%b", cnonce="c", nc=00000001, qop=auth'
SRTP = b"v=0\r\nm=audio 9 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%b|2^20|1:4\r\na=sendrecv\r\n"


def in_header(value: bytes, name: bytes = b"Authorization") -> bytes:
    return HEAD + name + b": " + value + b"\r\nCall-ID: 1\r\n\r\nv=0"


@pytest.mark.parametrize(("message", "shown"), [
    pytest.param(HEAD + b"Call-ID: 1\r\n\r\nv=0", HEAD + b"Call-ID: 1\r\n\r\nv=0", id="nothing to hide"),
    pytest.param(in_header(DIGEST % b"0a1b2c3d"), in_header(DIGEST % b"xxxxxxxx"), id="the response, not the nonce"),
    pytest.param(in_header(DIGEST % b"0a1b", b"Proxy-Authorization"),
                 in_header(DIGEST % b"xxxx", b"Proxy-Authorization"), id="towards a proxy"),
    pytest.param(in_header(b"digest RESPONSE = 0a1b,nc=1", b"AUTHORIZATION"),
                 in_header(b"digest RESPONSE = xxxx,nc=1", b"AUTHORIZATION"), id="in any case, without quotes"),
    pytest.param(in_header(b'Digest a="b",\r\n response="0a1b"'), in_header(b'Digest a="b",\r\n response="xxxx"'),
                 id="on a continued line"),
    pytest.param(in_header(b'Digest response="a b,c"'), in_header(b'Digest response="xxxxx"'),
                 id="a response that is none"),
    pytest.param(in_header(b"Basic dTpw"), in_header(b"Basic xxxx"), id="of another scheme nothing"),
    pytest.param(in_header(b"Basic"), in_header(b"xxxxx"), id="not even half of one"),
    pytest.param(in_header(b'rspauth="0a1b", nc=1', b"Authentication-Info"),
                 in_header(b'rspauth="xxxx", nc=1', b"Authentication-Info"), id="the other side's proof"),
    pytest.param(in_header(b'Digest realm="r", nonce="n"', b"WWW-Authenticate"),
                 in_header(b'Digest realm="r", nonce="n"', b"WWW-Authenticate"), id="a challenge is shown"),
    pytest.param(HEAD + b"Authorization: Digest response=1\nCall-ID: 1\n\nk=clear:a",
                 HEAD + b"Authorization: Digest response=x\nCall-ID: 1\n\nk=clear:x", id="lines that end by LF alone"),
    pytest.param(b"\r\n\r\n" + in_header(DIGEST % b"0a1b"), b"\r\n\r\n" + in_header(DIGEST % b"xxxx"),
                 id="after empty lines"),
    pytest.param(in_header(b"<sip:john:se;cret@h>;tag=1", b"From"), in_header(b"<sip:john:xxxxxxx@h>;tag=1", b"From"),
                 id="a password in a URI"),
    pytest.param(in_header(b"<sip:h:5060>, <sip:a@h:5060>", b"Route"),
                 in_header(b"<sip:h:5060>, <sip:a@h:5060>", b"Route"), id="a port is none"),
    pytest.param(HEAD + b"\r\n" + SRTP % b"WVNfX19zZW1j", HEAD + b"\r\n" + SRTP % b"xxxxxxxxxxxx", id="an SRTP key"),
    pytest.param(b"SIP/2.0 200 OK\r\n\r\na=crypto:1 X inline:ab|1:4;inline:cd|2:4 Y\r\n",
                 b"SIP/2.0 200 OK\r\n\r\na=crypto:1 X inline:xx|1:4;inline:xx|2:4 Y\r\n",
                 id="several keys, in an answer"),
    pytest.param(HEAD + b"\r\nv=0\r\nk=base64:c2Vj\r\na=key-mgmt:mikey AQAF\r\n",
                 HEAD + b"\r\nv=0\r\nk=base64:xxxx\r\na=key-mgmt:mikey xxxx\r\n", id="older ways to send a key"),
    pytest.param(b"INFO sip:b@h SIP/2.0\r\n\r\nSignal=5\r\nDuration=100\r\n",
                 b"INFO sip:b@h SIP/2.0\r\n\r\nxxxxxxxx\r\nxxxxxxxxxxxx\r\n", id="keys pressed"),
    pytest.param(in_header(b"eyJ.e30.sig;info=<https://h/c>", b"Identity"),
                 in_header(b"eyJ.e30.sig;info=<https://h/c>", b"Identity"), id="an Identity is public"),
    pytest.param(b"", b"", id="nothing at all"),
    pytest.param(b"\xff\x00Authorization", b"\xff\x00Authorization", id="no SIP"),
])  # fmt: skip
def test_a_message_is_shown_without_its_secrets(message: bytes, shown: bytes) -> None:
    assert masked(message) == shown
    assert len(shown) == len(message)
