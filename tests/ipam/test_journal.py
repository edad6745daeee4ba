"""What was put is there after a kill at any byte; the file does not grow without end."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.ipam.journal import Journal


class Record(msgspec.Struct, frozen=True):
    text: str


_keys = st.sampled_from("abc")
_steps = st.lists(st.tuples(_keys, st.one_of(st.none(), st.text(max_size=5))), max_size=12)


@given(_steps, st.data())
def test_a_cut_at_any_byte_loses_only_what_came_after(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str | None]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("journal") / "records"
    journal = Journal(path, Record)
    states: list[tuple[int, dict[str, Record]]] = [(0, {})]
    for key, text in steps:
        state = dict(states[-1][1])
        if text is None:
            journal.delete(key)
            state.pop(key, None)
        else:
            journal.put(key, Record(text))
            state[key] = Record(text)
        states.append((path.stat().st_size, state))
    journal.close()
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    # A line that lacks nothing but its end is whole.
    expected = [state for size, state in states if size <= cut or size - 1 <= cut][-1]
    again = Journal(path, Record)
    assert {key: again.get(key) for key in again} == expected
    again.put("z", Record("after"))
    again.close()
    last = Journal(path, Record)
    assert last.get("z") == Record("after")
    last.close()


def test_the_file_is_rewritten_when_most_of_it_is_dead(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "records", Record)
    journal.put("kept", Record("x"))
    for number in range(5000):
        journal.put(str(number), Record("gone"))
        journal.delete(str(number))
    assert (tmp_path / "records").stat().st_size < 100_000
    journal.close()
    again = Journal(tmp_path / "records", Record)
    assert again.values() == (Record("x"),)
    again.close()


def test_lines_of_another_shape_are_dropped_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "records").write_bytes(b'{"key":"a","value":{"text":"x"}}\n{"key":"b","value":{"text":1}}\n\xff\n[]\n')
    journal = Journal(tmp_path / "records", Record)
    assert journal.values() == (Record("x"),)
    assert "line 2" in caplog.text
    assert "line 4" in caplog.text
    journal.close()
