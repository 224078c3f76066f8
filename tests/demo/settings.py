"""A demo for tests: any free ports, people in a hurry."""

from __future__ import annotations

from dataclasses import replace

from b2bua.demo.demo_call import QUICK

TEST = replace(
    QUICK, sip_port=0, http_port=0, agents_port=0, media_ports="45000-46999", agents_media=range(47000, 49999)
)
