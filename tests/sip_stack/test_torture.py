"""The situations of RFC 4475, section by section, in messages of our own: the valid are served, the others refused.

`scripts/conformance.py` writes what comes of them into docs/conformance.md.
"""

from __future__ import annotations

import pytest

from sip_stack.core import Hop
from sip_stack.message import Request, Response, parse

SOURCE = Hop("UDP", "192.0.2.1", 5060)


def lines(*text: str, body: str = "") -> bytes:
    return "\r\n".join([*text, "", body]).encode("utf-8", "surrogateescape")


def basic(start: str, *more: str, method: str = "OPTIONS", leave: str = "", body: str = "") -> bytes:
    """A sound message with `start` as its first line and `more` in place of (or beside) the usual headers."""
    usual = {
        "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKbase",
        "Max-Forwards": "70",
        "From": "<sip:caller@example.net>;tag=1",
        "To": "<sip:called@example.com>",
        "Call-ID": "torture@example.net",
        "CSeq": f"1 {method}",
        "Contact": "<sip:caller@192.0.2.1>",
    }
    given = {line.partition(":")[0].strip() for line in more}
    return lines(start, *[f"{n}: {v}" for n, v in usual.items() if n not in given and n != leave], *more, body=body)


OPTIONS = "OPTIONS sip:called@example.com SIP/2.0"
INVITE = "INVITE sip:called@example.com SIP/2.0"

