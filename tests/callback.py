"""What flow tests of callback numbers share: the fixture's CB with other settings, and a person who is called back."""

from __future__ import annotations

import asyncio

from tests.plans import fixture
from tests.world import T1, Far, Peer, World

__all__ = ["CALLER", "CB", "MOBILE", "Caller", "callback_plan"]

CB, CALLER, MOBILE = "5555559000", "5551111111", "0412345678"
SECTION = 'public_number = "5555559000"\n'


def callback_plan(
    settings: str = "", *, password: str = "", credit: str = "5.00", row: str = "", account: str = "100.00",
    caller_id: str = "", listed: bool = True,
) -> str:  # fmt: skip
    """The fixture with CB switched on: x = 3 s, dial time 5 s; `row` adds to the authorised CallerID's own lines."""
    secret = f'password = "{password}"\n' if password else ""
    callback = f"[extension.callback]\nenabled = true\ntrigger_s = 3\ndial_s = 5\n{secret}{settings}\n"
    caller = f'[[caller]]\nextension = "001*900"\nnumber = "{CALLER}"\ncredit = "{credit}"\n{row}\n' if listed else ""
    text = fixture(('credit = "100.00"', f'credit = "{account}"'))
    before, after = text.split(SECTION)
    rest = after[after.index("[[trunk]]"):]
    return f"{before}{SECTION}{caller_id}\n{callback}\n{caller}\n{rest}"


class Caller:
    """Rings CB over a trunk, and answers there when called back; the numbers he dials answer there too."""

    def __init__(self, world: World, trunk: Peer | None = None) -> None:
        self.world = world
        self.trunk = trunk or Peer(world, T1)

    def rings(self, number: str = CALLER) -> Far:
        """A trigger."""
        return self.trunk.calls(CB, number)

    async def called_back(self, number: str = CALLER) -> Far:
        """The trigger runs its course; the leg back, answered."""
        await self.rings(number).told(486)
        return (await self.trunk.expects_call()).rings().answers()

    async def prompted(self, number: str = CALLER) -> Far:
        """As `called_back`, and asked for a number."""
        back = await self.called_back(number)
        await back.hears("dial-number")
        return back

    async def talks(self, number: str = MOBILE, caller: str = CALLER) -> tuple[Far, Far]:
        """As `prompted`, and joined with the number dialled; both speak."""
        back = await self.prompted(caller)
        back.presses(f"{number}#")
        far = (await self.trunk.expects_call()).rings().answers().speaks()
        back.speaks()
        await back.until(lambda: len(back.heard) > 0)
        await asyncio.sleep(0)
        return back, far
