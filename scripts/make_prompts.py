"""Record the English prompts with festival and sox: `python scripts/make_prompts.py` rewrites media/prompts/en.

Needs the Debian packages festival, festvox-us-slt-hts and sox. The result is committed, so that nobody else needs them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

TARGET = Path(__file__).parent.parent / "media" / "prompts" / "en"
VOICE = "cmu_us_slt_arctic_hts"

SENTENCES = {
    "confirm": "You have a call request from your web page. Press 1 to accept, or 2 to refuse.",
    "confirm-repeat": "Sorry, I did not hear a key. Press 1 to accept the call, or 2 to refuse it.",
    "wrong-key": "That key is not in use here.",
    "connecting": "Please hold while we call.",
    "visitor-announce": "This is the call you asked for. Please hold, we are connecting you.",
    "visitor-busy": "The number you were to be connected to is busy.",
    "visitor-no-answer": "There was no answer from the number you were to be connected to.",
    "visitor-failed": "The number you were to be connected to could not be reached.",
    "no-credit": "There is not enough credit for this call.",
    "not-available": "The person you are calling is not available right now.",
    "goodbye": "Thank you. Good bye.",
    "call-from": "Call from",
    "your-credit": "Your credit is",
    "demo-voice": (
        "Hello, this is the simulated telephone network, and you are listening to a recorded voice. "
        "It is here so that both ends of the call have something to say, and something to hear. "
        "One, two, three, four, five. The quick brown fox jumps over the lazy dog."
    ),
}
UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
WORDS = (
    "hundred thousand million point minus and dollar dollars cent cents euro euros pound pounds penny pence "
    "unlimited minute minutes second seconds star"
)


def texts() -> dict[str, str]:
    """Every clip name with the words to be spoken."""
    numbers = dict(enumerate(UNITS.split())) | {10 * n: word for n, word in enumerate(TENS.split(), start=2)}
    words = {str(number): word for number, word in numbers.items()}
    words |= {word: word for word in WORDS.split()} | {"hash": "pound key"}
    return SENTENCES | words


def sentence(text: str) -> str:
    """A lone word is spoken with the falling end of a sentence."""
    return text if text.endswith(".") else f"{text}."


def speak(clips: dict[str, str], folder: Path) -> None:
    """Say every clip in one run of festival, each into `folder`/name.wav at the voice's own rate."""
    lines = [f"(voice_{VOICE})"]
    lines += [
        f'(utt.save.wave (utt.synth (Utterance Text {json.dumps(sentence(text))})) "{folder / name}.wav" (quote riff))'
        for name, text in clips.items()
    ]
    script = folder / "say.scm"
    script.write_text("\n".join(lines))
    subprocess.run(["festival", "-b", str(script)], check=True)


def polish(source: Path, target: Path) -> int:
    """Make `target` 8 kHz mono 16 bit, without the silence around it, peak at -6 dB; returns its length in ms."""
    trim = ["silence", "1", "0.01", "0.4%", "reverse"] * 2
    band = ["highpass", "150", "rate", "-v", "8k"]
    level = ["norm", "-6", "pad", "0.02", "0.06"]
    subprocess.run(["sox", "-D", str(source), "-b", "16", "-c", "1", str(target), *band, *trim, *level], check=True)
    with wave.open(str(target)) as clip:
        return clip.getnframes() // 8


def main() -> int:
    """Record, polish, and write the manifest."""
    clips = texts()
    with tempfile.TemporaryDirectory() as folder:
        speak(clips, Path(folder))
        for old in TARGET.glob("*.wav"):
            old.unlink()
        entries = [
            {"name": name, "text": text, "ms": polish(Path(folder) / f"{name}.wav", TARGET / f"{name}.wav")}
            for name, text in clips.items()
        ]
    manifest = {"language": "en", "voice": VOICE, "rate_hz": 8000, "clips": entries}
    (TARGET / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    print(f"{len(entries)} clips, {sum(entry['ms'] for entry in entries) / 1000:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
