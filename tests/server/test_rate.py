from __future__ import annotations

from improto_server.rate import TokenBucket


def taken(bucket: TokenBucket, count: int, *, now: float) -> int:
    return sum(bucket.take(now=now) for _ in range(count))


def test_as_many_at_once_as_in_a_second() -> None:
    bucket = TokenBucket(5, now=0)
    assert taken(bucket, 10, now=0) == 5


def test_it_fills_again() -> None:
    bucket = TokenBucket(5, now=0)
    taken(bucket, 5, now=0)
    assert taken(bucket, 10, now=0.4) == 2
    assert taken(bucket, 10, now=100) == 5


def test_asking_in_vain_costs_nothing() -> None:
    bucket = TokenBucket(1, now=0)
    assert taken(bucket, 1, now=0) == 1
    assert [taken(bucket, 1, now=tenth / 8) for tenth in range(1, 9)] == [0] * 7 + [1]


def test_less_than_one_per_second_still_lets_one_through() -> None:
    bucket = TokenBucket(0.5, now=0)
    assert taken(bucket, 5, now=0) == 1
    assert taken(bucket, 5, now=2) == 1


def test_zero_is_no_limit() -> None:
    assert taken(TokenBucket(0, now=0), 10_000, now=0) == 10_000
