"""The remote control of JsSIP, a phone that lives in browsers: here it runs under node, without sound."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.peers.child import Child

__all__ = ["JsSipPhone"]

_FOLDER = Path(__file__).parents[2] / ".venv" / "jssip"
_SCRIPT = str(Path(__file__).with_suffix(".cjs"))


class JsSipPhone(Child):
    """One phone: `async with JsSipPhone(…) as phone: await phone.event("registered")`; ended by its pid on exit.

    Its events are `connected`, `turned-away` (by HTTP), `registered`, `refused`, `incoming`, `failed`, `options`,
    `disconnected`.  It rings and can be busy; it cannot answer.
    """

    def __init__(
        self, folder: Path, *, url: str, user: str, password: str, domain: str, origin: str | None = None,
        protocols: list[str] | None = None, ca: Path | None = None, name: str = "",
    ) -> None:
        said = {"url": url, "user": user, "password": password, "domain": domain}
        more = {"origin": origin, "protocols": protocols, "ca": ca and ca.read_text(), "name": name or None}
        super().__init__(
            str(_FOLDER), said | {key: value for key, value in more.items() if value is not None},
            log=folder / "jssip.log", by=("node", _SCRIPT),
        )  # fmt: skip

    @staticmethod
    def version() -> str | None:
        """As its package tells it; None where it is not installed."""
        package = _FOLDER / "node_modules" / "jssip" / "package.json"
        if not shutil.which("node") or not package.exists():
            return None
        found: str = json.loads(package.read_text())["version"]
        return found
