"""Whatever is sent to the API, it answers in JSON with a status of its document, and never by a fault of ours."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.webform.api import OPERATOR, api_app, as_holder, opened
from tests.webform.ground import Clock

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
    | st.sampled_from(["5551111111", "unlimited", "-10", "0.12", "/en/zero", "fixed", "en", "\0", "'", "%"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5,
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NAMES = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n"), max_size=12)
"""A line break in a path leads to no page at all, not to the API."""
EXTENSIONS = st.sampled_from(["001*900", "001900", "001*002", "nothing"]) | NAMES
ENTRIES = {
    "account": st.sampled_from(["acme", "other", "a/b"]) | NAMES, "trunk": st.just("R1") | NAMES,
    "did": st.sampled_from(["5555550000", "5555558888"]) | NAMES, "route": st.sampled_from(["1", "9" * 30]) | NAMES,
}
NUMBERS = st.sampled_from(["5551111111", "+1 555 111 1111"]) | NAMES


@st.composite
def requests(draw: st.DrawFn, document: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """A method, a path and what is sent, for one operation of the document."""
    path, methods = draw(st.sampled_from([*document["paths"].items()]))
    method, operation = draw(st.sampled_from([*methods.items()]))
    known = {"extension": EXTENSIONS, "number": NUMBERS, **ENTRIES}
    filled = re.sub(r"{(\w+)}", lambda name: quote(draw(known.get(name[1], NAMES)), safe=""), path)
    query = {each["name"]: draw(st.sampled_from(["1", "true", "5551111111", ";"]) | TEXTS)
             for each in operation["parameters"] if each["in"] == "query" and draw(st.booleans())}  # fmt: skip
    sent: dict[str, Any] = {"params": query}
    for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
        if media_type == "application/json":
            name = body["schema"]["$ref"].rpartition("/")[2]
            properties = document["components"]["schemas"][name]["properties"]
            keys = draw(st.lists(st.sampled_from([*properties]), unique=True, max_size=4))
            sent["json"] = {key: draw(VALUES) for key in keys}
        else:
            sent |= {"content": draw(st.binary(max_size=60) | TEXTS.map(str.encode)),
                     "headers": {"Content-Type": media_type}}  # fmt: skip
    return method.upper(), filled, sent


def test_no_request_is_a_fault_of_ours() -> None:
    async def session() -> None:
        with TemporaryDirectory() as folder:
            async with opened(Path(folder)) as database:
                async with as_holder(api_app(database, Clock()), OPERATOR) as api:
                    await asyncio.to_thread(every, api, asyncio.get_running_loop())

    def every(api: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        def wait(answer: Any) -> httpx.Response:
            got: httpx.Response = asyncio.run_coroutine_threadsafe(answer, loop).result(30)
            return got

        document = wait(api.get("/api/v1/openapi.json")).json()

        @settings(max_examples=300, deadline=None)
        @given(requests(document))
        def each(request: tuple[str, str, dict[str, Any]]) -> None:
            method, path, sent = request
            answer = wait(api.request(method, f"/api/v1{path}", **sent))
            assert answer.status_code in (200, 201, 204, 404, 405, 409, 422), answer.text
            if answer.status_code >= 400:
                assert answer.json()["error"]

        each()

    asyncio.run(session())
