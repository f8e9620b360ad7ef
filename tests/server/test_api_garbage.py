"""Whatever is sent to an endpoint of the REST API, it is done or refused, and nothing breaks."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.api_tools import ApiRig

if TYPE_CHECKING:
    from improto_server.api.endpoints import Endpoint

NICE = ("alice", "g", "room", "1", "0", "3", "true", "RC:TxtMsg", '{"content":"x"}', '{"k":"v"}')
NASTY = (
    "",
    "undefined",
    "null",
    "~g",
    "a b",
    "\x00",
    "-1",
    "9" * 30,
    "[]",
    "{",
    "\U0001f600",
    "%",
)

texts = st.sampled_from(NICE) | st.sampled_from(NASTY) | st.text(max_size=70)


@st.composite
def bodies(draw: st.DrawFn, endpoint: Endpoint) -> bytes:
    """Bodies with the right names, mostly."""
    fields: dict[str, list[str]] = {
        parameter.name.replace("ID", draw(texts)): draw(st.lists(texts, min_size=1, max_size=2))
        for parameter in endpoint.parameters
        if parameter.is_required or draw(st.booleans())
    }
    if endpoint.is_json:
        sent: dict[str, Any] = {
            name: draw(st.sampled_from([values, values[0], [{"k": values[0]}], 7, None]))
            for name, values in fields.items()
        }
        return json.dumps(sent).encode()
    return "&".join(
        f"{quote(name)}={quote(value)}" for name, values in fields.items() for value in values
    ).encode()


# Each example calls every endpoint.
@settings(max_examples=30)
@given(st.data())
def test_nothing_breaks(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        rig = ApiRig(Path(directory))
        try:
            for endpoint in rig.endpoints.values():
                body = data.draw(bodies(endpoint) | st.binary(max_size=50), label=endpoint.path)
                reply = rig.post_body(endpoint.path, body)
                assert reply["code"] in {200, 1002, 1005, 1501, 1502}, (endpoint.path, reply)
        finally:
            rig.settle()
            rig.store.store.close()
