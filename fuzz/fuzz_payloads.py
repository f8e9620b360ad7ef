"""Fuzzes the protobuf bodies, and the contents inside those of chat messages.

Run as ``python -m fuzz.fuzz_payloads -max_total_time=60 fuzz/corpus/fuzz_payloads``. The golden
vectors are put into the corpus first, if there is one.

The only rejection is DecodeError, with an offset inside the data. Any other exception is a
crash, and so is a payload that changes on its way through bytes or JSON values.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["improto"]):
    from improto.payloads import MESSAGES
    from improto.testing.payload_properties import check_payload

VECTORS = Path(__file__).parent.parent / "tests" / "vectors" / "payloads.jsonl"
WORTH_MUTATING = 1024
"""Bytes; longer vectors only have longer strings and lists."""

KINDS = sorted(MESSAGES)
"""The first two bytes of an input are a position in here, the rest is the payload."""


def write_seeds(corpus: Path) -> None:
    """One file for each short golden vector."""
    for number, line in enumerate(VECTORS.read_text().splitlines()):
        vector = json.loads(line)
        data = bytes.fromhex(vector["hex"])
        if len(data) <= WORTH_MUTATING:
            kind = KINDS.index(vector["message"]).to_bytes(2)
            (corpus / f"vector-{number}").write_bytes(kind + data)


def one_input(raw: bytes) -> None:
    if len(raw) >= 2:
        kind = KINDS[int.from_bytes(raw[:2]) % len(KINDS)]
        check_payload(MESSAGES[kind], raw[2:])


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:] if Path(argument).is_dir()]
    if folders:
        write_seeds(folders[0])
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
