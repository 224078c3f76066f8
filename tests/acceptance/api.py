"""The REST API of the running server, with a token of its own."""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType
from typing import Any, Self

import httpx

from tests.acceptance.server import ROOT, Server

__all__ = ["Api"]


class Api:
    """`async with Api(server) as api: await api.get("/extensions/001*900/callback")`; an admin's token."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __aenter__(self) -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "b2bua", "token", "create", "test", "--database", self._server.database, cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )
        said, failed = (out.decode() for out in await process.communicate())
        assert process.returncode == 0, failed
        token = said.split()[0]
        self._http = httpx.AsyncClient(
            base_url=f"{self._server.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=10,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, *, status: int = 200) -> Any:
        """GET; the answer's JSON.  Raises: AssertionError for another status."""
        return self._json(await self._http.get(path), status)

    async def post(self, path: str, what: dict[str, Any], *, status: int) -> Any:
        """POST; the answer's JSON.  Raises: AssertionError for another status."""
        return self._json(await self._http.post(path, json=what), status)

    async def patch(self, path: str, what: dict[str, Any], *, status: int) -> Any:
        """PATCH; the answer's JSON.  Raises: AssertionError for another status."""
        return self._json(await self._http.patch(path, json=what), status)

    async def statuses(self, method: str, bodies: dict[str, list[dict[str, Any]]]) -> list[int]:
        """The status of several requests sent at once, sorted; path -> bodies."""
        answers = await asyncio.gather(*(
            self._http.request(method, path, json=body) for path, each in bodies.items() for body in each
        ))
        return sorted(answer.status_code for answer in answers)

    def _json(self, answer: httpx.Response, status: int) -> Any:
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        return answer.json()