# 3.1.1: status of our answer; None: the INVITE rings
VALID = [
    pytest.param(
        lines(
            "INVITE sip:called@chair.example.com;unknownparam SIP/2.0",
            "TO :",
            " sip:called@chair.example.com ;   tag    = 1918n",
            'from   : "J Rose \\\\\\""       <sip:caller@example.com>',
            "  ;",
            "  tag = 98asjd8",
            "MaX-fOrWaRdS: 0068",
            "Call-ID: wsi.1@192.0.2.2",
            "Content-Length   : 4",
            "cseq: 0009",
            "  INVITE",
            "Via  : SIP  /   2.0",
            " /UDP",
            "    192.0.2.2;branch=390skdjuw",
            "s :",
            "NewFangledHeader:   a value",
            " over lines",
            "UnknownHeaderWithUnusualValue: ;;,,;;,;",
            "Content-Type: application/sdp",
            "Route:",
            " <sip:services.example.com;lr;unknownwith=value;unknown-no-value>",
            "v:  SIP  / 2.0  / TCP     spindle.example.com   ;",
            "  branch  =   z9hG4bK9ikj8  ,",
            " SIP  /    2.0   / UDP  192.168.255.111   ; branch=",
            " z9hG4bK30239",
            'm:"Quoted \\"\\"" <sip:caller@example.com> ; newparam =',
            "      newvalue ;",
            "  secondparam ; q = 0.33",
            body="v=0\n",
        ),
        481,
        id="3.1.1.1 a short torturous INVITE (to a dialog we do not have)",
    ),
    pytest.param(
        lines(
            "!interesting-Method0123456789_*+`.%indeed'~ "
            "sip:1_u.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_t.(x)@example.com SIP/2.0",
            "Via: SIP/2.0/UDP host1.example.com;branch=z9hG4bK-.!%66*_+`'~",
            'To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_u.URI~(to-be!sure)&isn\'t+it$/crazy?,/;;*@example.com>',
            "From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com>"
            ";fromParam''~+*_!.-%=\"\u0440\u0430\";tag=_token~1'+`*%!-.",
            "Call-ID: int.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
            "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~",
            "Max-Forwards: 255",
            "extensionHeader-!.%*+_`'~: \ufeff\u5927\u505c",
            "Content-Length: 0",
        ),
        501,
        id="3.1.1.2 a wide range of valid characters",
    ),
    pytest.param(
        basic(
            "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
            "To: sip:%75se%72@example.com",
            "From: <sip:I%20have%20spaces@example.net>;tag=9",
            "Contact: <sip:cal%6Cer@192.0.2.5:5060;%6C%72;n%61me=v%61lue%25%34%31>",
            method="INVITE",
        ),
        None,
        id="3.1.1.3 escapes",
    ),
    pytest.param(
        basic(
            "REGISTER sip:example.com SIP/2.0",
            "To: sip:null-%00-null@example.com",
            "From: sip:null-%00-null@example.com;tag=8",
            "Contact: <sip:%00@host5.example.com>",
            "Contact: <sip:%00%00@host5.example.com>",
            method="REGISTER",
        ),
        200,
        id="3.1.1.4 escaped nulls",
    ),
    pytest.param(
        basic(
            "RE%47IST%45R sip:registrar.example.com SIP/2.0",
            'To: "%Z%45" <sip:resource@example.com>',
            "Contact: <sip:alias1@host1.example.com>",
            method="RE%47IST%45R",
        ),
        501,
        id="3.1.1.5 a % that is no escape",
    ),
    pytest.param(
        basic(OPTIONS, "From: caller<sip:caller@example.com>;tag=323"), 200, id="3.1.1.6 no space before the bracket"
    ),
    pytest.param(
        basic(
            INVITE,
            f'To: "{"very" * 40} long display name" <sip:called@example.com>',
            f"From: <sip:{'long' * 60}name@example.net;{'p' * 90}={'v' * 90}>;tag=12",
            f"Call-ID: {'reallylong' * 20}",
            f"Unknown-{'Long' * 30}-Name: {'unknown ' * 40}; unknown-{'p' * 90}",
            "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKl",
            *[f"Via: SIP/2.0/TCP sip{n}.example.com;branch=z9hG4bK{'x' * 60}{n}" for n in range(33)],
            f"Contact: <sip:{'amazingly' * 30}@host5.example.net>",
            method="INVITE",
        ),
        None,
        id="3.1.1.7 long values",
    ),
    pytest.param(
        basic("REGISTER sip:example.com SIP/2.0", "Content-Length: 0", method="REGISTER")
        + b"INVITE sip:joe@example.com SIP/2.0\r\nVia: x\r\n\r\n",
        200,
        id="3.1.1.8 octets behind the end",
    ),
    pytest.param(
        basic("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", "To: sip:j_user@example.com"),
        200,
        id="3.1.1.9 semicolons in the user",
    ),
    pytest.param(
        basic(
            OPTIONS,
            "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw",
            "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKklasjdhf",
            "Via: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj",
            "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en",
        ),
        200,
        id="3.1.1.10 unknown transports",
    ),
    pytest.param(
        basic(
            "MESSAGE sip:kumiko@example.org SIP/2.0",
            "MIME-Version: 1.0",
            "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655",
            method="MESSAGE",
            body="--7a9cbec02ceef655\r\nContent-Type: text/plain\r\n\r\nHello\r\n--7a9cbec02ceef655--\r\n",
        ),
        405,
        id="3.1.1.11 a multipart body",
    ),
]

