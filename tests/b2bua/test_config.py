"""The server's own file: what it may say, and the sentence for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from b2bua.config import Addresses, BadConfig, Config, MediaConfig, ServerConfig, WebConfig, read_config
from b2bua.places import own_address
from b2bua.rules.code_admission import CodeLimits
from b2bua.rules.limits import LimitNumbers


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param('[server]\nsip = "127.0.0.1"\n', '2: server.sip: "127.0.0.1" is not ADDRESS:PORT', id="no port"),
        pytest.param('[server]\nsip = "host:5060"\n', "2: server.sip: 'host' does not appear", id="a name to bind to"),
        pytest.param(
            '[server]\npublic_address = "sip.example.net"\n', "2: server.public_address: 'sip.example.net' does not",
            id="a name where an address is told",
        ),
        pytest.param(
            '[server]\n\npublic_address = "0.0.0.0"\n', '3: server.public_address: "0.0.0.0" is no address', id="any",
        ),
        pytest.param('[server]\ntcp = "5060"\n', '2: server.tcp: "5060" is not ADDRESS:PORT', id="TCP at a bare port"),
        pytest.param(
            '[server]\ntls = "127.0.0.1:5061"\n', "2: server.tls: TLS needs tls_certificate and tls_key", id="bare TLS",
        ),
        pytest.param('[server]\ndatabase = "ringback.db"\n', '2: server.database: "ringback.db" is not', id="a file"),
        pytest.param('[server]\nhep = "homer"\n', '2: server.hep: "homer" is not HOST:PORT', id="Homer without a port"),
        pytest.param('[server]\nhep = "a b:1"\n', '2: server.hep: "a b:1" is not HOST:PORT', id="no host name"),
        pytest.param('[stir]\nkey = "k"\n', "2: stir.key: signing needs key, certificate and x5u", id="half a signer"),
        pytest.param(
            '[stir]\nkey = "k"\ncertificate = "c"\nx5u = "http://h/c"\n', '4: stir.x5u: "http://h/c" is not as in',
            id="a certificate in the clear",
        ),
        pytest.param('[stir]\nx5u_networks = ["h"]\n', "2: stir.x5u_networks: 'h' does not appear", id="no network"),
        pytest.param('[stir]\nmark = "a\\nb"\n', "2: stir.mark: expected up to 16", id="a mark of two lines"),
        pytest.param('[media]\naddress = "eth0"\n', "2: media.address: 'eth0' does not appear", id="an interface"),
        pytest.param('[media]\nports = "1-2"\n', '2: media.ports: "1-2" is not a range from 1024', id="low ports"),
        pytest.param('[media]\nports = "20001-20002"\n', "2: media.ports: .* no even port", id="no pair of ports"),
        pytest.param('[media]\nrtp_timeout_s = -1.0\n', "2: media.rtp_timeout_s: Expected `float` > 0", id="past"),
        pytest.param('[media]\nrtp_timeout_s = inf\n', "2: media.rtp_timeout_s: Expected `float` <= 86400", id="never"),
        pytest.param('[limits]\nper_ip_day = -1\n', "2: limits.per_ip_day: Expected `int` >= 0", id="fewer than none"),
        pytest.param('[web]\nproxies = ["name"]\n', "2: web.proxies: 'name' does not appear", id="a proxy by name"),
        pytest.param('[web]\nproxies = ["10.0.0.1/8"]\n', "2: web.proxies: 10.0.0.1/8 has host bits", id="no network"),
        pytest.param('[web]\nproxies = [5]\n', "2: web.proxies: Expected `str`, got `int`", id="a number in a list"),
        pytest.param('[web]\nhttp = "127.0.0.1:99999"\n', "2: web.http: .* not ADDRESS:PORT", id="a port too high"),
        pytest.param('[web]\nbase_url = "call.example.org"\n', '2: web.base_url: "call.example.org" is not', id="bare"),
        pytest.param('[web]\n[server]\nsipp = "x"\n', "3: server.sipp: .*unknown field", id="an unknown key"),
        pytest.param('[sever]\n', "1: sever: .*unknown field", id="an unknown table"),
        pytest.param('[server]\nsip = []\n', "2: server.sip: name an address and port", id="no address"),
        pytest.param('[server]\nsip = ["[::]:5060", "[::]:5060"]\n', "2: server.sip: the same address twice",
                     id="an address twice"),
        pytest.param(f"[server]\ntcp = {[f'127.0.0.{n}:5060' for n in range(1, 10)]}\n",
                     "2: server.tcp: more than 8 addresses", id="nine addresses"),
        pytest.param('[server]\ntls_client_ca = "/ca.pem"\n', "2: server.tls_client_ca: .* set `tls` too",
                     id="a CA alone"),
        pytest.param('[server]\npublic_address = {"10.0.0.9" = "8.8.4.4"}\n',
                     '2: server.public_address: "10.0.0.9" is none of the addresses', id="an address not listened at"),
        pytest.param('[server]\npublic_address = {"127.0.0.1" = "::1"}\n',
                     '2: server.public_address: "::1" is of another family', id="the other family"),
        pytest.param('[media]\naddress = ["10.0.0.1", "10.0.0.2"]\n',
                     "2: media.address: one address of each family", id="two of a family"),
        pytest.param('[server]\nsip = 5060\n', "2: server.sip: Expected `str . array`, got `int`", id="a bare number"),
        pytest.param('[server]\nlog_level = "LOUD"\n', "2: server.log_level: Invalid enum value", id="no level"),
        pytest.param('[server]\nsip = \n', "2: Invalid value", id="not TOML"),
        pytest.param('[server]\nsip = """a', "2: Unterminated", id="TOML that never ends"),
    ],
)
def test_a_wrong_value_is_named_with_file_and_line(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    file.write_text(text)
    with pytest.raises(BadConfig, match=f"^{file}:{sentence}"):
        read_config(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=f"{tmp_path}/none.toml: No such file"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'x = "\xe9"')
    with pytest.raises(BadConfig, match="latin.toml: 'utf-8' codec"):
        read_config(tmp_path / "latin.toml")


def test_a_good_file_with_the_line_ends_of_another_system(tmp_path: Path) -> None:
    (tmp_path / "ringback.toml").write_bytes(b'[web]\r\nhttp = "[::1]:8080"\r\nproxies = ["10.0.0.0/8"]\r\n')
    config = read_config(tmp_path / "ringback.toml")
    assert config.web.proxies == ("10.0.0.0/8",)
    assert config.base_url() == "http://[::1]:8080"


def test_limits_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "ringback.toml").write_text(
        "[limits]\nper_ip_day = 5\ncode_calls_per_number_day = 1\ncode_calls_per_account_hour = 2\n"
        "code_calls_per_account_day = 3\n"
    )
    config = read_config(tmp_path / "ringback.toml")
    assert config.limit_numbers() == LimitNumbers(per_ip_day=5)
    assert config.code_limits() == CodeLimits(1, 2, 3)
    assert (Config().limit_numbers(), Config().code_limits()) == (LimitNumbers(), CodeLimits())


