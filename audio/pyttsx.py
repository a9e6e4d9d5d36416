"""espeak-ng through pyttsx3: the voice that is always there, and plainly a machine's.

It runs in a process of its own. espeak-ng can be set up only once in a process, pyttsx3 returns
before it has finished, prints to standard output, and crashes when a second voice is made.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from audio.sound import SoundError, for_telephone, read_wav
from audio.synthesiser import Speech, SynthesiserError

WORDS_A_MINUTE = 160
"""espeak-ng's rate at speed 1.0."""
MAX_SECONDS = 30.0
MANDARIN = "cmn"


class PyttsxSynthesiser:
    name = "pyttsx3"

    def __init__(self, voice: str = MANDARIN) -> None:
        """`voice` is one of espeak-ng's (cmn, yue, ko)."""
        self.voice = voice
        self.version = version()

    def synthesise(self, text: str, *, speed: float) -> Speech:
        if not text.strip():
            raise SynthesiserError("there is nothing to say")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "speech.wav"
            rate = round(WORDS_A_MINUTE * speed)
            command = [sys.executable, "-m", "audio.pyttsx", self.voice, str(rate), str(file)]
            try:
                done = subprocess.run(
                    command,
                    input=text,
                    capture_output=True,
                    text=True,
                    timeout=MAX_SECONDS + 10,
                    cwd=Path(__file__).parent.parent,
                    check=False,
                )
                if done.returncode:
                    reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                    raise SynthesiserError(
                        f"espeak-ng cannot speak ({reason}): try `apt-get install espeak-ng`"
                    )
                return for_telephone(read_wav(file))
            except (SoundError, subprocess.TimeoutExpired) as error:
                raise SynthesiserError(f"espeak-ng made no sound of {text!r}: {error}") from error


def version() -> str:
    return f"pyttsx3-{importlib.metadata.version('pyttsx3')}"


def _speak(text: str, voice: str, rate: int, file: str) -> None:
    """Runs in the process of its own; writes a WAV file."""
    import pyttsx3
    from pyttsx3.drivers import _espeak
    from pyttsx3.drivers.espeak import EspeakDriver

    engine = pyttsx3.init("espeak")
    # espeak-ng takes these in on a thread of its own, and runAndWait cancels what it has not yet
    # taken in: set through the engine, the rate is lost now and then on a busy machine.
    for name, value in (("voice", voice), ("rate", rate)):
        EspeakDriver.setProperty(name, value)
    _espeak.Synchronize()
    finished = threading.Event()
    engine.connect("finished-utterance", lambda **_: finished.set())
    engine.save_to_file(text, file)
    engine.runAndWait()
    if not finished.wait(MAX_SECONDS):
        raise TimeoutError(f"not finished after {MAX_SECONDS:.0f} s")


if __name__ == "__main__":
    _speak(sys.stdin.read(), sys.argv[1], int(sys.argv[2]), sys.argv[3])
