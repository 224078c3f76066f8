"""The media process: what leaves in a round."""

from __future__ import annotations

from media.stream import Stream
from media.worker import Outgoing


def test_packets_of_a_round_leave_in_their_order_at_its_end_and_a_refusal_is_counted() -> None:
    left: list[bytes | memoryview] = []

    def refuse(packet: bytes | memoryview) -> None:
        raise ConnectionRefusedError

    here, nowhere = Stream(1, 1, 1, 0.0), Stream(2, 1, 1, 0.0)
    outgoing = Outgoing()
    one, other = outgoing.sender(left.append, here), outgoing.sender(refuse, nowhere)
    for send, packet in ((one, b"a"), (other, b"b"), (one, b"c"), (one, b"d")):
        send(packet)
    assert left == []
    outgoing.flush()
    outgoing.flush()
    assert (left, here.refused, nowhere.refused) == ([b"a", b"c", b"d"], 0, 1)