@pytest.mark.parametrize(
    ("web", "url"),
    [
        pytest.param(WebConfig(), "http://127.0.0.1:8080", id="where it listens"),
        pytest.param(WebConfig(http="0.0.0.0:80"), f"http://{own_address('0.0.0.0')}:80", id="an address to open"),
        pytest.param(WebConfig(base_url="https://call.example.org/"), "https://call.example.org", id="as it is told"),
    ],
)
def test_where_visitors_reach_the_pages(web: WebConfig, url: str) -> None:
    assert Config(web=web).base_url() == url


@pytest.mark.parametrize(
    ("public", "media", "bound", "told"),
    [
        pytest.param("", "", "127.0.0.1", Addresses("127.0.0.1", "127.0.0.1", "127.0.0.1"), id="one address for all"),
        pytest.param("", "127.0.0.9", "127.0.0.1", Addresses("127.0.0.1", "127.0.0.9", "127.0.0.9"), id="its own"),
        pytest.param("8.8.4.4", "", "0.0.0.0", Addresses("8.8.4.4", "0.0.0.0", "8.8.4.4"), id="a NAT in front"),
        pytest.param(
            "8.8.4.4", "10.0.0.6", "10.0.0.5", Addresses("8.8.4.4", "10.0.0.6", "8.8.4.4"), id="inside a NAT",
        ),
        pytest.param("8.8.4.4", "0.0.0.0", "0.0.0.0", Addresses("8.8.4.4", "0.0.0.0", "8.8.4.4"), id="any, NAT"),
        pytest.param("8.8.4.4", "8.8.4.5", "8.8.4.4", Addresses("8.8.4.4", "8.8.4.5", "8.8.4.5"), id="two outside"),
        pytest.param("8.8.4.4", "", "::1", Addresses("::1", "::1", "::1"), id="a NAT of the other family"),
        pytest.param({"10.0.0.5": "8.8.4.4", "::": "2001:db8::1"}, "", "10.0.0.5",
                     Addresses("8.8.4.4", "10.0.0.5", "8.8.4.4"), id="its own of several"),
        pytest.param({"10.0.0.5": "8.8.4.4"}, "", "10.0.0.6", Addresses("10.0.0.6", "10.0.0.6", "10.0.0.6"),
                     id="one that is not behind the NAT"),
        pytest.param("", ("10.0.0.6", "2001:db8::6"), "2001:db8::5",
                     Addresses("2001:db8::5", "2001:db8::6", "2001:db8::6"), id="sound of its family"),
        pytest.param("10.0.0.5", "10.0.0.6", "0.0.0.0", Addresses("10.0.0.5", "10.0.0.6", "10.0.0.6"), id="two inside"),
    ],
)
def test_which_addresses_far_ends_are_told(
    public: str | dict[str, str], media: str | tuple[str, ...], bound: str, told: Addresses
) -> None:
    config = Config(server=ServerConfig(public_address=public), media=MediaConfig(address=media))
    assert config.addresses(bound) == told


def test_media_on_any_address_tells_the_one_towards_the_internet() -> None:
    assert Config(media=MediaConfig(address="0.0.0.0")).addresses("127.0.0.1").media_told == own_address("0.0.0.0")


def test_every_limit_of_requests_is_taken_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "ringback.toml"
    names = LimitNumbers.__dataclass_fields__
    file.write_text("[limits]\n" + "".join(f"{name} = {n}\n" for n, name in enumerate(names, 41)))
    assert read_config(file).limit_numbers() == LimitNumbers(*range(41, 41 + len(names)))
