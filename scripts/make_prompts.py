"""Record prompts with festival and sox: `python scripts/make_prompts.py en` rewrites media/prompts/en.

The words and the voice are in scripts/prompts/LANGUAGE.toml; docs/prompts.md names the Debian packages. The result is
committed, so that nobody else needs them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
import wave
from pathlib import Path

TEXTS = Path(__file__).parent / "prompts"
PACKS = Path(__file__).parent.parent / "media" / "prompts"


def sentence(text: str) -> str:
    """A lone word is spoken with the falling end of a sentence."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def speak(clips: dict[str, str], voice: str, folder: Path) -> None:
    """Say every clip in one run of festival, each into `folder`/name.wav at the voice's own rate."""
    lines = [f"(voice_{voice})"]
    lines += [
        f'(utt.save.wave (utt.synth (Utterance Text "{sentence(text)}")) "{folder / name}.wav" (quote riff))'
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


def record(language: str) -> None:
    """Record, polish, and write the manifest of one pack."""
    said = tomllib.loads((TEXTS / f"{language}.toml").read_text())
    texts = said["sentences"] | said["words"] | said.get("demo", {})
    target = PACKS / language
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        speak(texts | said.get("spoken", {}), said["voice"], Path(folder))
        for old in target.glob("*.wav"):
            old.unlink()
        entries = [
            {"name": name, "text": text, "ms": polish(Path(folder) / f"{name}.wav", target / f"{name}.wav")}
            for name, text in texts.items()
        ]
    manifest = {"language": language, "voice": said["voice"], "rate_hz": 8000, "clips": entries}
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    print(f"{language}: {len(entries)} clips, {sum(entry['ms'] for entry in entries) / 1000:.0f} s")


def main(languages: list[str]) -> int:
    """Record the packs of these languages, by default of all."""
    for language in languages or sorted(path.stem for path in TEXTS.glob("*.toml")):
        record(language)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