# 3.1.2
INVALID = [
    pytest.param(
        basic(INVITE, "Via: SIP/2.0/UDP 192.0.2.15;;,;,,", 'Contact: "Joe" <sip:joe@example.org>;;;;', method="INVITE"),
        400,
        id="3.1.2.1 extraneous separators",
    ),
    pytest.param(
        basic(INVITE, "Content-Length: 9999", method="INVITE", body="v=0"), 400, id="3.1.2.2 Content-Length too large"
    ),
    pytest.param(
        basic(INVITE, "Content-Length: -999", method="INVITE", body="v=0"), 400, id="3.1.2.3 Content-Length negative"
    ),
    pytest.param(
        basic(
            "REGISTER sip:example.com SIP/2.0",
            "CSeq: 36893488147419103232 REGISTER",
            "Max-Forwards: 300",
            "Expires: 1" + "0" * 40,
            method="REGISTER",
        ),
        400,
        id="3.1.2.4 scalars too large",
    ),
    pytest.param(
        basic(INVITE, 'To: "Mr. J. User <sip:j.user@example.com>', method="INVITE"),
        400,
        id="3.1.2.6 an unterminated quote",
    ),
    pytest.param(
        basic("INVITE <sip:user@example.com> SIP/2.0", method="INVITE"),
        400,
        id="3.1.2.7 brackets around the Request-URI",
    ),
    pytest.param(
        basic("INVITE sip:user@example.com; lr SIP/2.0", method="INVITE"),
        400,
        id="3.1.2.8 white space in the Request-URI",
    ),
    pytest.param(
        basic("INVITE  sip:user@example.com  SIP/2.0", method="INVITE"),
        400,
        id="3.1.2.9 two spaces in the request line",
    ),
    pytest.param(
        basic("OPTIONS sip:remote@example.com SIP/2.0  "), 400, id="3.1.2.10 spaces at the end of the request line"
    ),
    pytest.param(
        basic("INVITE sip:user@example.com?Route=%3Csip:example.com%3E SIP/2.0", method="INVITE"),
        400,
        id="3.1.2.11 headers in the Request-URI",
    ),
    pytest.param(
        basic(INVITE, "Date: Fri, 01 Jan 2010 16:00:00 EST", method="INVITE"), 400, id="3.1.2.12 a time zone in Date"
    ),
    pytest.param(
        basic(
            "REGISTER sip:example.com SIP/2.0",
            "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            method="REGISTER",
        ),
        400,
        id="3.1.2.13 a Contact that needs brackets",
    ),
    pytest.param(
        basic(OPTIONS, 'To: "Watson, Thomas" < sip:t.watson@example.org >'),
        400,
        id="3.1.2.14 spaces within an addr-spec",
    ),
    pytest.param(
        basic(OPTIONS, "From: Bell, Alexander <sip:a.g.bell@bell-tel.com>;tag=43"),
        400,
        id="3.1.2.15 a comma in an unquoted display name",
    ),
    pytest.param(
        basic("OPTIONS sip:t.watson@example.org SIP/7.0", "Via: SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw"),
        505,
        id="3.1.2.16 another version",
    ),
    pytest.param(basic(OPTIONS, "CSeq: 8 INVITE"), 400, id="3.1.2.17 methods that differ"),
    pytest.param(
        basic("NEWMETHOD sip:user@example.com SIP/2.0", "CSeq: 8 INVITE"),
        501,
        id="3.1.2.18 an unknown method that differs",
    ),
]

