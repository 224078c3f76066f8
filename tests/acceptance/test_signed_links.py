"""A signed link on the real server: made by the command line, good for one call, also over kill -9 (SPEC A12.7)."""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlsplit

from sqlalchemy import select

from store.tables import links
from tests.acceptance.scene import Scene
from tests.acceptance.server import ROOT, Server
from tests.acceptance.visitor import token_of

AT_ONCE = ("announce_to_visitor = false", "announce_to_visitor = false\nconfirm = false")
BROWSER = {"User-Agent": "Mozilla/5.0 Chrome/156", "Sec-Fetch-Dest": "document"}


async def ringback(server: Server, *words: str) -> str:
    """A word of the command line, as a process beside the server; what it printed on standard output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "b2bua", "link", *words, "--database", server.database, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )
    said, faults = await process.communicate()
    assert process.returncode == 0, faults.decode()
    return said.decode().strip()


def used(server: Server) -> list[int]:
    return server.read(lambda conn: list(conn.execute(select(links.c.used).order_by(links.c.made)).scalars()))


async def test_a_link_of_one_use_calls_once_and_never_again(scene: Scene) -> None:
    server = await scene.serve(AT_ONCE)
    _, trunk, http = await scene.phone("phone_answer"), await scene.trunk(), (await scene.visitor()).http
    url = await ringback(server, "make", "001*002", "--number", "555-555-5555", "--base-url", server.url)
    where = urlsplit(url)
    page, token = f"{where.path}?{where.query}", where.query.removeprefix("link=")
    now = f"/callnow/index.php?call=john_doe&{where.query}&now=1"

    assert 'name="captcha"' in (await http.get(where.path)).text, "a stranger still gets the digits"
    shown = await http.get(page, headers=BROWSER)
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert 'name="captcha"' not in shown.text
    for headers in ({"Sec-Purpose": "prefetch"}, {"User-Agent": "Slackbot-LinkExpanding 1.0"}):
        assert (await http.get(now, headers=headers)).status_code == 200
    assert (await http.head(now, headers=BROWSER)).status_code == 200
    forged = await http.post(where.path, data={"name": "Mary", "link": token[:-1] + ("A" if token[-1] != "A" else "B")})
    assert (forged.status_code, used(server)) == (403, [0])

    clicks = await asyncio.gather(*(http.post(where.path, data={"name": "Mary", "link": token}) for _ in range(2)))
    assert len({token_of(click) for click in clicks}) == 1
    await trunk.until("ACK")
    assert token_of(await http.get(f"{now}&myname=Mary", headers=BROWSER)) == token_of(clicks[0]), "within 30 s"
    assert used(server) == [1]
    await server.kill()
    await server.start()

    for answer in (await http.get(page), await http.get(now, headers=BROWSER),
                   await http.post(where.path, data={"name": "Mary", "link": token})):  # fmt: skip
        assert (answer.status_code, "This link has been used already." in answer.text) == (410, True)
    await ringback(server, "rotate")  # the running server sees it with the next request
    assert (await http.get(page)).status_code == 403
    assert [message.target for message in scene.invites()] == [scene.ph, scene.t1]
    assert token not in server.log.read_text()
    assert token.encode() not in (server.folder / "ringback.db").read_bytes()
