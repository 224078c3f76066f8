"""A call as a stereo WAV file: what each of two legs sends us, laid where it arrived, silence where nothing did."""

from __future__ import annotations

import logging
from io import FileIO
from struct import Struct

import numpy as np

from media.g711 import Codec, Samples, decode
from media.port import Tap
from media.prompt import RATE_HZ

__all__ = ["Recording"]

_WINDOW = 2 * RATE_HZ
"""Samples kept open for late packets before they are written."""
_DRIFT = RATE_HZ // 8
"""Farther than this from its time of arrival, a source's place is set anew."""
_FRAME_BYTES = 4
_HEADER = Struct("<4sL4s4sLHHLLHH4sL")
log = logging.getLogger(__name__)


class _Channel:
    """Where the next packet of one leg goes: contiguous by its RTP timestamp, near its time of arrival."""

    def __init__(self) -> None:
        self._ssrc = -1
        self._offset = 0

    def place(self, ssrc: int, timestamp: int, arrived: int) -> int:
        """The sample index of a packet that came at sample `arrived`."""
        at = (timestamp + self._offset) & 0xFFFFFFFF
        if ssrc != self._ssrc or abs(at - arrived) > _DRIFT:
            self._ssrc = ssrc
            self._offset = arrived - timestamp
            at = arrived
        return at


class Recording:
    """One file for two ports, complete when both have left. A disk that fails ends the recording, not the call."""

    def __init__(self, path: str, ports: tuple[int, int], now: float) -> None:
        self.path = path
        """Empty once the file could not be written."""
        self._sides = dict(zip(ports, (0, 1), strict=True))
        self._waiting = set(ports)
        self._channels = (_Channel(), _Channel())
        self._began = now
        self._written = 0
        self._window: Samples = np.zeros((2 * _WINDOW, 2), np.int16)
        self._file: FileIO | None = None
        try:
            self._file = open(path, "wb", buffering=0)
        except OSError as error:
            self._fail(error)
        self._write(b"")

    def tap(self, port: int) -> Tap:
        """What takes the audio of one of the two ports."""
        side = self._sides[port]

        def take(now: float, ssrc: int, timestamp: int, payload: bytes, codec: Codec) -> None:
            at = self._channels[side].place(ssrc, timestamp, self._index(now))
            self._lay(side, at, decode(payload, codec))

        return take

    def leave(self, port: int, now: float) -> bool:
        """One port closes; True when the file is complete by that."""
        if port not in self._waiting:
            return False
        self._waiting.discard(port)
        if self._waiting:
            return False
        self._flush(max(self._index(now), self._written))
        if self._file is not None:
            self._file.close()
        return True

    def _index(self, now: float) -> int:
        return round((now - self._began) * RATE_HZ)

    def _lay(self, side: int, at: int, samples: Samples) -> None:
        """Put samples where they belong; what is older than the window is lost."""
        end = at + len(samples)
        if end > self._written + 2 * _WINDOW:
            self._flush(end - _WINDOW)
        start = max(at, self._written)
        if end > start:
            self._window[start - self._written : end - self._written, side] = samples[start - at :]

    def _flush(self, until: int) -> None:
        """Write everything before sample `until`."""
        while self._written < until:
            count = min(until - self._written, 2 * _WINDOW)
            self._write(self._window[:count].astype("<i2").tobytes())
            self._window = np.concatenate([self._window[count:], np.zeros((count, 2), np.int16)])
            self._written += count

    def _write(self, data: bytes) -> None:
        """Append, and make the header right for what is there: a file cut off by a crash can be played."""
        if self._file is None:
            return
        size = self._written * _FRAME_BYTES + len(data)
        header = _HEADER.pack(
            *(b"RIFF", 36 + size, b"WAVE"),
            *(b"fmt ", 16, 1, 2, RATE_HZ, RATE_HZ * _FRAME_BYTES, _FRAME_BYTES, 16),
            *(b"data", size),
        )
        try:
            for at, part in ((_HEADER.size + self._written * _FRAME_BYTES, data), (0, header)):
                self._file.seek(at)
                if self._file.write(part) != len(part):
                    raise OSError("the disk took only a part")
        except OSError as error:
            self._file.close()
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        log.error("event=recording-failed path=%s %s", self.path, error)
        self.path, self._file = "", None
