"""Ports of this test process: a share of 46000-49999 for SIP and HTTP and of 50000-59999 for RTP."""

from __future__ import annotations

import os
import socket

__all__ = ["PEER_RTP", "SERVER_RTP", "SIP", "WIRE", "free_port"]

_SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4

SIP = range(46_000 + 1000 * _SHARE, 47_000 + 1000 * _SHARE)
SERVER_RTP = range(50_000 + 2500 * _SHARE, 51_500 + 2500 * _SHARE)
PEER_RTP = range(51_500 + 2500 * _SHARE, 52_500 + 2500 * _SHARE)
WIRE = (
    f"udp and (portrange {SIP.start}-{SIP.stop - 1} or portrange {SERVER_RTP.start}-{PEER_RTP.stop - 1})"
)
"""What a capture must show: everything of this test process, nothing of others."""

_next = {SIP: SIP.start, PEER_RTP: PEER_RTP.start}


def free_port(ports: range, count: int = 1) -> int:
    """The first of `count` ports in a row that nobody holds on any address; each is given once a round."""
    for _ in range(len(ports)):
        first = _next[ports]
        if first + count > ports.stop:
            first = ports.start
        _next[ports] = first + count
        if all(_is_free(first + n) for n in range(count)):
            return first
    raise RuntimeError(f"no {count} free ports in {ports}")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True
