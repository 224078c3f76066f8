"""The four machines of RFC 3261 17 with RFC 6026, by transcript: facts in, all that the machine then does out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from sip_stack.client_transaction import InviteClient, NonInviteClient
from sip_stack.hop import Hop
from sip_stack.message import Request, Response, parse, reply
from sip_stack.server_transaction import InviteServer, NonInviteServer
from sip_stack.timers import RFC, Timed, TimerSettings
from sip_stack.transaction import Transaction

UDP, TCP = Hop("UDP", "h", 5060), Hop("TCP", "h", 5060)


class Send(NamedTuple):
    data: bytes


class Arm(NamedTuple):
    timer: str
    seconds: float


class Linger(NamedTuple):
    """It takes what is repeated, and is over when that timer is due."""

    timer: str
    seconds: float


class Told(NamedTuple):
    """To the user: a status, `ACK`, or None for nobody answered."""

    what: int | str | None


ENDED = "ended"
Did = Send | Arm | Linger | Told | str


class World:
    """The Shell, and the user, of one machine."""

    agent_line = "\r\nServer: we"

    def __init__(self, hop: Hop = UDP, timers: TimerSettings = RFC) -> None:
        self.timers = timers
        self.hop = hop
        self.did: list[Did] = []

    def send(self, data: bytes, hop: Hop, call_id: str) -> None:
        assert (hop, call_id) == (self.hop, "c")
        self.did.append(Send(data))

    def arm(self, target: Timed, timer: str, seconds: float) -> None:
        self.did.append(Arm(timer, seconds))

    watch = arm

    def linger(self, transaction: Transaction, timer: str, seconds: float) -> None:
        self.did.append(Linger(timer, seconds))

    def forget(self, transaction: Transaction) -> None:
        self.did.append(ENDED)

    def tell(self, message: Request | Response | None) -> None:
        self.did.append(Told(message.status if isinstance(message, Response) else message and message.method))


def does(machine: Transaction, verb: Callable[..., None], *facts: object) -> list[Did]:
    """What the machine does when it is told, all of it."""
    world = machine._shell
    assert isinstance(world, World)
    world.did.clear()
    verb(*facts)
    return list(world.did)


def gets(machine: InviteClient | NonInviteClient, status: int, tag: str = "t") -> list[Did]:
    return does(machine, machine.receive, response(status, tag))


def again(machine: InviteServer | NonInviteServer, request: Request) -> list[Did]:
    return does(machine, machine.receive, request)


def answers(machine: InviteServer | NonInviteServer, status: int) -> list[Did]:
    return does(machine, machine.respond, status)


def fires(machine: Transaction, timer: str) -> list[Did]:
    return does(machine, machine.fire, timer)


def request(method: str = "INVITE") -> Request:
    return Request(method, "sip:bob@h", {
        "Via": ["SIP/2.0/UDP me;branch=z9hG4bK1", "SIP/2.0/UDP other"], "Max-Forwards": ["70"], "Route": ["<sip:p;lr>"],
        "From": ["<sip:a@me>;tag=1"], "To": ["<sip:bob@h>"], "Call-ID": ["c"], "CSeq": [f"3 {method}"],
    }, b"x")  # fmt: skip


INVITE, BYE, ACK = request(), request("BYE"), request("ACK")
SENT, SENT_BYE = request().encode(), request("BYE").encode()


def response(status: int, tag: str = "t") -> Response:
    parsed = parse(reply(INVITE, status, tag=tag))
    assert isinstance(parsed, Response)
    return parsed


def sends(status: int, to: Request = INVITE) -> Send:
    return Send(reply(to, status, tag="tag" if status > 100 else "", lines=World.agent_line))


def run_out(machine: Transaction, timer: str, times: int) -> list[float]:
    """The intervals a timer is armed with again, so many times."""
    intervals = []
    for _ in range(times):
        send, arm = fires(machine, timer)
        assert isinstance(send, Send)
        assert isinstance(arm, Arm)
        assert arm.timer == timer
        intervals.append(arm.seconds)
    return intervals


# 17.1.1 INVITE client


def invite_client(world: World, request: Request = INVITE) -> InviteClient:
    return InviteClient(request.encode(), request.call_id, world.tell, world, world.hop, "key")


def calling(world: World | None = None) -> InviteClient:
    machine = invite_client(world or World(), request())
    machine.start()
    return machine


def test_17_1_1_2_calling_sends_and_repeats_after_t1_and_from_then_on_gives_up_64_t1_after_it_began() -> None:
    machine = invite_client(World())
    assert does(machine, machine.start) == [Send(SENT), Arm("T1", 0.5)]
    assert fires(machine, "T1") == [Arm("B", 31.5), Send(SENT), Arm("A", 1.0)]


def test_17_1_1_2_who_has_said_something_in_t1_is_not_timed() -> None:
    machine = invite_client(World())
    machine.start()
    gets(machine, 100)
    assert fires(machine, "T1") == []


def test_17_1_1_2_over_tcp_there_is_no_timer_a() -> None:
    machine = invite_client(World(TCP))
    assert does(machine, machine.start) == [Send(SENT), Arm("B", 32.0)]


def test_17_1_1_2_timer_a_doubles_without_end() -> None:
    assert run_out(calling(), "A", 6) == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def test_17_1_1_2_timer_b_in_calling_is_a_timeout_told_last() -> None:
    machine = calling()
    assert fires(machine, "B") == [ENDED, Told(None)]
    assert (gets(machine, 200), fires(machine, "B")) == ([], [])


def test_17_1_4_what_could_not_be_delivered_is_told_at_once_and_only_while_nothing_came() -> None:
    machine = calling(World(TCP))
    assert does(machine, machine.lost) == [ENDED, Told(None)]
    assert (does(machine, machine.lost), fires(machine, "B")) == ([], [])
    ringing = calling(World(TCP))
    gets(ringing, 180)
    assert does(ringing, ringing.lost) == []


def test_5626_4_5_who_rings_by_a_connection_that_has_ended_will_not_answer() -> None:
    ringing = calling(World(TCP))
    gets(ringing, 180)
    assert does(ringing, ringing.gone) == [ENDED, Told(None)]
    assert (does(ringing, ringing.gone), gets(ringing, 200)) == ([], [])


def test_17_1_1_2_timer_b_must_not_fire_in_proceeding() -> None:
    machine = calling()
    assert gets(machine, 180) == [Told(180)]
    assert fires(machine, "B") == []
    assert fires(machine, "A") == []


def test_17_1_1_2_proceeding_passes_every_provisional_up() -> None:
    machine = calling()
    gets(machine, 100)
    assert gets(machine, 180) == [Told(180)]
    assert gets(machine, 183) == [Told(183)]


def test_9_1_a_cancelled_invite_without_a_final_response_ends_64_t1_later() -> None:
    machine = calling()
    gets(machine, 180)
    assert does(machine, machine.cancelled) == [Arm("cancel", 32.0)]
    assert fires(machine, "cancel") == [ENDED, Told(None)]
    assert fires(machine, "cancel") == []


def test_6026_7_2_a_2xx_goes_up_and_lingers_as_timer_m_says() -> None:
    assert gets(calling(), 200) == [Linger("M", 32.0), Told(200)]


def test_6026_7_2_every_repeated_2xx_goes_up_to_be_acked_again_until_m() -> None:
    machine = calling()
    gets(machine, 180)
    assert gets(machine, 200) == [Linger("M", 32.0), Told(200)]
    assert gets(machine, 200) == [Told(200)]
    assert gets(machine, 200, "fork") == [Told(200)]
    assert gets(machine, 180) == []
    assert gets(machine, 486) == []
    assert (fires(machine, "A"), fires(machine, "B"), fires(machine, "cancel")) == ([], [], [])


def ack_of(machine: InviteClient) -> Send:
    sent = [e for e in gets(machine, 486) if isinstance(e, Send)]
    return sent[0]


def test_17_1_1_3_the_ack_to_a_failure_has_the_branch_route_and_uri_of_the_invite_and_the_to_of_the_response() -> None:
    ack = parse(ack_of(calling()).data)
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri_text, ack.body) == ("ACK", "sip:bob@h", b"")
    assert ack.fields == {
        "Via": ("SIP/2.0/UDP me;branch=z9hG4bK1",), "Max-Forwards": ("70",), "From": ("<sip:a@me>;tag=1",),
        "To": ("<sip:bob@h>;tag=t",), "Call-ID": ("c",), "CSeq": ("3 ACK",), "Route": ("<sip:p;lr>",),
        "Content-Length": ("0",),
    }  # fmt: skip


def test_17_1_1_2_a_failure_is_acked_told_once_and_acked_again_when_repeated() -> None:
    machine = calling()
    ack = ack_of(calling())
    assert gets(machine, 486) == [ack, Linger("D", 32.0), Told(486)]
    assert gets(machine, 486) == [ack]
    assert gets(machine, 200) == []


def test_17_1_1_2_timer_d_is_at_least_32_s_and_zero_over_tcp() -> None:
    machine = calling(World(timers=TimerSettings(t1=0.05)))
    assert gets(machine, 486)[-2] == Linger("D", 32.0)
    assert gets(calling(World(TCP)), 486) == [ack_of(calling()), ENDED, Told(486)]


def test_17_1_1_3_an_ack_without_route() -> None:
    invite = request()
    del invite.fields["Route"]
    machine = invite_client(World(), invite)
    machine.start()
    assert b"Route" not in ack_of(machine).data


# 17.1.2 non-INVITE client


def bye_client(world: World) -> NonInviteClient:
    return NonInviteClient(SENT_BYE, BYE.call_id, world.tell, world, world.hop, "key")


def trying(world: World | None = None) -> NonInviteClient:
    machine = bye_client(world or World())
    machine.start()
    return machine


@pytest.mark.parametrize(("hop", "did"), [
    (UDP, [Send(SENT_BYE), Arm("T1", 0.5)]), (TCP, [Send(SENT_BYE), Arm("F", 32.0)]),
])  # fmt: skip
def test_17_1_2_2_trying_sends_and_arms(hop: Hop, did: list[Did]) -> None:
    machine = bye_client(World(hop))
    assert does(machine, machine.start) == did


def test_17_1_2_2_without_a_final_response_in_t1_it_is_repeated_and_given_up_64_t1_after_it_began() -> None:
    machine = trying()
    gets(machine, 100)
    assert fires(machine, "T1") == [Arm("F", 31.5), Send(SENT_BYE), Arm("E", 4.0)]


def test_17_1_2_2_timer_e_doubles_up_to_t2() -> None:
    assert run_out(trying(), "E", 5) == [1.0, 2.0, 4.0, 4.0, 4.0]


def test_17_1_2_2_in_proceeding_timer_e_is_t2_and_f_still_fires() -> None:
    machine = trying()
    assert gets(machine, 100) == [Told(100)]
    assert run_out(machine, "E", 2) == [4.0, 4.0]
    assert fires(machine, "F") == [ENDED, Told(None)]
    assert fires(machine, "E") == []


def test_17_1_4_a_request_that_could_not_be_delivered_is_told_at_once() -> None:
    machine = trying(World(TCP))
    assert does(machine, machine.lost) == [ENDED, Told(None)]
    assert (does(machine, machine.lost), fires(machine, "F")) == ([], [])


def test_17_1_2_2_a_final_response_is_told_once() -> None:
    machine = trying()
    assert gets(machine, 200) == [Linger("K", 5.0), Told(200)]
    assert gets(machine, 200) == []
    assert fires(machine, "F") == []


def test_17_1_2_2_over_tcp_timer_k_is_zero() -> None:
    assert gets(trying(World(TCP)), 200) == [ENDED, Told(200)]


# 17.2.1 INVITE server


def invite_server(hop: Hop = UDP) -> InviteServer:
    return InviteServer(World(hop), hop, "key", INVITE, hop, "tag")


def test_17_2_1_a_repeated_invite_gets_the_last_provisional_again() -> None:
    machine = invite_server()
    assert again(machine, INVITE) == []
    assert answers(machine, 180) == [sends(180)]
    assert answers(machine, 183) == [sends(183)]
    assert again(machine, INVITE) == [sends(183)]
    assert again(machine, ACK) == []


def test_17_2_1_a_100_leaves_after_200_ms_where_nothing_else_has() -> None:
    machine = invite_server()
    assert does(machine, machine.trying) == [Arm("100", 0.2)]
    assert fires(machine, "100") == [sends(100)]
    assert fires(machine, "100") == []
    assert does(machine, machine.repeat) == [sends(100)]


def test_6026_7_1_a_2xx_absorbs_repeated_invites_and_lets_nothing_else_leave() -> None:
    machine = invite_server()
    answers(machine, 180)
    assert answers(machine, 200) == [sends(200), Linger("L", 32.0)]
    assert again(machine, INVITE) == []
    assert answers(machine, 180) == []  # a 180 never leaves after the 200
    assert answers(machine, 486) == []
    assert again(machine, ACK) == []
    assert answers(machine, 200) == []


def accepted(hop: Hop = UDP) -> tuple[InviteServer, list[Did]]:
    machine = invite_server(hop)
    world = machine._shell
    assert isinstance(world, World)
    return machine, does(machine, machine.accept, "", b"", world.tell)


def test_13_3_1_4_an_answer_is_repeated_up_to_t2_until_its_ack_which_is_passed_up() -> None:
    machine, did = accepted()
    assert did == [sends(200), Linger("L", 32.0), Arm("T1", 0.5)]
    assert fires(machine, "T1") == [Arm("no ACK", 31.5), sends(200), Arm("2xx", 1.0)]
    assert run_out(machine, "2xx", 4) == [2.0, 4.0, 4.0, 4.0]
    assert again(machine, ACK) == [Told("ACK")]
    machine.confirmed()
    assert (fires(machine, "2xx"), fires(machine, "no ACK")) == ([], [])
    assert again(machine, ACK) == []


def test_13_3_1_4_no_ack_in_64_t1_is_told_last() -> None:
    machine, _ = accepted()
    assert fires(machine, "no ACK") == [Told(None)]
    assert (fires(machine, "2xx"), fires(machine, "no ACK")) == ([], [])


def test_13_3_1_4_over_tcp_an_answer_is_not_repeated() -> None:
    assert accepted(TCP)[1] == [sends(200), Linger("L", 32.0), Arm("no ACK", 32.0)]


def test_17_2_1_a_failure_is_repeated_by_g_up_to_t2_and_for_each_invite() -> None:
    machine = invite_server()
    assert answers(machine, 486) == [sends(486), Arm("T1", 0.5)]
    assert again(machine, INVITE) == [sends(486)]
    assert fires(machine, "T1") == [Arm("H", 31.5), sends(486), Arm("G", 1.0)]
    assert run_out(machine, "G", 4) == [2.0, 4.0, 4.0, 4.0]
    assert answers(machine, 200) == []
    assert fires(machine, "H") == [ENDED]


def test_17_2_1_the_ack_to_a_failure_ends_the_repeats_and_is_not_passed_up() -> None:
    machine = invite_server()
    answers(machine, 486)
    assert again(machine, ACK) == [Linger("I", 5.0)]
    assert again(machine, ACK) == []
    assert again(machine, INVITE) == []
    assert (fires(machine, "T1"), fires(machine, "G"), fires(machine, "H")) == ([], [], [])


def test_17_2_1_over_tcp_no_g_and_timer_i_is_zero() -> None:
    machine = invite_server(TCP)
    assert answers(machine, 486) == [sends(486), Arm("H", 32.0)]
    assert again(machine, ACK) == [ENDED]


# 17.2.2 non-INVITE server


def bye_server(hop: Hop = UDP) -> NonInviteServer:
    return NonInviteServer(World(hop), hop, "key", BYE, hop, "tag")


def test_17_2_2_a_repeated_request_gets_the_stored_response() -> None:
    machine = bye_server()
    assert again(machine, BYE) == []
    assert answers(machine, 100) == [sends(100, BYE)]
    assert again(machine, BYE) == [sends(100, BYE)]
    assert answers(machine, 200) == [sends(200, BYE), Linger("J", 32.0)]
    assert again(machine, BYE) == [sends(200, BYE)]
    assert answers(machine, 500) == []


def test_17_2_2_over_tcp_timer_j_is_zero() -> None:
    assert answers(bye_server(TCP), 200) == [sends(200, BYE), ENDED]


# 18.1.1 what is too big for a datagram


class Wide(World):
    """A far end that can be reached by TCP as well, until that is found to lead nowhere."""

    def __init__(self, wide: Hop | None = TCP) -> None:
        super().__init__()
        self.wide = wide

    def wider(self, hop: Hop) -> Hop | None:
        return self.wide

    def narrow(self, hop: Hop) -> None:
        self.did.append(f"narrow {hop.transport}")

    def new_via(self, hop: Hop, branch: str) -> str:
        return f"SIP/2.0/{hop.transport} me;branch={branch}"

    def send(self, data: bytes, hop: Hop, call_id: str) -> None:
        message = parse(data)
        assert isinstance(message, Request)
        assert message.fields["Via"][1:] in ((), ("SIP/2.0/UDP other",))
        self.did.append(f"{message.method} by {hop.transport}, Via {message.via.transport} {message.via.branch}")


def big(method: str, world: World) -> InviteClient | NonInviteClient:
    message = request(method)
    message.body = b"x" * 1301
    kind = InviteClient if method == "INVITE" else NonInviteClient
    return kind(message.encode(), message.call_id, world.tell, world, UDP, ("z9hG4bK1", method))


@pytest.mark.parametrize(("method", "too_late"), [("INVITE", "B"), ("BYE", "F")])
def test_18_1_1_a_big_request_goes_by_tcp_and_by_udp_where_tcp_leads_nowhere(method: str, too_late: str) -> None:
    again, end = (Arm("T1", 0.5), Arm(too_late, 32.0))
    machine = big(method, Wide())
    assert does(machine, machine.start) == [f"{method} by TCP, Via TCP z9hG4bK1", end]
    assert does(machine, machine.lost) == ["narrow TCP", f"{method} by UDP, Via UDP z9hG4bK1", again]
    assert does(machine, machine.lost) == [ENDED, Told(None)]
    assert does(machine, machine.lost) == []


def test_the_request_is_kept_as_it_left_until_its_answer() -> None:
    machine = big("BYE", Wide())
    machine.start()
    assert b"Via: SIP/2.0/TCP me" in machine.sent
    machine.lost()
    assert b"Via: SIP/2.0/UDP me" in machine.sent
    gets(machine, 200)
    assert machine.sent == b""


def test_18_1_1_the_ack_has_the_via_that_the_invite_left_with() -> None:
    machine = big("INVITE", Wide())
    machine.start()
    machine.lost()
    assert gets(machine, 486)[0] == "ACK by UDP, Via UDP z9hG4bK1"


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_18_1_1_where_there_is_no_tcp_a_big_request_is_a_big_datagram(method: str) -> None:
    machine = big(method, Wide(wide=None))
    assert does(machine, machine.start)[0] == f"{method} by UDP, Via UDP z9hG4bK1"
    assert does(machine, machine.lost) == [ENDED, Told(None)]


def test_5626_4_5_a_question_by_a_connection_that_has_ended_will_not_be_answered() -> None:
    machine = trying(World(TCP))
    assert does(machine, machine.gone) == [ENDED, Told(None)]


def refused() -> InviteServer:
    machine = invite_server()
    answers(machine, 486)
    return machine


@pytest.mark.parametrize("machine", [
    calling(), trying(), invite_server(), bye_server(), accepted()[0], refused(),
], ids=lambda machine: f"{type(machine).__name__} {machine.state}")  # fmt: skip
def test_a_timer_of_nobody_does_nothing(machine: Transaction) -> None:
    assert fires(machine, "X") == []


def test_17_2_1_a_server_is_silent_until_its_first_response_and_open_until_its_last() -> None:
    machine = invite_server()
    assert (machine.silent, machine.open) == (True, True)
    answers(machine, 180)
    assert (machine.silent, machine.open) == (False, True)
    answers(machine, 486)
    assert (machine.silent, machine.open) == (False, False)


@pytest.mark.parametrize(("timers", "b", "d", "h", "k"), [
    pytest.param(RFC, 32.0, 32.0, 32.0, 5.0, id="as the RFC has them"),
    pytest.param(TimerSettings(t1=0.1, t2=1.0, t4=2.0), 6.4, 32.0, 6.4, 2.0, id="D is 32 s at least"),
    pytest.param(TimerSettings(t1=1.0), 64.0, 64.0, 64.0, 5.0, id="D follows a longer T1"),
])  # fmt: skip
def test_17_1_1_1_all_timers_follow_from_t1_t2_and_t4(
    timers: TimerSettings, b: float, d: float, h: float, k: float
) -> None:
    invite, bye = invite_client(World(timers=timers)), trying(World(timers=timers))
    assert does(invite, invite.start)[1:] == [Arm("T1", timers.t1)]
    assert fires(invite, "T1")[0] == Arm("B", b - timers.t1)
    assert Linger("D", d) in gets(invite, 486)
    assert gets(bye, 200)[0] == Linger("K", k)
    server = InviteServer(World(timers=timers), UDP, "key", INVITE, UDP, "tag")
    assert answers(server, 486)[1:] == [Arm("T1", timers.t1)]
    assert fires(server, "T1")[0] == Arm("H", h - timers.t1)
    assert again(server, ACK) == [Linger("I", k)]


def test_the_transcripts_reach_every_line_and_branch_of_the_machines(tmp_path: Path) -> None:
    """In a process of its own: a module that is imported already cannot be covered."""
    rows = [__file__, str(Path(__file__).with_name("test_timers.py"))]
    of = "sip_stack/*transaction.py,sip_stack/incoming.py,sip_stack/timers.py"
    ran = coverage(tmp_path, "run", "--branch", f"--include={of}", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                   "-k", "not every_line_and_branch", *rows)  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    told = coverage(tmp_path, "report", "--show-missing", "--fail-under=100")
    assert told.returncode == 0, told.stdout


def coverage(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coverage", *words], cwd=Path(__file__).parents[2], capture_output=True, text=True,
        env=os.environ | {"COVERAGE_FILE": str(folder / "covered"), "PYTEST_ADDOPTS": "", "PYTEST_XDIST_WORKER": ""},
    )  # fmt: skip
