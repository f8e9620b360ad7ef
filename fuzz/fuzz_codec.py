"""Fuzzes the frame codec.

Run as ``python -m fuzz.fuzz_codec -max_total_time=60 fuzz/corpus/fuzz_codec``. The golden
vectors are put into the corpus first, if there is one.

The only rejection is DecodeError, with an offset inside the message. Any other exception is a
crash, and so is a frame that changes on its way through the codec.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["improto"]):
    from improto.testing.codec_properties import check_message

VECTORS = Path(__file__).parent.parent / "tests" / "vectors" / "frames.jsonl"
WORTH_MUTATING = 1024
"""Bytes; longer vectors only have longer strings and data."""


def write_seeds(corpus: Path) -> None:
    """One file for each short golden vector."""
    for number, line in enumerate(VECTORS.read_text().splitlines()):
        message = bytes.fromhex(json.loads(line)["hex"])
        if len(message) <= WORTH_MUTATING:
            (corpus / f"vector-{number}").write_bytes(message)


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:] if Path(argument).is_dir()]
    if folders:
        write_seeds(folders[0])
    atheris.Setup(sys.argv, check_message)
    atheris.Fuzz()
