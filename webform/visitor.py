"""The public CallNow page: its form, the one-step link, the captcha and the one call that a form makes."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from b2bua.desk import Accepted, CallNowPage, Desk, Refused, VisitorRequest
from webform import captcha, form
from webform.captcha import TooManyChallenges
from webform.form import Filled, Problem
from webform.guard import is_robot, read_form, source_of
from webform.pages import Pages

__all__ = ["Submissions", "VisitorPages"]

REMEMBERED_FORMS = 10_000
PROVE = Problem("captcha", "These are not the digits. Please type the new ones.")
CHECK = "Check your details, then press the button to be called."


class Submissions:
    """One call for one form, however often it is sent: the first sending decides, the others wait for it."""

    def __init__(self, capacity: int = REMEMBERED_FORMS) -> None:
        self._capacity = capacity
        self._answers: OrderedDict[tuple[str, str], asyncio.Future[Accepted | None]] = OrderedDict()

    async def earlier(self, page_id: str, nonce: str) -> Accepted | None:
        """The answer that this form already has, waiting for it where it is on its way."""
        answer = self._answers.get((page_id, nonce))
        return await asyncio.shield(answer) if answer else None

    def open(self, page_id: str, nonce: str) -> asyncio.Future[Accepted | None]:
        """Remember that this form is being answered; the caller must set the result, None for a refusal."""
        if len(self._answers) >= self._capacity:
            self._answers.popitem(last=False)
        answer: asyncio.Future[Accepted | None] = asyncio.get_running_loop().create_future()
        self._answers[page_id, nonce] = answer
        return answer


@dataclass(slots=True)
class VisitorPages:
    """Handlers of /callnow; `address` tells a request's visitor, `speak_digits` gives the clip of digits as WAV."""

    desk: Desk
    pages: Pages
    challenges: captcha.Challenges
    address: Callable[[Request], str]
    speak_digits: Callable[[str], bytes]
    submissions: Submissions = field(default_factory=Submissions)
    threads: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(2))

    def routes(self) -> list[Route]:
        """The routes; index.php before the id, which would take it for one."""
        return [
            Route("/callnow/captcha/{challenge}.png", self.image, methods=["GET"]),
            Route("/callnow/captcha/{challenge}.wav", self.audio, methods=["GET"]),
            Route("/callnow/index.php", self.index_php, methods=["GET", "POST"]),
            Route("/callnow/{id}", self.by_id, methods=["GET", "POST"]),
        ]

    async def by_id(self, request: Request) -> Response:
        """`/callnow/<id>`: the form, filled from the query where it has fields."""
        page_id = request.path_params["id"]
        if request.method == "POST":
            return await self._submit(request, page_id, await read_form(request))
        page = self._page(page_id)
        return self._show(request, page, form.read(request.query_params, page))

    async def index_php(self, request: Request) -> Response:
        """`/callnow/index.php?call=<id>`: the same page, and with a phone the one-step link (SPEC 5, 6)."""
        page_id = request.query_params.get("call", "")
        if request.method == "POST":
            return await self._submit(request, page_id, await read_form(request))
        page = self._page(page_id)
        filled = form.read(request.query_params, page)
        if page.image_validation or not filled.phone:
            return self._show(request, page, filled)
        if request.method == "HEAD" or is_robot(request.headers):
            return self._show(request, page, filled, note=CHECK)
        return await self._call(request, page, filled, one_step=True)

    async def image(self, request: Request) -> Response:
        """The digits of a challenge to read."""
        png = await to_thread.run_sync(captcha.draw, self._answer(request), limiter=self.threads)
        return Response(png, media_type="image/png")

    async def audio(self, request: Request) -> Response:
        """The digits of a challenge to hear."""
        answer = self._answer(request)
        wav = await to_thread.run_sync(captcha.speak, answer, self.speak_digits, limiter=self.threads)
        return Response(wav, media_type="audio/wav")

    def _page(self, page_id: str) -> CallNowPage:
        page = self.desk.callnow_page(page_id)
        if page is None:
            raise HTTPException(404)
        return page

    def _answer(self, request: Request) -> str:
        answer = self.challenges.answer(request.path_params["challenge"])
        if answer is None:
            raise HTTPException(404)
        return answer

    async def _submit(self, request: Request, page_id: str, fields: Mapping[str, str]) -> Response:
        page = self.desk.callnow_page(page_id)
        filled = form.read(fields, page)
        if page is None:  # whose call it was to be cannot be told, and why there was none is written down
            wanted = VisitorRequest(page_id, filled.name, filled.phone, filled.country, self.address(request))
            await self.desk.request_call(wanted)
            raise HTTPException(404)
        if "other" in fields:
            self.challenges.redeem(filled.challenge, page.id, "")
            return self._show(request, page, filled)
        accepted = await self.submissions.earlier(page.id, filled.nonce)
        return _to_status(accepted) if accepted else await self._call(request, page, filled)

    async def _call(self, request: Request, page: CallNowPage, filled: Filled, *, one_step: bool = False) -> Response:
        """Judge the form and ask the desk. Nothing is awaited before the challenge is spent and the form noted."""
        if page.image_validation and not self.challenges.redeem(filled.challenge, page.id, filled.captcha):
            return self._show(request, page, filled, [*form.missing(filled, page), PROVE], status=422)
        wanted = VisitorRequest(page.id, filled.name, filled.phone, filled.country, self.address(request), one_step)
        answer = await self._ask(wanted, filled.nonce or secrets.token_urlsafe(16))
        if isinstance(answer, Accepted):
            return _to_status(answer)
        return self._refuse(request, page, filled, answer)

    async def _ask(self, wanted: VisitorRequest, nonce: str) -> Accepted | Refused:
        noted, answer = self.submissions.open(wanted.page_id, nonce), None
        try:
            answer = await self.desk.request_call(wanted)
        finally:
            noted.set_result(answer if isinstance(answer, Accepted) else None)
        return answer

    def _refuse(self, request: Request, page: CallNowPage, filled: Filled, refused: Refused) -> Response:
        if refused.status == 404:
            raise HTTPException(404)
        if refused.status == 409:
            return self.pages.page("unavailable.html", {"page": page}, 409)
        wait = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
        beside = "phone" if refused.field == "number" else refused.field
        others = [problem for problem in form.missing(filled, page) if problem.field != beside]
        found = [Problem(beside, refused.sentence), *others]
        return self._show(request, page, filled, found, status=refused.status, headers=wait)

    def _show(
        self,
        request: Request,
        page: CallNowPage,
        filled: Filled,
        found: list[Problem] | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        note: str = "",
    ) -> Response:
        if not page.available and not found:
            return self.pages.page("unavailable.html", {"page": page})
        values = {
            "page": page,
            "filled": filled,
            "note": note,
            "problems": found or [],
            "errors": {problem.field: problem.sentence for problem in found or []},
            "challenge": self._challenge(request, page) if page.image_validation else "",
            "nonce": secrets.token_urlsafe(16),
            "countries": form.countries() if page.country else (),
        }
        return self.pages.page("callnow.html", values, status, headers)

    def _challenge(self, request: Request, page: CallNowPage) -> str:
        try:
            return self.challenges.new(page.id, source_of(self.address(request)))
        except TooManyChallenges as wait:
            raise HTTPException(429, headers={"Retry-After": str(wait.retry_after_s)}) from None


def _to_status(accepted: Accepted) -> Response:
    return RedirectResponse(f"/callnow/status/{accepted.token}", 303)
