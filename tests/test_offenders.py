"""Who keeps ending a shared process is moved to one of its own."""

from __future__ import annotations

from pipeline.offenders import WINDOW_S, Offenders

GROUP = ("a", "b", "c", "d", "e", "f", "g", "h")


def test_one_offence_moves_nobody() -> None:
    assert Offenders().part(GROUP, ("c",), 0.0) == (GROUP,)


def test_the_second_offence_within_the_window_moves_the_offender_alone() -> None:
    offenders = Offenders()
    offenders.part(GROUP, ("c",), 0.0)
    stay, moved = offenders.part(GROUP, ("c",), WINDOW_S)
    assert moved == ("c",)
    assert stay == ("a", "b", "d", "e", "f", "g", "h")


def test_two_offences_far_apart_move_nobody() -> None:
    offenders = Offenders()
    offenders.part(GROUP, ("c",), 0.0)
    assert offenders.part(GROUP, ("c",), WINDOW_S + 1) == (GROUP,)


def test_offences_of_different_members_move_nobody() -> None:
    offenders = Offenders()
    for now, member in enumerate(GROUP):
        assert offenders.part(GROUP, (member,), float(now)) == (GROUP,)


def test_an_end_that_was_nobodys_doing_moves_nobody() -> None:
    offenders = Offenders()
    for now in range(9):
        assert offenders.part(GROUP, (), float(now)) == (GROUP,)


def test_members_that_are_not_suspected_are_not_moved_for_what_they_did_before() -> None:
    offenders = Offenders()
    for now in range(2):
        offenders.part(("a", "b"), ("a", "b"), float(now))
    assert offenders.part(GROUP, ("h",), 2.0) == (GROUP,)


def test_who_is_alone_stays_where_it_is() -> None:
    offenders = Offenders()
    for now in range(9):
        assert offenders.part(("a",), ("a",), float(now)) == (("a",),)


def test_an_unknown_offender_is_found_by_halving_and_the_others_keep_together() -> None:
    for culprit in GROUP:
        offenders = Offenders()
        groups: list[tuple[str, ...]] = [GROUP]
        offences = 0
        while (culprit,) not in groups:
            group = next(group for group in groups if culprit in group)
            groups.remove(group)
            groups += offenders.part(group, group, float(offences))
            offences += 1
        assert offences == 4
        assert sorted(member for group in groups for member in group) == list(GROUP)
        assert len(groups) == 4


def test_only_the_suspects_among_a_group_are_parted() -> None:
    offenders = Offenders()
    offenders.part(GROUP, ("b", "c", "d"), 0.0)
    stay, moved = offenders.part(GROUP, ("b", "c", "d"), 1.0)
    assert moved == ("b", "c")
    assert "d" in stay
