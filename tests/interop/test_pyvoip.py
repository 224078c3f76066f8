from __future__ import annotations

from tests.interop.phones import PyVoip
from tests.interop.stories import PhoneStories


class TestPyVoip(PhoneStories):
    phone = PyVoip
