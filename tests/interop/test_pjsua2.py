from __future__ import annotations

from tests.interop.phones import Pjsua2
from tests.interop.stories import PhoneStories


class TestPjsua2(PhoneStories):
    phone = Pjsua2
