"""The four machines of RFC 3261 17 with RFC 6026, by transcript: facts in, the whole list of effects out."""

from __future__ import annotations

import pytest

from sip_stack.effects import Arm, Disarm, Effect, Ended, Send, ToUser
from sip_stack.message import Request, Response, parse
from sip_stack.timers import TimerSettings
from sip_stack.transaction import InviteClient, InviteServer, NonInviteClient, NonInviteServer, Transaction


def request(method: str = "INVITE") -> Request:
    return Request(method, "sip:bob@h", {
        "Via": ["SIP/2.0/UDP me;branch=z9hG4bK1", "SIP/2.0/UDP other"], "Max-Forwards": ["70"], "Route": ["<sip:p;lr>"],
        "From": ["<sip:a@me>;tag=1"], "To": ["<sip:bob@h>"], "Call-ID": ["c"], "CSeq": [f"3 {method}"],
    }, b"x")  # fmt: skip


INVITE, BYE, ACK = request(), request("BYE"), request("ACK")
SENT, SENT_BYE = request().encode(), request("BYE").encode()


def response(status: int, tag: str = "t", *, to: Request = INVITE) -> Response:
    return Response.to_request(to, status, tag=tag)


def sends(status: int, *, to: Request = INVITE) -> Send:
    return Send(response(status, to=to).encode())


def run_out(machine: Transaction, timer: str, times: int) -> list[float]:
    """The intervals a timer is armed with again, so many times."""
    intervals = []
    for _ in range(times):
        send, arm = machine.on_timer(timer)
        assert isinstance(send, Send)
        assert isinstance(arm, Arm)
        intervals.append(arm.seconds)
    return intervals


# 17.1.1 INVITE client


def calling(**options: bool) -> InviteClient:
    machine = InviteClient(request(), **options)  # type: ignore[arg-type]
    machine.start()
    return machine


def test_17_1_1_2_calling_sends_and_arms_a_and_b() -> None:
    assert InviteClient(request()).start() == [Send(SENT), Arm("A", 0.5), Arm("B", 32.0)]


def test_17_1_1_2_over_tcp_there_is_no_timer_a() -> None:
    assert InviteClient(request(), reliable=True).start() == [Send(SENT), Arm("B", 32.0)]


def test_17_1_1_2_timer_a_doubles_without_end() -> None:
    assert run_out(calling(), "A", 6) == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def test_17_1_1_2_timer_b_in_calling_is_a_timeout() -> None:
    assert calling().on_timer("B") == [Ended("timeout")]


def test_17_1_1_2_timer_b_must_not_fire_in_proceeding() -> None:
    machine = calling()
    assert machine.on_response(response(180)) == [Disarm("A"), Disarm("B"), ToUser(machine_saw(180))]
    assert machine.on_timer("B") == []
    assert machine.on_timer("A") == []


