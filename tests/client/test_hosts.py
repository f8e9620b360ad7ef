"""Which host to connect to, on a hand clock."""

from __future__ import annotations

import pytest

from improto_client.hosts import BadHosts, Host, Race, read_host

A, B, C = (Host(name, 80) for name in "abc")


@pytest.mark.parametrize(
    ("text", "is_encrypted", "host"),
    [
        ("im.example.com:8080", False, Host("im.example.com", 8080)),
        (" im.example.com ", False, Host("im.example.com", 80)),
        ("im.example.com", True, Host("im.example.com", 443, True)),
        ("[::1]:8080", False, Host("::1", 8080)),
        ("[::1]", True, Host("::1", 443, True)),
        ("127.0.0.1:080", False, Host("127.0.0.1", 80)),
    ],
)
def test_hosts_are_read(text: str, is_encrypted: bool, host: Host) -> None:
    assert read_host(text, is_encrypted=is_encrypted) == host


@pytest.mark.parametrize(
    "text", ["", ":80", "a:0", "a:65536", "a:b", "a:-1", "::1", "a:٣", "a/b:80", "u@a", "a b:1"]
)
def test_what_is_no_host(text: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        read_host(text, is_encrypted=False)


def test_the_url_of_a_probe() -> None:
    assert Host("a", 8080).probe == "http://a:8080/ping"
    assert Host("::1", 443, True).probe == "https://[::1]:443/ping"


def test_bad_hosts_come_last_and_the_oldest_of_them_first() -> None:
    bad = BadHosts()
    bad.failed(A)
    bad.failed(B)
    bad.failed(A)
    assert bad.order([A, B, C, C]) == [C, B, A]
    bad.worked(B)
    bad.worked(C)
    assert bad.order([A, B]) == [B, A]


def test_probes_start_one_after_the_other_until_one_is_answered() -> None:
    race = Race([A, B, C], now=10.0)
    assert race.next_start() == 10.0
    assert race.start(now=10.0) == A
    assert race.next_start() == 10.25
    assert race.start(now=10.25) == B
    assert not race.is_over
    race.answered(B)
    assert race.is_over
    assert race.next_start() is None
    race.answered(A)
    assert race.winner == B


def test_a_failure_lets_the_next_one_start_at_once() -> None:
    race = Race([A, B], now=10.0)
    race.start(now=10.0)
    race.failed(A, "refused", now=10.1)
    assert race.next_start() == 10.1
    race.start(now=10.1)
    race.failed(B, "HTTP status 503", now=10.2)
    assert race.is_over
    assert race.winner is None
    assert race.next_start() is None
    assert race.problems == {A: "refused", B: "HTTP status 503"}
