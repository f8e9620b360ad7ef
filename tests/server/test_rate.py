from __future__ import annotations

from improto_server.rate import Shares, TokenBucket


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


def asked(shares: Shares[str], who: str, count: int, *, now: float) -> list[int]:
    return [shares.take(who, now=now) for _ in range(count)]


def test_each_has_a_share_of_his_own() -> None:
    shares: Shares[str] = Shares(2, 10.0, remembered=10)
    assert asked(shares, "a", 4, now=0) == [0, 0, 1, 2]
    assert asked(shares, "b", 3, now=0) == [0, 0, 1]


def test_a_share_comes_back_bit_by_bit() -> None:
    shares: Shares[str] = Shares(2, 8.0, remembered=10)
    asked(shares, "a", 3, now=0)
    assert asked(shares, "a", 1, now=3) == [2]
    # Asking in vain has cost nothing, but it is still the same lack.
    assert asked(shares, "a", 2, now=4) == [0, 3]
    assert asked(shares, "a", 3, now=12) == [0, 0, 1]


def test_who_has_his_whole_share_is_forgotten() -> None:
    shares: Shares[str] = Shares(2, 8.0, remembered=10)
    asked(shares, "a", 1, now=0)
    asked(shares, "b", 1, now=1)
    asked(shares, "a", 1, now=7)
    asked(shares, "c", 1, now=9)
    assert len(shares) == 2
    asked(shares, "c", 1, now=100)
    assert len(shares) == 1


def test_of_too_many_the_one_who_was_not_seen_for_longest_starts_anew() -> None:
    shares: Shares[str] = Shares(1, 60.0, remembered=2)
    for who in "aab":
        shares.take(who, now=0)
    assert asked(shares, "a", 1, now=1) == [2]
    asked(shares, "c", 1, now=2)
    assert len(shares) == 2
    assert asked(shares, "a", 1, now=3) == [3]
    assert asked(shares, "b", 1, now=3) == [0]
