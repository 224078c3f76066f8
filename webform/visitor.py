"""The public CallNow page: its form, the one-step link, the captcha and the one call that a form makes."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from b2bua.desk import Accepted, CallNowPage, Desk, LinkPass, Refused, VisitorRequest
from webform import captcha, form
from webform.captcha import TooManyChallenges
from webform.form import Filled, Problem
from webform.guard import is_robot, read_form, source_of
from webform.pages import Pages

__all__ = ["Submissions", "VisitorPages"]

REMEMBERED_FORMS = 10_000
PROVE = Problem("captcha", "These are not the digits. Please type the new ones.")
_NO_LINK = LinkPass()
_NO_FORM = (403, 404, 409, 410)
"""Refusals that no other entry would change."""
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
        return await self._open(request, await self._page(request, page_id))

    async def index_php(self, request: Request) -> Response:
        """`/callnow/index.php?call=<id>`: the same page, and with a phone the one-step link (SPEC 5, 6)."""
        page_id = request.query_params.get("call", "")
        if request.method == "POST":
            return await self._submit(request, page_id, await read_form(request))
        page = await self._page(request, page_id, one_step=True)
        filled = form.read(request.query_params, page)
        now = filled.phone or (filled.link and request.query_params.get("now"))
        if not now or _asks_digits(page, filled):
            return await self._open(request, page)
        if not _is_person(request):
            return await self._open(request, page, note=CHECK)
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

    async def _page(self, request: Request, page_id: str, *, one_step: bool = False) -> CallNowPage:
        page = self.desk.callnow_page(page_id)
        if page is None:  # its owner can find out why a link led nowhere
            filled = form.read(request.query_params, None)
            if filled.link:
                await self.desk.open_link(page_id, filled.link, self._seen(request))
            elif one_step and filled.phone and _is_person(request):
                await self.desk.request_call(self._wanted(request, page_id, filled))
            raise HTTPException(404)
        return page

    def _seen(self, request: Request) -> str:
        """Whose doing it is that a link is opened; empty where a program looks ahead (SPEC H10)."""
        return self.address(request) if _is_person(request) else ""

    def _answer(self, request: Request) -> str:
        answer = self.challenges.answer(request.path_params["challenge"])
        if answer is None:
            raise HTTPException(404)
        return answer

    async def _submit(self, request: Request, page_id: str, fields: Mapping[str, str]) -> Response:
        page = self.desk.callnow_page(page_id)
        filled = form.read(fields, page)
        if page is None:  # whose call it was to be cannot be told, and why there was none is written down
            await self.desk.request_call(self._wanted(request, page_id, filled))
            raise HTTPException(404)
        if "other" in fields and not filled.link:
            self.challenges.redeem(filled.challenge, page.id, "")
            return self._show(request, page, filled)
        accepted = await self.submissions.earlier(page.id, filled.nonce)
        return _to_status(accepted) if accepted else await self._call(request, page, filled)

    async def _call(self, request: Request, page: CallNowPage, filled: Filled, *, one_step: bool = False) -> Response:
        """Judge the form and ask the desk. Nothing is awaited before the challenge is spent and the form noted."""
        if _asks_digits(page, filled) and not self.challenges.redeem(filled.challenge, page.id, filled.captcha):
            return self._show(request, page, filled, [*form.missing(filled, page), PROVE], status=422)
        wanted = self._wanted(request, page.id, filled)
        if one_step:  # a link is for now
            wanted = replace(wanted, one_step=True, at=None)
        answer = await self._ask(wanted, filled.nonce or secrets.token_urlsafe(16))
        if isinstance(answer, Accepted):
            return _to_status(answer)
        return await self._refuse(request, page, filled, answer)

    def _wanted(self, request: Request, page_id: str, filled: Filled) -> VisitorRequest:
        address = self.address(request)
        return VisitorRequest(
            page_id, filled.name, filled.phone, filled.country, address, at=filled.at, link=filled.link
        )

    async def _ask(self, wanted: VisitorRequest, nonce: str) -> Accepted | Refused:
        noted, answer = self.submissions.open(wanted.page_id, nonce), None
        try:
            answer = await self.desk.request_call(wanted)
        finally:
            noted.set_result(answer if isinstance(answer, Accepted) else None)
        return answer

    async def _refuse(self, request: Request, page: CallNowPage, filled: Filled, refused: Refused) -> Response:
        given = _NO_LINK
        if filled.link and refused.status not in _NO_FORM:  # what the form need not ask
            found = await self.desk.open_link(page.id, filled.link, "")
            given, refused = (given, found) if isinstance(found, Refused) else (found, refused)
        if refused.status in _NO_FORM:
            return self._no_form(page, filled, refused)
        wait = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
        beside = "phone" if refused.field == "number" else refused.field
        others = [problem for problem in form.missing(filled, page) if problem.field not in (beside, *_fixed(given))]
        problems = [Problem("" if beside in _fixed(given) else beside, refused.sentence), *others]
        return self._show(request, page, filled, problems, status=refused.status, headers=wait, given=given)

    def _no_form(self, page: CallNowPage, filled: Filled, refused: Refused) -> Response:
        """What is shown where no other entry would help."""
        if refused.status == 404:
            raise HTTPException(404)
        if refused.status == 409:
            return self._unavailable(page, filled, 409)
        values = {"page": page, "sentence": refused.sentence}
        return self.pages.page("link.html", values, refused.status, _headers(filled))

    def _unavailable(self, page: CallNowPage, filled: Filled, status: int = 200) -> Response:
        query = f"?link={filled.link}" if filled.link else ""
        values = {"page": page, "query": query, "choose": bool(self.desk.callnow_slots(page.id).days)}
        return self.pages.page("unavailable.html", values, status, _headers(filled))

    async def _open(self, request: Request, page: CallNowPage, note: str = "") -> Response:
        """The form, filled from the query; by a signed link without what that fixes, or why it is no good."""
        filled = form.read(request.query_params, page)
        if not filled.link:
            return self._show(request, page, filled, note=note)
        given = await self.desk.open_link(page.id, filled.link, self._seen(request))
        if isinstance(given, Refused):
            return self._no_form(page, filled, given)
        return self._show(request, page, filled, note=note, given=given)

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
        given: LinkPass = _NO_LINK,
    ) -> Response:
        slots = self.desk.callnow_slots(page.id)
        if not page.available and not found and not slots.days:
            return self._unavailable(page, filled)
        values = {
            "page": page,
            "filled": filled,
            "note": note,
            "given": given,
            "problems": found or [],
            "errors": {problem.field: problem.sentence for problem in found or []},
            "challenge": self._challenge(request, page) if _asks_digits(page, filled) else "",
            "nonce": secrets.token_urlsafe(16),
            "countries": form.countries() if page.country else (),
            "slots": slots,
        }
        return self.pages.page("callnow.html", values, status, {**(headers or {}), **_headers(filled)})

    def _challenge(self, request: Request, page: CallNowPage) -> str:
        try:
            return self.challenges.new(page.id, source_of(self.address(request)))
        except TooManyChallenges as wait:
            raise HTTPException(429, headers={"Retry-After": str(wait.retry_after_s)}) from None


def _is_person(request: Request) -> bool:
    return request.method != "HEAD" and not is_robot(request.headers)


def _asks_digits(page: CallNowPage, filled: Filled) -> bool:
    """Not of who brings a link: the desk looks what it is worth."""
    return page.image_validation and not filled.link


def _fixed(given: LinkPass) -> tuple[str, ...]:
    """The fields that its form does not have."""
    return ("name",) * bool(given.name) + ("phone",) * bool(given.ends_in)


def _headers(filled: Filled) -> dict[str, str]:
    """The address of a page that was opened by a link holds its token: it goes nowhere, not even to ourselves."""
    return {"Referrer-Policy": "no-referrer"} if filled.link else {}


def _to_status(accepted: Accepted) -> Response:
    return RedirectResponse(f"/callnow/status/{accepted.token}", 303)