# 3.2 to 3.4
CONTEXT = [
    pytest.param(
        basic(OPTIONS, "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"), 200, id="3.2.1 a branch that is the cookie alone"
    ),
    pytest.param(basic(INVITE, leave="Call-ID", method="INVITE"), 400, id="3.3.1 a required header is missing"),
    pytest.param(
        basic("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"), 416, id="3.3.2 an unknown scheme"
    ),
    pytest.param(
        basic("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"), 416, id="3.3.3 a known scheme that is not ours"
    ),
    pytest.param(
        basic(
            "REGISTER sip:example.com SIP/2.0",
            "To: isdn:2983792873",
            "From: <http://www.example.com>;tag=3234233",
            "Contact: <name:John_Smith>",
            method="REGISTER",
        ),
        200,
        id="3.3.4 unknown schemes in To, From and Contact are the registrar's to judge",
    ),
    pytest.param(basic(OPTIONS, "Require: nothingSupportsThis, nothingSupportsThisEither"), 420, id="3.3.5 Require"),
    pytest.param(
        basic(INVITE, "Content-Type: application/unknownformat", method="INVITE", body="<audio/>"),
        415,
        id="3.3.6 an unknown body",
    ),
    pytest.param(
        basic(
            "REGISTER sip:j.user@example.com SIP/2.0",
            "Authorization: NoOneKnowsThisScheme opaque-data=here",
            method="REGISTER",
        ),
        200,
        id="3.3.7 an unknown authorization scheme is the registrar's to judge",
    ),
    pytest.param(
        basic(INVITE, "CSeq: 5 INVITE", "CSeq: 59 INVITE", method="INVITE"),
        400,
        id="3.3.8 two values where there is one",
    ),
    pytest.param(
        basic(OPTIONS, "Content-Length: 13", "Content-Length: 5", body="There's no way"),
        400,
        id="3.3.9 two Content-Length",
    ),
    pytest.param(basic(OPTIONS, "Max-Forwards: 0"), 200, id="3.3.11 Max-Forwards 0: we are the end"),
    pytest.param(
        basic(
            "REGISTER sip:example.com SIP/2.0",
            "Contact: sip:+19725552222@gw1.example.net;unknownparam",
            method="REGISTER",
        ),
        200,
        id="3.3.12 a parameter of the header, no brackets",
    ),
    pytest.param(
        basic(
            "REGISTER sip:example.com SIP/2.0",
            "Contact: <sip:+19725552222@gw1.example.net;unknownparam>",
            method="REGISTER",
        ),
        200,
        id="3.3.13 a parameter of the address, in brackets",
    ),
    pytest.param(
        basic(
            "REGISTER sip:example.com SIP/2.0",
            "Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>",
            method="REGISTER",
        ),
        200,
        id="3.3.14 headers in a registered Contact",
    ),
    pytest.param(
        basic(INVITE, "Accept: text/nobodyKnowsThis", method="INVITE"),
        406,
        id="3.3.15 an Accept without session descriptions",
    ),
    pytest.param(
        lines(
            "INVITE sip:UserB@example.com SIP/2.0",
            "Via: SIP/2.0/UDP iftgw.example.com",
            "From: <sip:+13035551111@ift.client.example.net;user=phone>",
            "Record-Route: <sip:UserB@example.com;maddr=ss1.example.com>",
            "To: sip:+16505552222@ss1.example.net;user=phone",
            "Call-ID: inv2543.1717@ift.client.example.com",
            "CSeq: 56 INVITE",
            "Content-Type: application/sdp",
            body="v=0\r\n",
        ),
        None,
        id="3.4.1 an INVITE of RFC 2543",
    ),
]


@pytest.mark.parametrize(("data", "status"), VALID + INVALID + CONTEXT)
def test_4475(wire, b, data: bytes, status: int | None) -> None:
    b.core.receive(data, SOURCE)
    assert b.bugs == []
    if status is None:
        assert len(b.calls) == 1
        b.call.ring()
        status = 180
    answers = [m for m in wire.messages if isinstance(m, Response)]
    assert [m.status for m in answers] == [status]
    assert answers[0].via.branch == parse(data).via.branch  # type: ignore[union-attr]


def test_4475_is_covered() -> None:
    assert (len(VALID) + 2, len(INVALID)) == (13, 17)  # the other two valid ones are responses, below


@pytest.mark.parametrize(
    ("start", "extra", "told"),
    [
        pytest.param(
            "SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e",
            "",
            True,
            id="3.1.1.12 an unusual reason phrase",
        ),
        pytest.param("SIP/2.0 100 ", "", True, id="3.1.1.13 an empty reason phrase"),
        pytest.param("SIP/2.0 100", "", True, id="also without the space"),
        pytest.param(
            "SIP/2.0 503 Service Unavailable",
            "CSeq: 9292394834772304023312 OPTIONS",
            False,
            id="3.1.2.5 scalars too large",
        ),
        pytest.param("SIP/2.0 4294967301 better not break the receiver", "", False, id="3.1.2.19 a status too large"),
        pytest.param(
            "SIP/2.0 200 OK",
            "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23",
            False,
            id="3.3.10 a Via that is not ours",
        ),
    ],
)
def test_4475_responses(wire, b, start: str, extra: str, told: bool) -> None:
    seen: list[Response | None] = []
    fields = {"From": ["<sip:a@h>;tag=1"], "To": ["<sip:b@h>"], "Call-ID": ["c"], "CSeq": ["1 OPTIONS"]}
    b.core.request(Request("OPTIONS", "sip:b@h", fields), SOURCE, seen.append)
    via = wire.messages[-1].get("Via")
    b.core.receive(basic(start, *([extra] if extra else []), *([] if "Via" in extra else [f"Via: {via}"])), SOURCE)
    assert bool(seen) is told
    assert b.bugs == []
