"""A row of the table of settings, and how it is proved."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from store.directory import config_version
from tests.settings.files import Changes, name_of, written
from tests.settings.scene import Scene
from tests.virtual import VirtualLoop
from tests.world import World

__all__ = ["Change", "Probe", "Row", "by_file", "seen"]

Probe = Callable[[Scene], Awaitable[Any]]
"""Uses the server as phones, trunks and browsers do, and gives what is seen of it; leaves it at rest."""

Change = Callable[[World, "Row"], Awaitable[str]]
"""Makes of the first file the second, on the running server; gives what is said."""

_TAKEN_S = 1.0
"""docs/configuration.md: a running server takes a change within a second."""

_LOOK_S = 1000.0
"""Virtual; a probe that waits for what never comes fails."""


@dataclass(frozen=True)
class Row:
    """A setting, two values of it, and what is seen of each.

    `given` holds before and after; `also` is changed together with the setting; `says` is in what `apply` prints.
    """

    place: str
    before: Any
    after: Any
    probe: Probe
    seen: tuple[Any, Any]
    given: Changes = field(default_factory=dict)
    also: Changes = field(default_factory=dict)
    says: str = ""
    servers: Mapping[str, Any] = field(default_factory=dict)
    """What DNS says."""

    @property
    def setting(self) -> str:
        """As tests.settings.known calls it."""
        return name_of(self.place)

    def files(self) -> tuple[str, str]:
        """Before and after."""
        first = written(self.given, {self.place: self.before})[0]
        return first, written(self.given, {self.place: self.after}, self.also)[0]


async def by_file(world: World, row: Row) -> str:
    """The second file is applied; what that says."""
    return "\n".join(world.applies(row.files()[1]))


def seen(row: Row, change: Change = by_file) -> list[Any]:
    """What is seen at first, for the next call after a change, and after a restart."""
    looks: list[Any] = VirtualLoop(limit_s=20_000.0).run(_seen(row, change))
    return looks


async def _look(row: Row, scene: Scene) -> Any:
    async with asyncio.timeout(_LOOK_S):
        return await row.probe(scene)


async def _seen(row: Row, change: Change) -> list[Any]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    before = row.files()[0]
    world, looks = World(loop, before, servers=row.servers), []
    try:
        await world.exchange.open()
        await world.desk.open()
        try:
            scene = Scene(world)
            looks.append(await _look(row, scene))
            said = await change(world, row)
            assert row.says in said, said
            await asyncio.sleep(_TAKEN_S)
            assert world.exchange.directory.version == world.read(config_version), "the server takes the file"
            looks.append(await _look(row, scene))
        finally:
            await world.exchange.close()
            await world.database.close()
        again = World(loop, "", servers=row.servers, before=world)
        await again.exchange.open()
        await again.desk.open()
        try:
            looks.append(await _look(row, Scene(again)))
        finally:
            await again.exchange.close()
            await again.database.close()
    finally:
        shutil.rmtree(world.folder)
    return looks
