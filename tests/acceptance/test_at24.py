"""AT-24 anonymous calls, P-Asserted-Identity and P-Preferred-Identity (50-52, H7)."""

from __future__ import annotations

import pytest

from tests.acceptance.scene import SECOND_PHONE, Change, Scene
from tests.peers.capture import SipMessage

PUBLIC, EXTENSION, CALLED = "5555550000", "001*002", "5555552000"
FALSE_ID = "P-Asserted-Identity: <sip:5559999999@evil.example>"


def shows(rules: str) -> Change:
    """001*002 with these CallerID rules."""
    own = f'public_number = "{PUBLIC}"\n'
    return own, f"{own}caller_id = {{ {rules} }}\n"


def untrusted(more: str = "") -> Change:
    """R1 is not trusted."""
    return "trusted = true\n", f"trusted = false\n{more}"  # the first of them


async def called(scene: Scene, *changes: Change) -> SipMessage:
    """The INVITE that T1 gets for a call of the phone, which asserts an identity of its own."""
    if hasattr(scene, "server"):
        await scene.reconfigure(*changes)
    else:
        await scene.serve(*changes)
    before = len(scene.invites(scene.t1))
    trunk = await scene.trunk(d="0")
    caller = await scene.phone(
        "uac_call", at=scene.address("127.0.0.6"), register=False, service=CALLED, d="100", more=FALSE_ID,
    )  # fmt: skip
    await caller.passed()
    await trunk.passed()
    (invite,) = scene.invites(scene.t1)[before:]
    return invite


def identities(invite: SipMessage) -> tuple[str | None, str | None, str | None]:
    """P-Asserted-Identity, P-Preferred-Identity, Privacy."""
    return tuple(invite.header(name) for name in ("P-Asserted-Identity", "P-Preferred-Identity", "Privacy"))  # type: ignore[return-value]


async def test_at24_headers_on_and_off(scene: Scene) -> None:
    """Rule 51: the number chosen in angle brackets; never what the phone asserts of itself."""
    invite = await called(scene, shows("identity_headers = true"))
    host = scene.server.host
    assert identities(invite) == (f"<sip:{PUBLIC}@{host}>", f'"John Doe" <sip:{PUBLIC}@{host}>', None)
    assert invite.text.count("P-Asserted-Identity") == 1

    by_extension = ('name = "R1"\n', 'name = "R1"\npai = "extension"\n')
    invite = await called(scene, shows("identity_headers = true"), by_extension)
    assert identities(invite) == (f"<sip:{EXTENSION}@{host}>", f'"John Doe" <sip:{EXTENSION}@{host}>', None)

    invite = await called(scene)
    assert identities(invite) == (None, None, None)
    assert "5559999999" not in "".join(message.text for message in scene.said("", target=scene.t1))


@pytest.mark.parametrize(("rules", "changes", "asserted"), [
    pytest.param("anonymous = true", (), False, id="50: nothing asserted"),
    pytest.param("anonymous = true, identity_headers = true", (), True, id="52, H7: asserted to a trusted trunk"),
    pytest.param("anonymous = true, identity_headers = true", (untrusted(),), False, id="H7: not to another"),
    pytest.param("anonymous = true", (untrusted('send_caller = "rpid"\n'),), False, id="50: no Remote-Party-ID either"),
    pytest.param('anonymous = true, number_by = "equipment"', (), False, id="50: nor what the phone shows"),
])  # fmt: skip
async def test_at24_an_anonymous_call_has_the_number_nowhere(
    scene: Scene, rules: str, changes: tuple[Change, ...], asserted: bool
) -> None:
    """Nowhere but in the one header that the trunk's policy lets through, in any message of the call."""
    invite = await called(scene, shows(rules), *changes)
    assert (invite.header("From") or "").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    pai = f"<sip:{PUBLIC}@{scene.server.host}>"
    assert identities(invite) == (pai if asserted else None, None, "id")
    said = "".join(message.text for message in scene.said("", source=scene.server.sip, target=scene.t1))
    assert said.count(PUBLIC) == said.count(f"P-Asserted-Identity: {pai}")
    assert EXTENSION not in said
    assert "John" not in said


async def test_at24_a_call_to_another_extension_asserts_nobody(scene: Scene) -> None:
    """Rule 51: external calls only; rule 50 is about public calls only."""
    await scene.serve(shows("identity_headers = true, anonymous = true"), more=SECOND_PHONE)
    phone = await scene.phone("phone_answer", user="001*003", password="secret3")
    caller = await scene.phone(
        "uac_call", at=scene.address("127.0.0.6"), register=False, service="001*003", d="100", more=FALSE_ID,
    )  # fmt: skip
    await caller.passed()
    await phone.passed()
    (invite,) = scene.invites()
    assert identities(invite) == (None, None, None)
    assert f"<sip:{EXTENSION}@" in (invite.header("From") or "")
    assert "5559999999" not in invite.text
