"""ITU-T G.711: tables 1a-2b, and the two laws into each other."""

from __future__ import annotations

import numpy as np
import pytest

from media.g711 import ALAW_TO_ULAW, ULAW_TO_ALAW, Codec, decode, encode

EVERY_OCTET = bytes(range(256))
BOTH: tuple[Codec, ...] = ("PCMU", "PCMA")


@pytest.mark.parametrize(
    ("codec", "octet", "level"),
    [
        pytest.param("PCMU", 0x80, 32124, id="mu-law: highest positive level 8031"),
        pytest.param("PCMU", 0x00, -32124, id="mu-law: highest negative level"),
        pytest.param("PCMU", 0xFF, 0, id="mu-law: plus zero"),
        pytest.param("PCMU", 0x7F, 0, id="mu-law: minus zero"),
        pytest.param("PCMU", 0xFE, 8, id="mu-law: first step, 2 of 14 bits"),
        pytest.param("PCMU", 0xF0, 120, id="mu-law: end of the first chord, 30"),
        pytest.param("PCMU", 0xEF, 132, id="mu-law: second chord begins at 33"),
        pytest.param("PCMU", 0x8F, 16764, id="mu-law: eighth chord begins at 4191"),
        pytest.param("PCMA", 0xAA, 32256, id="A-law: highest positive level 4032"),
        pytest.param("PCMA", 0x2A, -32256, id="A-law: highest negative level"),
        pytest.param("PCMA", 0xD5, 8, id="A-law: smallest positive, 1 of 13 bits"),
        pytest.param("PCMA", 0x55, -8, id="A-law: smallest negative"),
        pytest.param("PCMA", 0xC5, 264, id="A-law: second segment begins at 33"),
        pytest.param("PCMA", 0xF5, 528, id="A-law: third segment begins at 66"),
    ],
)
def test_levels_of_the_recommendation(codec: Codec, octet: int, level: int) -> None:
    assert decode(bytes([octet]), codec).tolist() == [level]


@pytest.mark.parametrize("codec", BOTH)
def test_a_decoded_octet_encodes_to_the_same_level(codec: Codec) -> None:
    levels = decode(EVERY_OCTET, codec)
    assert (decode(encode(levels, codec), codec) == levels).all()


@pytest.mark.parametrize("codec", BOTH)
def test_the_error_is_half_a_step_of_the_segment_and_order_is_kept(codec: Codec) -> None:
    samples = np.arange(-32124, 32125).astype(np.int16)
    coded = decode(encode(samples, codec), codec).astype(np.int32)
    magnitude = np.abs(samples.astype(np.int32))
    half_step = (magnitude + 132) / 32 + 4 if codec == "PCMU" else np.maximum(magnitude, 256) / 32 + 1
    assert (np.abs(coded - samples) <= half_step).all()
    assert (np.diff(coded) >= 0).all()
    assert (decode(encode(samples, codec), codec) == -decode(encode(~samples, codec), codec)).all()


def test_one_law_into_the_other_changes_a_level_by_less_than_a_step() -> None:
    for source, target, table in (("PCMU", "PCMA", ULAW_TO_ALAW), ("PCMA", "PCMU", ALAW_TO_ULAW)):
        before = decode(EVERY_OCTET, source).astype(np.int32)
        after = decode(EVERY_OCTET.translate(table), target).astype(np.int32)
        assert (np.abs(after - before) <= np.maximum(np.abs(before) / 16, 8)).all()
