"""A number set by the user is proven by a code that is heard there (SPEC 39, AT-23): heard in RTP, seen in From."""

from __future__ import annotations

import asyncio
import re
import sys

from media.prompt import Pack
from tests.acceptance.api import Api
from tests.acceptance.callback import does, spoken
from tests.acceptance.scene import Change, Scene
from tests.acceptance.server import ROOT, Server, until
from tests.acceptance.test_at23 import call, shown

PUBLIC, WANTED, CODE_CALL = "5555550000", "5551234567", "/extensions/001*002/public-caller-id/code-call"
_OWN = f'public_number = "{PUBLIC}"\n'
BY_USER: Change = (_OWN, f'{_OWN}caller_id = {{ number_by = "user", number = "{WANTED}" }}\n')
FIRST_TIME_MS = "12500"
"""Until the code was spoken once, ten seconds at most, and a little more."""
CLIPS = {name: Pack.load("en").samples(name) for name in ("code-announce", "your-code-is", *"0123456789")}


async def test_the_code_heard_in_the_call_approves_the_number(scene: Scene) -> None:
    server = await scene.serve(BY_USER)
    trunk = await scene.trunk("trunk_answer_bye_after", d=FIRST_TIME_MS)
    async with Api(server) as api:
        begun = await api.post(CODE_CALL, {}, status=202)
        assert (begun["number"], begun["reason"], begun["tries_left"]) == (WANTED, "", 0)
        await api.post("/extensions/001*002/public-caller-id/code", {"code": "000000"}, status=409)
        await trunk.passed()
        request = await server.request_over()
        assert (request.kind, request.number, request.reason, request.cost) == ("code", WANTED, "code-spoken", 120_000)
        invite = scene.invites(scene.t1)[-1]
        assert (shown(invite), invite.start_line.split()[1].partition("@")[0]) == (PUBLIC, f"sip:{WANTED}")

        heard = [clip.name for clip in spoken(scene, clips=CLIPS)]
        said = heard.index("your-code-is")
        assert heard[said - 1] == "code-announce"
        code = "".join(heard[said + 1 : said + 7])
        assert re.fullmatch("[0-9]{6}", code), heard
        await server.kill()  # what was heard still counts
        await server.start()
        assert (await api.get(CODE_CALL))["tries_left"] == 3
        others = f"{(int(code) + 1) % 10**6:06}"
        await api.post("/extensions/001*002/public-caller-id/code", {"code": others}, status=422)
        loaded = server.log.read_text().count("event=configuration-loaded")
        view = await api.post("/extensions/001*002/public-caller-id/code", {"code": code}, status=200)
        assert view["approved"] is True
        story = str(await api.get(f"/requests?number={WANTED}&ladder=true"))
    await until(lambda: server.log.read_text().count("event=configuration-loaded") > loaded, "new configuration")
    assert shown(await call(scene, by=scene.t1)) == WANTED
    assert "said: Your code is" in story
    assert "said: (not shown)" in story
    for text in (story, server.log.read_text()):
        assert code not in re.sub(r"[0-9a-f]{7,}|\d+\.\d+", "", text), "by chance only in other numbers"


async def test_the_command_line_lets_the_server_call(scene: Scene) -> None:
    """It says how the call ended; 9 opts the number out for good."""
    server = await scene.serve(BY_USER)
    trunk = await scene.trunk("trunk_called_back_info", does=does((0.5, "9"), rest_s=0.0, info=True))
    said = await _ringback(server, "public-caller-id", "call", "001*002")
    await trunk.passed()
    assert said.splitlines()[0] == f"calling {WANTED}"
    assert said.splitlines()[1].startswith("code-unwanted: Whoever answered pressed 9")
    said = await _ringback(server, "public-caller-id", "call", "001*002", status=1)
    assert said == "ringback: Whoever has this number does not want to be called by pages.\n"
    assert [request.reason for request in server.requests()] == ["code-unwanted", "number-opted-out"]


async def _ringback(server: Server, *words: str, status: int = 0) -> str:
    """A word of the command line; what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua", *words, "--database", server.database, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == status, said
    return said
