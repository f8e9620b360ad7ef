"""The few HTTP requests that come before a connection."""

from __future__ import annotations

from ssl import create_default_context

import pytest

from improto_client._http import FetchFailed, Http, words


@pytest.mark.anyio
@pytest.mark.usefixtures("nothing_hangs")
async def test_a_name_that_no_host_can_have() -> None:
    """A navigator may well name one."""
    with pytest.raises(FetchFailed):
        await Http(create_default_context())("http://a..b/ping", timeout=5.0)


def test_an_error_says_what_its_cause_was() -> None:
    outer, middle = OSError(), RuntimeError()
    outer.__cause__ = middle
    middle.__context__ = ValueError("the certificate is too old")
    assert words(outer) == "the certificate is too old"


@pytest.mark.parametrize(("error", "said"), [(OSError("gone"), "gone"), (OSError(), "OSError")])
def test_an_error_without_a_cause(error: Exception, said: str) -> None:
    assert words(error) == said
