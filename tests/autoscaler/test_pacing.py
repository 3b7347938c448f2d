"""How often a loop looks and ticks follows from what that costs."""

from raytui.autoscaler.loop.pacing import Pace


def test_at_first_it_is_time_for_both() -> None:
    pace = Pace()
    assert pace.may_look(0.0)
    assert pace.must_tick(0.0, watched=False)


def test_cheap_looks_may_follow_at_once_and_dear_ones_never_wait_for_long() -> None:
    pace = Pace()
    pace.looked(10.0, 10.0001)
    assert pace.may_look(10.05)
    pace.looked(20.0, 20.001)
    assert not pace.may_look(20.3)
    assert pace.may_look(20.5)
    pace.looked(30.0, 33.0)  # whoever did not answer for three seconds
    assert not pace.may_look(33.5)
    assert pace.may_look(33.7)


def test_ticks_come_every_second_where_they_are_cheap_or_watched() -> None:
    pace = Pace()
    pace.ticked(10.0, 10.001)
    assert not pace.must_tick(10.9, watched=False)
    assert pace.must_tick(11.0, watched=False)
    pace.ticked(20.0, 20.02)
    assert pace.must_tick(21.0, watched=True)
    assert not pace.must_tick(27.9, watched=False)
    assert pace.must_tick(28.1, watched=False)
    pace.ticked(30.0, 31.0)
    assert pace.must_tick(40.0, watched=False)
