"""Write what comes of torture messages into docs/conformance.md: `python -m scripts.conformance`.

With `--loss` also how calls fare on a wire that loses, which takes a minute.
"""

from __future__ import annotations

import sys

from tests.conformance import page

if __name__ == "__main__":
    page.write(loss="--loss" in sys.argv[1:])