class Same(Response):
    """Equal to any response of that status and To: effects are compared by value."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Response) and other.encode() == self.encode()

    __hash__ = None  # type: ignore[assignment]


def machine_saw(status: int, tag: str = "t") -> Response:
    plain = response(status, tag)
    return Same(plain.status, plain.reason, plain.fields, plain.body)


def test_17_1_1_2_proceeding_passes_every_provisional_up() -> None:
    machine = calling()
    machine.on_response(response(100))
    assert machine.on_response(response(180)) == [ToUser(machine_saw(180))]
    assert machine.on_response(response(183)) == [ToUser(machine_saw(183))]


def test_6026_7_2_a_2xx_goes_up_and_arms_m() -> None:
    assert calling().on_response(response(200)) == [Disarm("A"), Disarm("B"), Arm("M", 32.0), ToUser(machine_saw(200))]


def test_6026_7_2_every_repeated_2xx_goes_up_to_be_acked_again_until_m() -> None:
    machine = calling()
    machine.on_response(response(180))
    assert machine.on_response(response(200)) == [Arm("M", 32.0), ToUser(machine_saw(200))]
    assert machine.on_response(response(200)) == [ToUser(machine_saw(200))]
    assert machine.on_response(response(200, "fork")) == [ToUser(machine_saw(200, "fork"))]
    assert machine.on_response(response(180)) == []
    assert machine.on_response(response(486)) == []
    assert machine.on_timer("M") == [Ended("done")]


def ack_of(machine: InviteClient, status: int = 486) -> Send:
    sent = [e for e in machine.on_response(response(status)) if isinstance(e, Send)]
    return sent[0]


def test_17_1_1_3_the_ack_to_a_failure_has_the_branch_route_and_uri_of_the_invite_and_the_to_of_the_response() -> None:
    ack = parse(ack_of(calling()).data)
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri_text, ack.body) == ("ACK", "sip:bob@h", b"")
    assert ack.fields == {
        "Via": ["SIP/2.0/UDP me;branch=z9hG4bK1"], "Max-Forwards": ["70"], "From": ["<sip:a@me>;tag=1"],
        "To": ["<sip:bob@h>;tag=t"], "Call-ID": ["c"], "CSeq": ["3 ACK"], "Route": ["<sip:p;lr>"],
        "Content-Length": ["0"],
    }  # fmt: skip


def test_17_1_1_2_a_failure_is_acked_told_once_and_acked_again_when_repeated() -> None:
    machine = calling()
    ack = ack_of(calling())
    assert machine.on_response(response(486)) == [
        Disarm("A"),
        Disarm("B"),
        ack,
        Arm("D", 32.0),
        ToUser(machine_saw(486)),
    ]
    assert machine.on_response(response(486)) == [ack]
    assert machine.on_response(response(200)) == []
    assert machine.on_timer("D") == [Ended("done")]
    assert machine.on_response(response(486)) == []


def test_17_1_1_2_timer_d_is_at_least_32_s_and_zero_over_tcp() -> None:
    machine = InviteClient(request(), timers=TimerSettings(t1=0.05))
    machine.start()
    assert machine.on_response(response(486))[-2] == Arm("D", 32.0)
    assert calling(reliable=True).on_response(response(486)) == [
        Disarm("A"), Disarm("B"), ack_of(calling()), Ended("done"), ToUser(machine_saw(486)),
    ]  # fmt: skip


def test_17_1_1_3_an_ack_without_route() -> None:
    invite = request()
    del invite.fields["Route"]
    machine = InviteClient(invite)
    machine.start()
    assert b"Route" not in ack_of(machine).data


# 17.1.2 non-INVITE client


def trying(**options: bool) -> NonInviteClient:
    machine = NonInviteClient(request("BYE"), **options)  # type: ignore[arg-type]
    machine.start()
    return machine


@pytest.mark.parametrize(("reliable", "effects"), [
    (False, [Send(SENT_BYE), Arm("E", 0.5), Arm("F", 32.0)]), (True, [Send(SENT_BYE), Arm("F", 32.0)]),
])  # fmt: skip
def test_17_1_2_2_trying_sends_and_arms(reliable: bool, effects: list[Effect]) -> None:
    assert NonInviteClient(request("BYE"), reliable=reliable).start() == effects


def test_17_1_2_2_timer_e_doubles_up_to_t2() -> None:
    assert run_out(trying(), "E", 5) == [1.0, 2.0, 4.0, 4.0, 4.0]


def test_17_1_2_2_in_proceeding_timer_e_is_t2_and_f_still_fires() -> None:
    machine = trying()
    provisional = machine_saw(100)
    assert machine.on_response(provisional) == [ToUser(provisional)]
    assert run_out(machine, "E", 2) == [4.0, 4.0]
    assert machine.on_timer("F") == [Ended("timeout")]
    assert machine.on_timer("E") == []


def test_17_1_2_2_a_final_response_is_told_once_and_k_ends() -> None:
    machine = trying()
    final = machine_saw(200)
    assert machine.on_response(final) == [Disarm("E"), Disarm("F"), Arm("K", 5.0), ToUser(final)]
    assert machine.on_response(final) == []
    assert machine.on_timer("F") == []
    assert machine.on_timer("K") == [Ended("done")]


def test_17_1_2_2_over_tcp_timer_k_is_zero() -> None:
    final = machine_saw(200)
    assert trying(reliable=True).on_response(final) == [Disarm("E"), Disarm("F"), Ended("done"), ToUser(final)]


# 17.2.1 INVITE server


def test_17_2_1_a_repeated_invite_gets_the_last_provisional_again() -> None:
    machine = InviteServer()
    assert machine.on_request(INVITE) == []
    assert machine.respond(response(180)) == [sends(180)]
    assert machine.respond(response(183)) == [sends(183)]
    assert machine.on_request(INVITE) == [sends(183)]
    assert machine.on_request(ACK) == []


def test_6026_7_1_a_2xx_absorbs_repeated_invites_passes_acks_up_and_lets_only_2xx_leave() -> None:
    machine = InviteServer()
    machine.respond(response(180))
    assert machine.respond(response(200)) == [sends(200), Arm("L", 32.0)]
    assert machine.on_request(INVITE) == []
    assert machine.respond(response(180)) == []  # a 180 never leaves after the 200
    assert machine.respond(response(486)) == []
    assert machine.respond(response(200)) == [sends(200)]
    ack = request("ACK")
    assert machine.on_request(ack) == [ToUser(ack)]
    assert machine.on_timer("L") == [Ended("done")]
    assert machine.respond(response(200)) == []


def test_17_2_1_a_failure_is_repeated_by_g_up_to_t2_and_for_each_invite() -> None:
    machine = InviteServer()
    assert machine.respond(response(486)) == [sends(486), Arm("G", 0.5), Arm("H", 32.0)]
    assert machine.on_request(INVITE) == [sends(486)]
    assert run_out(machine, "G", 5) == [1.0, 2.0, 4.0, 4.0, 4.0]
    assert machine.respond(response(200)) == []
    assert machine.on_timer("H") == [Ended("timeout")]


def test_17_2_1_the_ack_to_a_failure_ends_the_repeats_and_is_not_passed_up() -> None:
    machine = InviteServer()
    machine.respond(response(486))
    assert machine.on_request(ACK) == [Disarm("G"), Disarm("H"), Arm("I", 5.0)]
    assert machine.on_request(ACK) == []
    assert machine.on_request(INVITE) == []
    assert machine.on_timer("G") == []
    assert machine.on_timer("H") == []
    assert machine.on_timer("I") == [Ended("done")]


def test_17_2_1_over_tcp_no_g_and_timer_i_is_zero() -> None:
    machine = InviteServer(reliable=True)
    assert machine.respond(response(486)) == [sends(486), Arm("H", 32.0)]
    assert machine.on_request(ACK) == [Disarm("G"), Disarm("H"), Ended("done")]


# 17.2.2 non-INVITE server


def test_17_2_2_a_repeated_request_gets_the_stored_response() -> None:
    machine = NonInviteServer()
    assert machine.on_request(BYE) == []
    assert machine.respond(response(100, to=BYE)) == [sends(100, to=BYE)]
    assert machine.on_request(BYE) == [sends(100, to=BYE)]
    assert machine.respond(response(200, to=BYE)) == [sends(200, to=BYE), Arm("J", 32.0)]
    assert machine.on_request(BYE) == [sends(200, to=BYE)]
    assert machine.respond(response(500, to=BYE)) == []
    assert machine.on_timer("X") == []
    assert machine.on_timer("J") == [Ended("done")]


def test_17_2_2_over_tcp_timer_j_is_zero() -> None:
    assert NonInviteServer(reliable=True).respond(response(200, to=BYE)) == [sends(200, to=BYE), Ended("done")]


@pytest.mark.parametrize("machine", [calling(), trying(), InviteServer(), NonInviteServer()])
def test_a_timer_of_nobody_does_nothing(machine: Transaction) -> None:
    assert machine.on_timer("X") == []
