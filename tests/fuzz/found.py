"""What fuzzing has found, one row each: the bytes, so that it is never met again."""

from __future__ import annotations

import pytest

from tests.fuzz.damage import request

__all__ = ["MESSAGES", "SDP"]

_LONG = "9" * 5000
"""More digits than `int` takes at once."""
_SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"

SDP = [
    pytest.param(f"{_SDP}m=audio {_LONG} RTP/AVP 0\r\n".encode(), id="a port of 5000 digits"),
    pytest.param(f"{_SDP}m=audio 4000 RTP/AVP 0 {_LONG}\r\n".encode(), id="a payload type of 5000 digits"),
    pytest.param(f"{_SDP}m=audio 4000 RTP/AVP 0\r\na=ptime:{_LONG}\r\n".encode(), id="a ptime of 5000 digits"),
    pytest.param(f"{_SDP}m=audio 4000 RTP/AVP 0\r\na=rtcp:{_LONG}\r\n".encode(), id="an RTCP port of 5000 digits"),
]

MESSAGES = [
    pytest.param(request("REGISTER", more=[f"Expires: {_LONG}"]), id="Expires of 5000 digits"),
    pytest.param(request("REGISTER", more=[f"Contact: <sip:x@10.0.0.1>;expires={_LONG}"]), id="expires of 5000 digits"),
    pytest.param(request("INVITE", body=f"{_SDP}m=audio {_LONG} RTP/AVP 0\r\n"), id="an SDP port of 5000 digits"),
]
