"""What a trunk's answer means, in plain words; pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Meaning", "meaning"]

Question = Literal["OPTIONS", "REGISTER", "INVITE"]


class Meaning(NamedTuple):
    """Whether that is well, and a sentence for whoever set the trunk up."""

    well: bool
    sentence: str


_SILENCE = (
    "nobody answered: a wrong host or port, a firewall between, or a trunk that ignores addresses that it does not know"
)
_OVERLOADED = "it is out of service or has too many calls: try later; calls leave by its next server or the next trunk"
_THERE = "it is there; that it will not answer this question does no harm"
_NO_PASSWORD = "it asks for a password and the trunk has none here: set `user` and `password`"
_WRONG_PASSWORD = "`user` or `password` is wrong"

_OPTIONS = {
    200: Meaning(True, "it is there and answers"),
    401: Meaning(True, "it is there; it asks for a password even for this"),
    403: Meaning(True, "it is there, but refuses us: is our address on its list?"),
    404: Meaning(True, _THERE),
    405: Meaning(True, _THERE),
    408: Meaning(False, "a proxy is there, and nobody behind it"),
    480: Meaning(True, _THERE),
    501: Meaning(True, _THERE),
}
_REGISTER = {
    200: Meaning(True, "user and password are right"),
    403: Meaning(False, "it refuses: a wrong user or password, a blocked account, or an address not on its list"),
    404: Meaning(False, "it does not know this user, or `host` is not the domain it is registered in"),
    405: Meaning(False, "nobody registers there: set `register = false`"),
    408: Meaning(False, "a proxy is there, and no registrar behind it"),
    423: Meaning(True, "it wants a longer registration; the server asks for that by itself"),
    480: Meaning(False, "the registrar is not available now"),
    501: Meaning(False, "nobody registers there: set `register = false`"),
}
_INVITE = {
    200: Meaning(True, "answered, and hung up again"),
    402: Meaning(False, "no credit left at the trunk"),
    403: Meaning(False, "it refuses this call: the number shown is not ours there, the destination is not allowed, "
                        "credit is used up, or our address is not on its list"),
    404: Meaning(False, "no such number; or it is written in another way than the trunk wants, see `number_format`, "
                        "`out_strip` and `out_prefix`"),
    408: Meaning(False, "the trunk found nobody in time"),
    480: Meaning(True, "the trunk works; whoever is called cannot be reached now"),
    484: Meaning(False, "the number is not complete: see `number_format`, `out_strip` and `out_prefix`"),
    486: Meaning(True, "the trunk works; the number is busy"),
    487: Meaning(True, "it rang, and we gave it up"),
    488: Meaning(False, "none of our codecs suits it: see `codecs`"),
    600: Meaning(True, "the trunk works; the number is busy"),
    603: Meaning(True, "the trunk works; whoever is called declined, or the trunk blocks such calls"),
    606: Meaning(False, "none of our codecs suits it: see `codecs`"),
}  # fmt: skip
_TABLES: dict[Question, dict[int, Meaning]] = {"OPTIONS": _OPTIONS, "REGISTER": _REGISTER, "INVITE": _INVITE}
_CLASSES = {
    3: Meaning(False, "it sends us elsewhere, and we do not follow a trunk: set `host` to where it points"),
    4: Meaning(False, "it refuses; the words above are its own"),
    5: Meaning(False, "a fault of the trunk: try again, then ask its support with the time and our number"),
    6: Meaning(False, "it refuses; the words above are its own"),
}


def meaning(question: Question, status: int | None, *, password: bool) -> Meaning:
    """What a final answer says, None: none came; `password`: we have one to prove who we are with."""
    if status is None:
        return Meaning(False, _SILENCE)
    if status == 503:
        return Meaning(False, _OVERLOADED)
    if status == 407 or (status == 401 and question != "OPTIONS"):
        return Meaning(question == "OPTIONS", _WRONG_PASSWORD if password else _NO_PASSWORD)
    table = _TABLES[question]
    known = table.get(status) or (table[200] if status < 300 else _CLASSES[status // 100])
    return known if question != "OPTIONS" or status in table or status < 400 else known._replace(well=True)
