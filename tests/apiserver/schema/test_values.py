from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.apiserver.schema.quantity import canonical_quantity, parse_quantity
from weft.apiserver.schema.times import canonical_micro_time, canonical_time, parse_time, write_micro_time, write_time


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"), ("0.5", "500m"), ("1024Ki", "1Mi"), ("1500m", "1500m"), ("1.5Gi", "1536Mi"), ("1000Ki", "1000Ki"),
        ("0.5Ki", "512"), ("1000", "1k"), ("1e3", "1e3"), ("1E3", "1e3"), ("12000e-3", "12"), ("-5m", "-5m"),
        ("100000000", "100M"), ("1n", "1n"), ("0.1n", "1n"), ("500Ki", "500Ki"), ("+1", "1"), ("1.", "1"),
        (".5", "500m"), ("1E", "1E"), ("0Ki", "0"),
    ],
)  # fmt: skip
def test_canonical(text: str, canonical: str) -> None:
    assert canonical_quantity(text) == canonical


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1Gib", "1..2", "--1", "1e", "NaN", "1_0", "١"])
def test_bad_quantities(text: str) -> None:
    with pytest.raises(ValueError, match=r"quantit"):
        parse_quantity(text)


suffixes = st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "e3", "e-3", "E2"])


@given(st.decimals(-(10**6), 10**6, places=3), suffixes)
def test_canonical_keeps_the_value_and_is_stable(number: Decimal, suffix: str) -> None:
    text = f"{number}{suffix}"
    canonical = canonical_quantity(text)
    assert parse_quantity(canonical) == parse_quantity(text)
    assert canonical_quantity(canonical) == canonical


@given(st.text(max_size=12))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        canonical_quantity(text)
    except ValueError:
        pass


def test_times() -> None:
    assert canonical_time("2024-05-01T10:00:00+02:00") == "2024-05-01T08:00:00Z"
    assert canonical_time("2024-05-01T10:00:00.9Z") == "2024-05-01T10:00:00Z"
    assert canonical_micro_time("2024-05-01T12:00:00.500000+02:00") == "2024-05-01T10:00:00.500000Z"


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)))
def test_times_round_trip(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    assert parse_time(write_micro_time(moment)) == moment
    assert parse_time(write_time(moment)) == moment.replace(microsecond=0)


@given(st.text(max_size=30))
def test_any_time_parses_or_is_refused(text: str) -> None:
    try:
        parse_time(text)
    except ValueError:
        pass


def test_day_out_of_range() -> None:
    with pytest.raises(ValueError, match="day out of range"):
        parse_time("2024-02-30T00:00:00Z")
