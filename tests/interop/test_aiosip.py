from __future__ import annotations

from tests.interop.phones import Aiosip
from tests.interop.stories import PhoneStories


class TestAiosip(PhoneStories):
    phone = Aiosip
