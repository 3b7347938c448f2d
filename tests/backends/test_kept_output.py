"""Output in bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from raytui.backends.kept_output import HEAD_KEPT, TAIL_KEPT, KeptOutput

PIECES = st.lists(st.sampled_from([1, 100, 16_000, 150_000]), max_size=12)


@given(PIECES)
def test_the_begin_and_the_end_are_kept_and_the_gap_is_told(sizes: list[int]):
    whole = ""
    kept = KeptOutput()
    for number, size in enumerate(sizes):
        piece = chr(ord("a") + number) * size
        whole += piece
        kept.add(piece)
    head, gap, rest = kept.text().partition("\n… ")
    if not gap:
        assert head == whole
        return
    number, _, tail = rest.partition(" characters left out …\n")
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert len(head) >= HEAD_KEPT
    assert len(tail) == TAIL_KEPT
    assert len(whole) == len(head) + len(tail) + int(number.replace(",", ""))
