"""The visitor's status page: follows the call live, or by plain refresh, and can cancel it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from b2bua.desk import Desk, Stage, VisitorStatus
from webform.events import EventStream, Streams, frame
from webform.pages import Pages, talk_time

__all__ = ["StatusPages", "can_cancel", "words"]


def words(status: VisitorStatus, owner: str | None) -> tuple[str, str]:
    """(headline, sentence) of a stage. Every way of not getting the owner reads the same (SPEC H13)."""
    who = owner or "the person you want to reach"
    match status.stage:
        case Stage.SCHEDULED:
            return f"We will call {status.told}", (
                f"Keep your phone {status.number} at hand then: {who}’s rings first, then yours. "
                f"The time is that of {status.zone}. You need not keep this page open."
            )
        case Stage.RINGING_OWNER:
            return f"Ringing {who}", "Keep your phone at hand. It rings as soon as your call is accepted."
        case Stage.CALLING_VISITOR:
            return "Calling you now", f"Please answer your phone: {status.number}."
        case Stage.TALKING:
            return "You are connected", f"You are talking with {who}. Hang up your phone to end the call."
        case Stage.ENDED:
            return "The call has ended", f"You talked for {talk_time(status.talk_s)}."
        case Stage.NOT_REACHED:
            return "We could not reach you", f"Your phone {status.number} did not answer."
        case Stage.CANCELLED:
            return "You cancelled the call", "Nobody is being called any more."
        case Stage.NOT_AVAILABLE:
            return "Not available right now", "Please try again later."


def can_cancel(stage: Stage) -> bool:
    """True while the visitor's own phone cannot end the call yet."""
    return stage in (Stage.SCHEDULED, Stage.RINGING_OWNER, Stage.CALLING_VISITOR)


@dataclass(frozen=True, slots=True)
class StatusPages:
    """Handlers of /callnow/status."""

    desk: Desk
    pages: Pages
    streams: Streams

    def routes(self) -> list[Route]:
        """The routes."""
        return [
            Route("/callnow/status/{token}", self.show, methods=["GET"]),
            Route("/callnow/status/{token}/events", self.events, methods=["GET"]),
            Route("/callnow/status/{token}/cancel", self.cancel, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The page; without JavaScript it refreshes itself until the end."""
        token = request.path_params["token"]
        status = self._status(token)
        headline, sentence = words(status, self._owner(status))
        return self.pages.page(
            "status.html",
            {
                "token": token,
                "stage": status.stage,
                "can_cancel": can_cancel(status.stage),
                "page_id": status.page_id,
                "due": status.due,
                "refresh_s": 30 if status.stage is Stage.SCHEDULED else 3,
                "headline": headline,
                "sentence": sentence,
            },
        )

    async def events(self, request: Request) -> Response:
        """The stages as they come, `event: status` with JSON."""
        token = request.path_params["token"]
        self._status(token)
        return EventStream(self.streams.merge(self._frames(token)))

    async def cancel(self, request: Request) -> Response:
        """The visitor's Cancel button; knowing the token is the right to press it."""
        token = request.path_params["token"]
        self._status(token)
        await self.desk.cancel_visitor(token)
        return RedirectResponse(f"/callnow/status/{token}", 303)

    async def _frames(self, token: str) -> AsyncIterator[str]:
        async for status in self.desk.watch_visitor(token):
            headline, sentence = words(status, self._owner(status))
            news = {"stage": status.stage.value, "cancel": can_cancel(status.stage), "final": status.stage.final}
            told = {"headline": headline, "sentence": sentence, "due": status.due}
            yield frame("status", json.dumps(news | told))

    def _status(self, token: str) -> VisitorStatus:
        status = self.desk.visitor_status(token)
        if status is None:
            raise HTTPException(404)
        return status

    def _owner(self, status: VisitorStatus) -> str | None:
        page = self.desk.callnow_page(status.page_id)
        return page.owner_name if page else None
