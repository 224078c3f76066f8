from __future__ import annotations

from tests.interop.phones import Linphone
from tests.interop.stories import PhoneStories


class TestLinphone(PhoneStories):
    phone = Linphone
