from __future__ import annotations

from tests.interop.phones import Baresip
from tests.interop.stories import PhoneStories


class TestBaresip(PhoneStories):
    phone = Baresip
