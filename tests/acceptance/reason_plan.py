"""The configuration in which each row of tests/acceptance/reasons.py has an extension, page or number of its own."""

from __future__ import annotations

from collections.abc import Mapping

from tests.acceptance.reasons import Asks, Calls, Case, Proves

__all__ = ["plan"]


def plan(trunks: Mapping[str, str], cases: list[Case]) -> str:
    """What `ringback apply` gets; trunks: name -> HOST:PORT."""
    return _SHARED + "".join(
        f'[[trunk]]\nname = "{name}"\nhost = "{at.partition(":")[0]}"\nport = {at.partition(":")[2]}\n'
        f'number_format = "as-is"\n{_TRUNKS[name]}\n' for name, at in trunks.items()
    ) + "".join(map(_extension, cases))


def _extension(case: Case) -> str:
    way, account, more = case.way, "client", ""
    if isinstance(way, Asks):
        account = way.account
    elif isinstance(way, Proves):  # its calls are counted by account
        account = f"account-{case.index}"
        more = f'[[account]]\nname = "{account}"\ncredit = "9.00"\nrate_table = "home"\n{_AS_DIALLED}\n'
    public = f"+12025550{case.index:03}" if account == "world" else case.dialled
    lines = (
        f'{more}[[extension]]\nnumber = "{case.extension}"\naccount = "{account}"\npublic_number = "{public}"\n'
        f'name = "John Doe"\npassword = "secret"\n'
    )
    if isinstance(way, Asks):
        usual = "".join(line for line in _PAGE if line.split()[0] not in way.page)
        return f'{lines}{way.extension}\n[extension.callnow]\nid = "{case.page}"\n{usual}{way.page}\n'
    if isinstance(way, Proves):
        page = f'[extension.callnow]\nid = "{case.page}"\nimage_validation = false\n' if way.earlier == "owner" else ""
        return f'{lines}caller_id = {{ number_by = "user", number = "{case.number(way.number)}" }}\n{page}'
    did = f'[[did]]\nnumber = "{case.dialled}"\nextension = "{case.extension}"\n'
    if isinstance(way, Calls):
        return lines + did
    listed = "" if way.caller is None else (
        f'[[caller]]\nextension = "{case.extension}"\nnumber = "{way.number or case.number()}"\n'
        f'order_number = "o{case.index}"\n{way.caller}\n'
    )
    usual = "" if "trigger_s" in way.settings else "trigger_s = 1\n"
    return f'{lines}kind = "callback"\n[extension.callback]\n{usual}{way.settings}\n{did}{listed}'


_PAGE = ("image_validation = false\n", "confirm = false\n", "announce_to_visitor = false\n")
_TRUNKS = {
    "R1": "trusted = true", "narrow": "trusted = true\nchannels = 1", "stranger": "",
    "signed": 'trusted = true\nverify = "require"',
}
_AS_DIALLED = 'dial_plan = { mode = "as-dialled", refused = ["1900"], min_digits = 6 }'
_SHARED = f"""
[[account]]
name = "client"
credit = "1000.00"
rate_table = "home"
{_AS_DIALLED}

[[account]]
name = "poor"
credit = "0.00"
rate_table = "home"
{_AS_DIALLED}

[[account]]
name = "world"
credit = "1000.00"

[[extension]]
number = "001*999"
account = "client"
name = "John Doe"
password = "secret"
public_number = "6669999999"

[extension.callnow]
id = "other"
reject_while_on_phone = false
{''.join(_PAGE)}

[[interval]]
name = "always"
limits = [{{ hours = "00:00-24:00" }}]

[[interval]]
name = "never"
limits = [{{ month = 2, days = "29" }}]
without = ["always"]

[[route]]
trunk = "R1"
prefix = "555"

[[route]]
trunk = "R1"
prefix = "07"

[[rate]]
table = "home"
prefix = "555"
connection_fee = "0.12"

[[rate]]
table = "home"
prefix = "04"
first_cost = "0.10"
"""
