"""Where each table and key of a TOML text stands."""

from __future__ import annotations

import tomllib

import pytest

from b2bua.plan.toml_lines import Path, key_lines, line_of

TEXT = '''\
title = "a # no comment"   # [[account]] in a comment
[[account]]
name = "one"
dial_plan = { mode = "e164", strip = [
    "+1", # [[account]]
  ] }
next = 1
[[account]]
message = """
[[account]]
name = "inside a string ]]"
"""
"quoted key" = 1
a.b = 2
literal = \'\'\'
x = 1\'\'\'
after = 1
text = 'its [' # "
[account.callnow]
id = "x"
[[account.rate]]
p = 1
[[account.rate]]
p = 2
escaped = "a \\" # b [ "
last = 1
[server."a.b"]
realm = "r"
'''


@pytest.mark.parametrize(("path", "line"), [
    (("title",), 1), (("account",), 2), (("account", 0), 2), (("account", 0, "name"), 3),
    (("account", 0, "dial_plan"), 4), (("account", 0, "next"), 7), (("account", 1), 8),
    (("account", 1, "message"), 9), (("account", 1, "quoted key"), 13), (("account", 1, "a", "b"), 14),
    (("account", 1, "literal"), 15), (("account", 1, "after"), 17), (("account", 1, "callnow", "id"), 20),
    (("account", 1, "rate", 0, "p"), 22), (("account", 1, "rate", 1, "p"), 24), (("account", 1, "rate", 1, "last"), 26),
    (("server", "a.b", "realm"), 28),
    pytest.param(("account", 0, "dial_plan", "strip", 3), 4, id="the nearest key around it"),
    pytest.param(("account", 1, "name"), 8, id="a key that is not there: its table"),
    pytest.param(("nowhere",), 1, id="nothing around it: the first line"),
])
def test_line_of(path: Path, line: int) -> None:
    assert line_of(key_lines(TEXT), path) == line


def test_the_text_of_these_tests_is_toml() -> None:
    assert len(tomllib.loads(TEXT)["account"]) == 2
