"""Which address a leg's sound is received at, and descriptions by the other family."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from b2bua.audio import CODECS, Audio, place_for
from media.inline import InlineEngine
from sip_stack.errors import PeerError

SIX = b"v=0\r\no=- 1 1 IN IP6 ::9\r\ns=-\r\nc=IN IP6 2001:db8::9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
FOUR = SIX.replace(b"IP6 2001:db8::9", b"IP4 192.0.2.9")
HELD = SIX.replace(b"IP6 2001:db8::9", b"IP4 0.0.0.0")


class Still:
    """A loop on which no time passes, and a timer of it."""

    def time(self) -> float:
        return 0.0

    def call_at(self, when: float, callback: Callable[..., object], *args: object) -> Still:
        return self

    def cancel(self) -> None: ...


def engine(*places: str) -> InlineEngine:
    return InlineEngine(Still(), places[0], more=places[1:])


@pytest.mark.parametrize(("places", "signalling", "theirs", "place"), [
    pytest.param(("192.0.2.1",), 0, SIX, 0, id="there is only one"),
    pytest.param(("192.0.2.1", "2001:db8::1"), 0, FOUR, 0, id="as the signalling"),
    pytest.param(("192.0.2.1", "2001:db8::1"), 0, SIX, 1, id="they offer the other family"),
    pytest.param(("192.0.2.1", "2001:db8::1"), 1, b"", 1, id="the offer is ours"),
    pytest.param(("10.0.0.1", "192.0.2.1"), 1, SIX, 1, id="there is none of their family"),
    pytest.param(("10.0.0.1", "192.0.2.1", "2001:db8::1"), 1, FOUR, 1, id="the second of a family"),
])
def test_where_sound_is_received(places: tuple[str, ...], signalling: int, theirs: bytes, place: int) -> None:
    assert place_for(engine(*places), signalling, theirs) == place


def test_a_port_at_a_place_says_so() -> None:
    audio = Audio(engine("192.0.2.1", "2001:db8::1"), lambda event: None, CODECS, 1)
    assert b"c=IN IP6 2001:db8::1\r\n" in audio.offer()
    assert b"c=IN IP6 2001:db8::1\r\n" in audio.take_offer(SIX, "2001:db8::9")


def test_a_description_by_the_other_family_is_refused_with_a_warning_and_changes_nothing() -> None:
    audio = Audio(engine("2001:db8::1"), lambda event: None, CODECS)
    audio.take_offer(SIX, "2001:db8::9")
    before = audio.peer
    with pytest.raises(PeerError) as refused:
        audio.take_offer(FOUR, "2001:db8::9")
    assert (refused.value.status, refused.value.headers) == (
        488, (("Warning", '301 ringback "Incompatible network address formats"'),),
    )  # fmt: skip
    assert audio.peer == before


def test_hold_of_rfc_2543_is_0_0_0_0_by_ipv6_too() -> None:
    audio = Audio(engine("2001:db8::1"), lambda event: None, CODECS)
    audio.take_offer(SIX, "2001:db8::9")
    audio.take_offer(HELD, "2001:db8::9")
    assert audio.peer is not None
    assert audio.peer.held
