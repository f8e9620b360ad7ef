"""Groups that clients manage: joining, inviting and the answers (sdk5 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from improto import payloads
from improto.codes import ErrorCode
from improto.operations import Topic
from improto_server.services import charter, managed_applications
from improto_server.store import group_applications as table
from tests.server.group_tools import OK, Someone, party, response
from tests.server.rig import APP, Rig
from tests.server.store_tools import query_plans
from tests.server.test_managed_groups import G

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

MANAGER_UNHANDLED, MANAGER_REFUSED, INVITEE_UNHANDLED, INVITEE_REFUSED, JOINED, EXPIRED = range(6)
SENT, INVITED, INVITATION, RECEIVED = range(4)
MANAGER_MUST, INVITEE_MUST = 25424, 25427
NOT_THERE = ErrorCode.RC_GROUP_APPLICATION_NOT_EXIST
HANDLED = ErrorCode.RC_GROUP_APPLICATION_ALREADY_HANDLE
DAY = 86400.0


def group(path: Path, **settings: object) -> tuple[Rig, list[Someone]]:
    """ann owns it, bob is a manager, carl a member; dan and eve are outside."""
    rig = Rig(path)
    people = party(rig, "ann", "bob", "carl", "dan", "eve")
    ann = people[0]
    assert ann.create(users=["bob", "carl"]) == OK
    assert ann.change(Topic.UP_CHANNEL_MANAGER, "bob", operate=1) == OK
    assert ann.update(**settings) == OK
    for one in people:
        one.events()
    return rig, people


def news(someone: Someone) -> list[list[tuple[str, str, int, int]]]:
    """What somebody is told of applications."""
    return [event.applications for event in someone.events() if event.kind == 13]


# -- joining ---------------------------------------------------------------------------


def test_where_everybody_may_he_is_in_at_once(tmp_path: Path) -> None:
    _, (ann, _, _, dan, _) = group(tmp_path, joinPerm=1)
    assert dan.join() == OK
    (event,) = ann.events()
    assert (event.kind, event.sub, event.operator) == (11, 1, "dan")
    assert event.data.userInfos[0].userId == "dan"
    assert (event.data.userInfos[0].ext.role, event.data.userInfos[0].ext.joinTime > 0) == (1, True)
    assert dan.members()[-1] == ("dan", 1)
    assert dan.join() == ErrorCode.RC_GROUP_MEMBERS_ALREADY_IN_GROUP
    assert (dan.waiting(), ann.waiting()) == ([], [])


def test_where_nobody_may_he_is_refused(tmp_path: Path) -> None:
    _, (_, _, _, dan, _) = group(tmp_path, joinPerm=3)
    assert dan.join() == ErrorCode.RC_GROUP_NOT_ALLOW_JOIN
    assert dan.join("none") == ErrorCode.RC_GROUP_ID_NOT_EXIST


@pytest.mark.parametrize("by_managers", [True, False])
def test_whoever_lets_people_in_is_asked(tmp_path: Path, by_managers: bool) -> None:
    _, (ann, bob, carl, dan, _) = group(tmp_path, joinPerm=2 if by_managers else 0)
    assert dan.join() == MANAGER_MUST
    assert news(ann) == [[("dan", "", MANAGER_UNHANDLED, RECEIVED)]]
    assert len(news(bob)) == len(bob.waiting()) == by_managers
    assert news(dan) == [[("dan", "", MANAGER_UNHANDLED, SENT)]]
    assert (news(carl), carl.waiting()) == ([], [])
    assert carl.answer(yes=True, joiner="dan") == ErrorCode.RC_GROUP_AUTHORITY_ERROR
    one = bob if by_managers else ann
    if not by_managers:
        assert bob.answer(yes=True, joiner="dan") == ErrorCode.RC_GROUP_AUTHORITY_ERROR
    assert one.answer(yes=True, joiner="dan") == OK
    assert dan.members()[-1] == ("dan", 1)
    joined, told = carl.events()[-1], dan.events()[-1]
    assert (joined.kind, joined.sub, joined.operator) == (11, 1, one.name)
    assert told.applications == [("dan", "", JOINED, SENT)]
    assert ann.answer(yes=True, joiner="dan") == HANDLED
    (found,), page = ann.lists(Topic.Q_CHANNEL_APPLY_LIST, "ann")
    assert (found.processInfo.userId, found.processTime > 0, found.joinType) == (one.name, True, 0)
    assert (page.hasNext, found.applyTime > 0, found.targetId) == (False, True, "g")


def test_a_refusal_has_a_reason_and_he_may_ask_again(tmp_path: Path) -> None:
    _, (ann, _, _, dan, _) = group(tmp_path)
    dan.join()
    assert ann.answer(yes=False, joiner="dan", why="x" * 129) == 25406
    assert ann.answer(yes=False, joiner="dan", why="full") == OK
    (found,), _ = dan.lists(Topic.Q_CHANNEL_APPLY_LIST, "dan")
    assert (found.status, found.detail, found.processInfo.userId) == (1, "full", "ann")
    assert ann.answer(yes=True, joiner="dan") == HANDLED
    assert dan.join() == MANAGER_MUST
    assert dan.join() == MANAGER_MUST
    assert ann.waiting() == [("dan", "", MANAGER_UNHANDLED, RECEIVED)]
    assert ann.answer(yes=True, joiner="dan") == OK


def test_after_a_week_it_is_too_late(tmp_path: Path) -> None:
    rig, (ann, _, _, dan, eve) = group(tmp_path, invitePerm=1)
    dan.join()
    assert ann.invite("eve") == INVITEE_MUST
    rig.advance(7 * DAY)
    assert ann.answer(yes=True, joiner="dan") == NOT_THERE
    assert eve.answer(yes=True, inviter="ann") == NOT_THERE
    assert dan.waiting() == [("dan", "", EXPIRED, SENT)]
    assert eve.waiting() == [("eve", "ann", EXPIRED, INVITATION)]
    assert dan.join() == MANAGER_MUST
    rig.advance(24 * DAY)
    assert dan.join() == MANAGER_MUST
    assert (eve.waiting(), len(dan.waiting())) == ([], 1)


def test_there_is_no_room_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, (ann, _, _, dan, eve) = group(tmp_path)
    dan.join()
    monkeypatch.setattr(charter, "MOST_MEMBERS", 3)
    full = ErrorCode.RC_GROUP_MEMBERS_COUNT_EXCEED_LIMIT
    assert eve.join() == full
    assert ann.invite("eve") == full
    assert ann.answer(yes=True, joiner="dan") == full
    monkeypatch.setattr(charter, "MOST_MEMBERS", 9)
    monkeypatch.setattr(managed_applications, "WAITING", 1)
    assert (dan.join(), eve.join()) == (MANAGER_MUST, full)
    ann.update(invitePerm=1, memInvitePerm=2)
    assert ann.invite("eve") == full


# -- inviting --------------------------------------------------------------------------


def test_the_owner_invites_and_they_are_in(tmp_path: Path) -> None:
    _, (ann, bob, carl, dan, eve) = group(tmp_path)
    assert ann.invite("dan", "bob", "eve", "dan") == OK
    (event,) = carl.events()
    assert (event.kind, event.sub, event.operator) == (11, 1, "ann")
    assert event.members == ["dan", "eve"]
    assert [len(one.events()) for one in (dan, eve)] == [1, 1]
    assert ann.invite("dan", "bob") == ErrorCode.RC_GROUP_MEMBERS_ALREADY_IN_GROUP
    assert bob.invite("flo") == ErrorCode.RC_GROUP_NO_INVITE_PERMISSION
    assert ann.invite() == ErrorCode.RC_ENTRUST_SERVER_PARAMETER_ERROR
    assert ann.invite(*(f"u{n}" for n in range(31))) == 25403
    (flo,) = party(dan.client.rig, "flo")
    assert flo.invite("gus") == ErrorCode.RC_GROUP_USER_NOT_IN_GROUP


def test_those_invited_may_have_to_agree(tmp_path: Path) -> None:
    _, (ann, bob, _, dan, eve) = group(tmp_path, invitePerm=1)
    assert ann.invite("dan", "eve") == INVITEE_MUST
    assert news(ann) == [
        [
            ("dan", "ann", INVITEE_UNHANDLED, INVITED),
            ("eve", "ann", INVITEE_UNHANDLED, INVITED),
        ]
    ]
    assert news(dan) == [[("dan", "ann", INVITEE_UNHANDLED, INVITATION)]]
    assert news(bob) == []
    assert dan.answer(yes=True, inviter="bob") == NOT_THERE
    assert dan.answer(yes=True, inviter="ann") == OK
    assert eve.answer(yes=False, inviter="ann", why="no time") == OK
    assert news(ann) == [
        [("dan", "ann", JOINED, INVITED)],
        [("eve", "ann", INVITEE_REFUSED, INVITED)],
    ]
    assert eve.answer(yes=True, inviter="ann") == HANDLED
    joined = next(event for event in bob.events() if event.kind == 11)
    assert (joined.operator, joined.members) == ("ann", ["dan"])
    assert [user for user, _ in ann.members()] == ["ann", "bob", "carl", "dan"]
    assert sorted(ann.waiting()) == [
        ("dan", "ann", JOINED, INVITED),
        ("eve", "ann", INVITEE_REFUSED, INVITED),
    ]


@pytest.mark.parametrize("invitee_must", [True, False])
def test_who_lets_nobody_in_needs_consent_for_his_guests(
    tmp_path: Path, invitee_must: bool
) -> None:
    _, (ann, bob, carl, dan, eve) = group(tmp_path, memInvitePerm=2, invitePerm=int(invitee_must))
    assert carl.invite("dan", "eve") == MANAGER_MUST
    assert (news(dan), dan.waiting()) == ([], [])
    assert dan.answer(yes=True, inviter="carl") == NOT_THERE
    assert news(ann) == [
        [
            ("dan", "carl", MANAGER_UNHANDLED, RECEIVED),
            ("eve", "carl", MANAGER_UNHANDLED, RECEIVED),
        ]
    ]
    assert ann.answer(yes=True, joiner="dan") == NOT_THERE
    assert ann.answer(yes=False, joiner="eve", inviter="carl") == OK
    assert (eve.waiting(), eve.answer(yes=True, inviter="carl")) == ([], NOT_THERE)
    if invitee_must:
        assert ann.answer(yes=True, joiner="dan", inviter="carl") == INVITEE_MUST
        assert ann.answer(yes=True, joiner="dan", inviter="carl") == HANDLED
        assert news(dan) == [[("dan", "carl", INVITEE_UNHANDLED, INVITATION)]]
        assert dan.answer(yes=True, inviter="carl") == OK
    else:
        assert ann.answer(yes=True, joiner="dan", inviter="carl") == OK
    joined = next(event for event in bob.events() if event.kind == 11)
    assert (joined.operator, joined.members) == ("carl", ["dan"])
    assert news(carl)[-1] == [("dan", "carl", JOINED, INVITED)]


def test_a_manager_invites_freely_where_managers_let_people_in(tmp_path: Path) -> None:
    _, (_, bob, carl, dan, _) = group(tmp_path, joinPerm=2, memInvitePerm=2)
    assert bob.invite("dan") == OK
    assert carl.invite("eve") == MANAGER_MUST
    assert dan.members()[-1] == ("dan", 1)


def test_where_everybody_may_come_everybody_may_bring_somebody(tmp_path: Path) -> None:
    _, (_, _, carl, dan, _) = group(tmp_path, joinPerm=1, memInvitePerm=2)
    assert carl.invite("dan") == OK
    assert dan.members()[-1] == ("dan", 1)


def test_who_is_in_has_nothing_open(tmp_path: Path) -> None:
    rig, (ann, bob, carl, dan, _) = group(tmp_path, memInvitePerm=2, invitePerm=1)
    carl.invite("dan")
    dan.join()
    assert ann.invite("dan") == INVITEE_MUST
    dan.events()
    assert dan.answer(yes=True, inviter="ann") == OK
    assert sorted(dan.waiting()) == [
        ("dan", "", JOINED, SENT),
        ("dan", "ann", JOINED, INVITATION),
        ("dan", "carl", JOINED, INVITATION),
    ]
    assert news(carl)[-1] == [("dan", "carl", JOINED, INVITED)]
    assert ann.answer(yes=True, joiner="dan") == HANDLED
    # The application lets somebody in who waits; then there is nothing to be done.
    (eve,) = party(rig, "eve")
    eve.join()
    rig.do(rig.system.groups.join(APP, "g", ["eve"]))
    bob.events()
    assert ann.answer(yes=True, joiner="eve") == OK
    assert [event.kind for event in bob.events()] == []
    assert eve.waiting() == [("eve", "", JOINED, SENT)]


def test_of_two_who_let_somebody_in_one_is_too_late(tmp_path: Path) -> None:
    rig, (ann, bob, carl, dan, _) = group(tmp_path, joinPerm=2)
    dan.join()
    request = response(yes=True, joiner="dan")
    asked = [
        (one, one.client.query(Topic.CHANNEL_APPLY_RESP, request, target="g")) for one in (ann, bob)
    ]
    rig.settle()
    answers = [one.client.answers(message_id)[0].status for one, message_id in asked]
    assert sorted(answers) == [OK, HANDLED]
    assert [event.kind for event in carl.events()] == [11]


def test_an_invitation_is_good_when_its_sender_has_gone(tmp_path: Path) -> None:
    _, (ann, _, carl, dan, _) = group(tmp_path, joinPerm=1, memInvitePerm=2, invitePerm=1)
    assert carl.invite("dan") == INVITEE_MUST
    assert carl.change(Topic.CHANNEL_MEM_QUIT) == OK
    assert dan.answer(yes=True, inviter="carl") == OK
    operator = next(event for event in ann.events() if event.sub == 1).data.optUserInfo
    assert (operator.userId, operator.HasField("ext")) == ("carl", False)


def test_an_answer_says_what_it_is_about(tmp_path: Path) -> None:
    _, (ann, *_) = group(tmp_path)
    for fields in ({"optType": 2}, {"optType": 1, "optResult": 2}, {"optResult": -1}):
        request = payloads.ChannelsMemberResponseInput(targetId="g", **fields)
        assert ann.status(Topic.CHANNEL_APPLY_RESP, request, "g") == 25403
    assert ann.answer(yes=True, joiner="nobody") == NOT_THERE


# -- lists -----------------------------------------------------------------------------


def test_applications_are_listed_page_by_page(tmp_path: Path) -> None:
    rig, (ann, bob, _, dan, _) = group(tmp_path, joinPerm=2)
    expected = []
    for n, one in enumerate(party(rig, *(f"u{n}" for n in range(5)))):
        rig.advance(1)
        one.join()
        expected.append(f"u{n}")
    dan.create("h")
    dan.update("h", invitePerm=1)
    rig.advance(1)
    dan.invite("ann", group="h")
    expected.append("ann")
    rig.system.charters._known.forget(G)
    for order, in_order in ((0, expected), (1, expected[::-1])):
        seen, page_token = [], ""
        while True:
            found, page = ann.lists(
                Topic.Q_CHANNEL_APPLY_LIST, "ann", size=4, order=order, pageToken=page_token
            )
            seen += [one.joinUserInfo.userId for one in found]
            page_token = page.pageToken
            if not page.hasNext:
                break
        assert seen == in_order
    assert [one[0] for one in bob.waiting()] == expected[:-1]
    assert bob.answer(yes=True, joiner="u0") == OK
    query = payloads.ChannelsQueryInput(page=payloads.ChannelsPageParam(size=201))
    assert ann.status(Topic.Q_CHANNEL_APPLY_LIST, query, "ann") == 25403
    assert ann.change(Topic.CHANNEL_DISMISS) == OK
    assert [one[0] for one in ann.waiting()] == ["ann"]


def test_no_table_is_scanned(tmp_path: Path) -> None:
    rig, (_, _, _, dan, _) = group(tmp_path)
    dan.join()

    def ask(connection: Connection) -> list[str]:
        with query_plans(connection) as found:
            for descending in (True, False):
                table.of_user(
                    connection, app=APP, user="ann", after=(1, 1), is_descending=descending, most=5
                )
            table.waiting(connection, place=G)
            table.find(connection, place=G, joiner="dan", inviter="")
            table.put(connection, place=G, applications=(), before=1)
            table.forget(connection, place=G)
        return found

    async def plans() -> list[str]:
        return await rig.system.data.write(ask)

    found = rig.do(plans())
    assert len(found) > 10
    assert [plan for plan in found if plan.startswith("SCAN")] == []
