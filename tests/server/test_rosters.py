"""Who is in which group: what memory says, what the store says, and that both say the same."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from improto.codes import ConversationType, ErrorCode
from improto_server.clock import MessageClock
from improto_server.errors import ServiceError
from improto_server.services import rosters as module
from improto_server.services.data import Data, Facts
from improto_server.services.rosters import ID_BYTES, RosterFull, Rosters, is_place_id
from improto_server.steps import Pending, begin, start
from improto_server.store import Place, StoreError
from improto_server.store import rosters as table
from tests.server.rig import APP, START, HeldStore
from tests.server.store_tools import query_plans

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from sqlalchemy import Connection

GROUP, DISCUSSION = ConversationType.GROUP, ConversationType.DISCUSSION
TEAM = Place(APP, GROUP, "team")
TALK = Place(APP, DISCUSSION, "~talk")


class Parts:
    """Rosters on a real store that answers when the test says so."""

    def __init__(self, path: Path, *, wall: int = START) -> None:
        self.wall = wall
        self.store = HeldStore(path)
        self.clock = MessageClock(lambda: self.wall, floor=self.store.latest_time)
        self.data = Data(self.store, self.clock)  # type: ignore[arg-type]
        self.rosters = Rosters(self.data, self.clock)

    def settle_one(self) -> bool:
        tell = self.store.next_batch()
        if tell is not None:
            tell()
        return tell is not None

    def settle(self) -> None:
        while self.settle_one():
            pass

    def do(self, steps: Coroutine[Any, Any, Any]) -> Any:
        pending = begin(steps)
        self.settle()
        assert pending.is_settled
        return pending.result()

    def stored(self, place: Place = TEAM) -> dict[str, Any]:
        """What a server that starts now would know."""
        return facts(self.do(Rosters(self.data, self.clock).load(place)))

    def agree(self, place: Place = TEAM) -> dict[str, Any]:
        """What is known, after making sure that the store knows the same."""
        known = facts(self.do(self.rosters.load(place)))
        assert known == self.stored(place)
        assert list(known["members"]) == list(self.stored(place)["members"])
        return known


def facts(roster: module.Roster) -> dict[str, Any]:
    names = ("exists", "name", "owner", "openness", "is_muted", "members", "silenced", "exempt")
    return {name: getattr(roster, name) for name in names}


def refused(steps: Coroutine[Any, Any, Any], parts: Parts) -> ErrorCode:
    with pytest.raises(ServiceError) as error:
        parts.do(steps)
    return error.value.code


# -- steps ---------------------------------------------------------------------------


def test_steps_that_wait_for_nothing_are_done_at_once() -> None:
    async def steps() -> int:
        return 7

    results: list[object] = []
    start(steps(), results.append)
    assert results == [7]


def test_steps_go_on_inside_the_answer() -> None:
    first: Pending[int] = Pending()
    second: Pending[int] = Pending()

    async def steps() -> int:
        return await first + await second

    results: list[object] = []
    start(steps(), results.append)
    second.settle(30)
    assert results == []
    first.settle(12)
    assert results == [42]


def test_an_error_ends_the_steps_and_is_told() -> None:
    answer: Pending[int] = Pending()

    async def steps() -> None:
        await answer

    results: list[Any] = []
    start(steps(), results.append)
    answer.fail(ValueError("no"))
    assert [str(result) for result in results] == ["no"]
    assert str(answer.error) == "no"
    start(steps(), results.append)
    assert len(results) == 2


def test_steps_may_await_nothing_else() -> None:
    class Other:
        def __await__(self) -> Any:
            yield "something"

    async def steps() -> None:
        await Other()

    with pytest.raises(TypeError, match="'something'"):
        start(steps(), print)


def test_who_comes_after_the_answer_is_called_at_once() -> None:
    answer: Pending[int] = Pending()
    calls: list[str] = []
    answer.call(partial(calls.append, "waited"))
    assert calls == []
    answer.settle(1)
    answer.call(partial(calls.append, "came late"))
    assert calls == ["waited", "came late"]


def test_what_was_begun_can_be_awaited() -> None:
    answer: Pending[int] = Pending()

    async def steps() -> int:
        return await answer

    begun = begin(steps())
    assert not begun.is_settled
    answer.settle(5)
    assert begun.result() == 5
    failed: Pending[int] = Pending()
    failed.fail(ValueError("no"))

    async def failing() -> int:
        return await failed

    with pytest.raises(ValueError, match="no"):
        begin(failing()).result()


# -- the store, to be awaited ----------------------------------------------------------


def test_reading_and_writing_are_awaited(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="Team", owner="ann"))

    async def steps() -> tuple[int, int]:
        count = text("SELECT count(*) FROM groups")
        written = await parts.data.write(lambda connection: connection.scalar(count))
        read = await parts.data.read(lambda connection: connection.scalar(count))
        return written, read

    assert parts.do(steps()) == (1, 1)


def test_a_refusal_inside_a_change_comes_out_of_the_await(tmp_path: Path) -> None:
    parts = Parts(tmp_path)

    def change(connection: Connection) -> None:
        table.create(
            connection, place=TEAM, name="", owner="", openness=0, members=["ann"], time=START
        )
        raise ServiceError(ErrorCode.NOT_IN_GROUP)

    async def steps() -> None:
        await parts.data.write(change)

    assert refused(steps(), parts) == ErrorCode.NOT_IN_GROUP
    assert not parts.stored()["exists"]


def test_a_store_that_fails_is_an_internal_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = Parts(tmp_path)
    parts.store.broken = StoreError("the disk is gone")

    async def steps() -> None:
        await parts.data.read(lambda connection: None)

    assert refused(steps(), parts) == ErrorCode.INTERNALERRROR
    assert "the disk is gone" in caplog.text


# -- facts that are kept ---------------------------------------------------------------


class Counted:
    """Facts that tell how often they were read; what they read is what the test has set."""

    def __init__(self, parts: Parts, capacity: int = 10) -> None:
        self.parts = parts
        self.reads: list[str] = []
        self.value = 1
        self.facts: Facts[str, list[int]] = Facts(parts.data, self.read, capacity=capacity)

    def read(self, connection: Connection, key: str) -> list[int]:
        self.reads.append(key)
        return [self.value]

    def load(self, key: str) -> list[int]:
        found: list[int] = self.parts.do(self.facts.load(key))
        return found


def test_a_fact_is_read_once(tmp_path: Path) -> None:
    counted = Counted(Parts(tmp_path))
    assert counted.facts.get("a") is None
    one, two = begin(counted.facts.load("a")), begin(counted.facts.load("a"))
    counted.parts.settle()
    assert one.result() is two.result() is counted.facts.get("a")
    assert counted.load("a") is one.result()
    assert counted.reads == ["a"]
    assert len(counted.facts) == 1


def test_the_facts_used_last_are_kept(tmp_path: Path) -> None:
    counted = Counted(Parts(tmp_path), capacity=2)
    counted.load("a")
    counted.load("b")
    counted.facts.get("a")
    counted.load("c")
    assert counted.facts.get("b") is None
    assert counted.facts.get("a") == counted.facts.get("c") == [1]


def test_what_was_put_while_it_was_read_counts(tmp_path: Path) -> None:
    counted = Counted(Parts(tmp_path))
    loading = begin(counted.facts.load("a"))
    counted.facts.put("a", [2])
    counted.parts.settle()
    assert loading.result() == counted.facts.get("a") == [2]


def test_what_was_forgotten_while_it_was_read_is_read_again(tmp_path: Path) -> None:
    counted = Counted(Parts(tmp_path))
    loading = begin(counted.facts.load("a"))
    counted.facts.forget("a")
    counted.parts.settle()
    assert counted.reads == ["a", "a"]
    assert loading.result() is counted.facts.get("a")


def test_what_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    counted = Counted(Parts(tmp_path))
    counted.parts.store.broken = StoreError("the disk is gone")
    assert refused(counted.facts.load("a"), counted.parts) == ErrorCode.INTERNALERRROR
    counted.parts.store.broken = None
    assert counted.load("a") == [1]


# -- ids -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "id", "is_one"),
    [
        (GROUP, "t", True),
        (GROUP, "a+b/c", True),
        (GROUP, "团队", True),
        (GROUP, "g" * ID_BYTES, True),
        (GROUP, "g" * (ID_BYTES + 1), False),
        (GROUP, "团" * 22, False),
        (GROUP, "", False),
        (GROUP, "a b", False),
        (GROUP, "a\nb", False),
        (GROUP, "~talk", False),
        (DISCUSSION, "~talk", True),
        (DISCUSSION, "talk", False),
        (DISCUSSION, "~", False),
        (DISCUSSION, "", False),
    ],
)
def test_ids_of_groups_and_discussions(type: ConversationType, id: str, is_one: bool) -> None:
    assert is_place_id(type, id) is is_one


# -- rosters ---------------------------------------------------------------------------


def test_nothing_is_known_of_a_group_that_was_never_made(tmp_path: Path) -> None:
    known = Parts(tmp_path).agree()
    assert not known["exists"]
    assert known["members"] == {}


def test_a_group_is_made_with_its_members(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    create = parts.rosters.create(
        TEAM, name="Team", owner="ann", openness=1, members=["ann", "bob", "ann"]
    )
    assert parts.do(create) == ["ann", "bob"]
    known = parts.agree()
    assert known == {
        "exists": True,
        "name": "Team",
        "owner": "ann",
        "openness": 1,
        "is_muted": False,
        "members": {"ann": START, "bob": START},
        "silenced": {},
        "exempt": set(),
    }


def test_making_a_group_that_is_there_lets_the_members_in(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="Team", members=["ann"]))
    parts.wall += 10
    assert parts.do(parts.rosters.create(TEAM, name="Other", members=["ann", "bob"])) == ["bob"]
    known = parts.agree()
    assert (known["name"], known["owner"]) == ("Team", "")
    assert known["members"] == {"ann": START, "bob": START + 10}


def test_a_group_without_members(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    assert parts.do(parts.rosters.create(TEAM, name="")) == []
    assert parts.agree()["exists"]


def test_places_of_the_same_name_are_different(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="", members=["ann"]))
    parts.do(parts.rosters.create(TALK, name="", members=["bob"]))
    assert not parts.agree(TEAM._replace(app="other"))["exists"]
    assert list(parts.agree(TEAM)["members"]) == ["ann"]
    assert list(parts.agree(TALK)["members"]) == ["bob"]


def test_users_come_and_go(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="", members=["ann"]))
    assert parts.do(parts.rosters.join(TEAM, ["bob", "ann", "bob"])) == ["bob"]
    assert parts.do(parts.rosters.leave(TEAM, ["ann", "zoe", "ann"])) == ["ann"]
    assert list(parts.agree()["members"]) == ["bob"]
    assert parts.do(parts.rosters.join(TEAM, ["ann"])) == ["ann"]
    assert list(parts.agree()["members"]) == ["bob", "ann"]
    assert parts.do(parts.rosters.join(TEAM, ["ann"])) == []
    assert parts.do(parts.rosters.leave(TEAM, ["zoe"])) == []


def test_coming_and_going_have_times_of_their_own(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    steps = [
        parts.rosters.create(TEAM, name="", members=["ann"]),
        parts.rosters.leave(TEAM, ["ann"]),
        parts.rosters.join(TEAM, ["ann"]),
    ]
    for step in steps:
        begin(step)
    parts.settle()
    assert parts.agree()["members"] == {"ann": START + 2}


def test_a_change_counts_before_it_is_stored(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="", members=["ann"]))
    joining = begin(parts.rosters.join(TEAM, ["bob"]))
    roster = parts.rosters.get(TEAM)
    assert roster is not None
    assert roster.inboxes == ((APP, "ann"), (APP, "bob"))
    assert roster.inboxes is roster.inboxes
    assert not joining.is_settled
    leaving = begin(parts.rosters.leave(TEAM, ["ann"]))
    assert roster.inboxes == ((APP, "bob"),)
    parts.settle()
    assert joining.result() == ["bob"]
    assert leaving.result() == ["ann"]
    parts.agree()


def test_changes_of_one_turn_are_one_batch(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name=""))
    for user in ("ann", "bob"):
        begin(parts.rosters.join(TEAM, [user]))
    assert parts.settle_one()
    assert not parts.settle_one()
    assert list(parts.agree()["members"]) == ["ann", "bob"]


def test_what_can_be_changed_about_a_group(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="Team", owner="ann", members=["ann"]))
    parts.do(parts.rosters.change(TEAM, name="Other", openness=1))
    known = parts.agree()
    assert (known["name"], known["owner"], known["openness"]) == ("Other", "ann", 1)
    parts.do(parts.rosters.change(TEAM, owner="bob", is_muted=True))
    known = parts.agree()
    assert (known["owner"], known["is_muted"], known["openness"]) == ("bob", True, 1)
    parts.do(parts.rosters.change(TEAM, owner="", is_muted=False))
    known = parts.agree()
    assert (known["owner"], known["is_muted"]) == ("", False)


def test_a_group_holds_so_many_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MEMBERS", 2)
    parts = Parts(tmp_path)
    with pytest.raises(RosterFull) as error:
        parts.do(parts.rosters.create(TEAM, name="", members=["ann", "bob", "eve"]))
    assert error.value.code == ErrorCode.RC_MSG_UNAUTHORIZED
    assert not parts.agree()["exists"]
    parts.do(parts.rosters.create(TEAM, name="", members=["ann", "bob"]))
    with pytest.raises(RosterFull):
        parts.do(parts.rosters.join(TEAM, ["ann", "eve"]))
    assert list(parts.agree()["members"]) == ["ann", "bob"]
    parts.do(parts.rosters.create(TALK, name="", members=["ann", "bob"]))
    with pytest.raises(RosterFull) as error:
        parts.do(parts.rosters.join(TALK, ["eve"]))
    assert error.value.code == ErrorCode.JOIN_IN_DISCUSSION


def test_who_comes_together_is_in_the_order_of_ids(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.silence(TEAM, "eve", until=START))
    parts.do(parts.rosters.create(TEAM, name="", members=["eve", "ann"]))
    parts.do(parts.rosters.join(TEAM, ["joe", "bob"]))
    assert list(parts.agree()["members"]) == ["ann", "eve", "bob", "joe"]


@pytest.mark.parametrize(
    ("place", "code"),
    [(TEAM, ErrorCode.NOT_IN_GROUP), (TALK, ErrorCode.NOT_IN_DISCUSSION)],
)
def test_outsiders_neither_write_nor_read(tmp_path: Path, place: Place, code: ErrorCode) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(place, name="", members=["ann"]))
    roster = parts.rosters.get(place)
    assert roster is not None
    assert roster.refusal("ann", now=START) is None
    assert roster.outsider("ann") is None
    assert roster.refusal("bob", now=START) == code
    assert roster.outsider("bob") == code


def test_who_is_silenced_speaks_again_later(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="", members=["ann", "bob"]))
    parts.do(parts.rosters.silence(TEAM, "ann", until=START + 5))
    roster = parts.rosters.get(TEAM)
    assert roster is not None
    assert roster.refusal("ann", now=START + 4) == ErrorCode.FORBIDDEN_IN_GROUP
    assert roster.refusal("ann", now=START + 5) is None
    assert roster.refusal("bob", now=START + 4) is None
    assert roster.outsider("ann") is None
    assert parts.agree()["silenced"] == {"ann": START + 5}
    parts.do(parts.rosters.silence(TEAM, "ann", until=0))
    parts.do(parts.rosters.silence(TEAM, "bob", until=0))
    assert roster.refusal("ann", now=START + 4) is None
    assert parts.agree()["silenced"] == {}


def test_in_a_muted_group_speak_the_owner_and_who_is_exempt(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    members = ["ann", "bob", "eve"]
    parts.do(parts.rosters.create(TEAM, name="", owner="ann", members=members))
    parts.do(parts.rosters.change(TEAM, is_muted=True))
    parts.do(parts.rosters.exempt(TEAM, "bob", is_exempt=True))
    parts.do(parts.rosters.exempt(TEAM, "eve", is_exempt=False))
    parts.do(parts.rosters.silence(TEAM, "bob", until=START))
    roster = parts.rosters.get(TEAM)
    assert roster is not None
    assert [roster.refusal(user, now=START) for user in members] == [
        None,
        None,
        ErrorCode.FORBIDDEN_IN_GROUP,
    ]
    assert parts.agree()["exempt"] == {"bob"}
    parts.do(parts.rosters.exempt(TEAM, "bob", is_exempt=False))
    assert roster.refusal("bob", now=START) == ErrorCode.FORBIDDEN_IN_GROUP
    known = parts.agree()
    assert (known["exempt"], known["silenced"]) == (set(), {"bob": START})


def test_what_is_decided_about_a_group_waits_for_it(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.silence(TEAM, "ann", until=START + 5))
    parts.do(parts.rosters.exempt(TEAM, "bob", is_exempt=True))
    known = parts.agree()
    assert (known["exists"], known["exempt"]) == (False, {"bob"})
    parts.do(parts.rosters.change(TEAM, is_muted=True))
    assert not parts.agree()["exists"]
    parts.do(parts.rosters.create(TEAM, name="", members=["ann", "bob"]))
    known = parts.agree()
    assert known["is_muted"]
    assert known["silenced"] == {"ann": START + 5}


def test_a_dissolved_group_leaves_nothing_behind(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="Team", owner="ann", members=["ann", "bob"]))
    parts.do(parts.rosters.change(TEAM, is_muted=True))
    parts.do(parts.rosters.silence(TEAM, "bob", until=START + 5))
    dissolving = begin(parts.rosters.dissolve(TEAM))
    roster = parts.rosters.get(TEAM)
    assert roster is not None
    assert roster.inboxes == ()
    parts.settle()
    assert dissolving.result() is None
    known = parts.agree()
    assert known == facts(module.Roster(TEAM, table.RosterRow()))
    parts.do(parts.rosters.dissolve(TEAM))
    parts.do(parts.rosters.create(TEAM, name="Again", members=["bob"]))
    known = parts.agree()
    assert (known["name"], list(known["members"])) == ("Again", ["bob"])


def test_lists_of_groups(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    for number, id in enumerate(("team", "crew", "club")):
        place = TEAM._replace(id=id)
        parts.do(parts.rosters.create(place, name=f"name {number}", members=["ann"]))
        parts.do(parts.rosters.change(place, is_muted=id != "crew"))
    parts.do(parts.rosters.create(TEAM._replace(app="other"), name="", members=["ann"]))
    parts.do(parts.rosters.create(TALK, name="talk", members=["ann"]))
    parts.do(parts.rosters.leave(TEAM, ["ann"]))
    found = parts.do(parts.rosters.places_of(APP, "ann", GROUP))
    assert found == [("crew", "name 1"), ("club", "name 2")]
    assert parts.do(parts.rosters.places_of(APP, "ann", DISCUSSION)) == [("~talk", "talk")]
    assert parts.do(parts.rosters.places_of(APP, "zoe", GROUP)) == []
    assert parts.do(parts.rosters.muted_places(APP, GROUP)) == ["team", "club"]
    assert parts.do(parts.rosters.muted_places("other", GROUP)) == []


@pytest.mark.parametrize(
    "change", ["create", "join", "leave", "silence", "exempt", "rename", "end"]
)
def test_what_the_store_refuses_has_not_happened(tmp_path: Path, change: str) -> None:
    parts = Parts(tmp_path)
    rosters = parts.rosters
    if change != "create":
        parts.do(rosters.create(TEAM, name="Team", members=["ann"]))
    else:
        parts.do(rosters.load(TEAM))
    before = parts.stored()
    steps = {
        "create": partial(rosters.create, TEAM, name="Team", members=["bob"]),
        "join": partial(rosters.join, TEAM, ["bob"]),
        "leave": partial(rosters.leave, TEAM, ["ann"]),
        "silence": partial(rosters.silence, TEAM, "ann", until=START + 5),
        "exempt": partial(rosters.exempt, TEAM, "ann", is_exempt=True),
        "rename": partial(rosters.change, TEAM, name="Other"),
        "end": partial(rosters.dissolve, TEAM),
    }
    # The change itself fails: a table that it needs is not there.
    parts.do(_sql(parts, "ALTER TABLE conversations RENAME TO elsewhere"))
    assert refused(steps[change](), parts) == ErrorCode.INTERNALERRROR
    assert parts.rosters.get(TEAM) is None
    parts.do(_sql(parts, "ALTER TABLE elsewhere RENAME TO conversations"))
    assert parts.agree() == before


async def _sql(parts: Parts, statement: str) -> None:
    await parts.data.write(lambda connection: connection.exec_driver_sql(statement) and None)


def test_members_see_what_follows_although_the_clock_was_put_back(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="", members=["ann"]))
    parts.wall += 50
    parts.do(parts.rosters.leave(TEAM, ["ann"]))
    # As if the change had run ahead of what was noted down with it.
    parts.do(_sql(parts, "DELETE FROM reserved"))
    parts.store.store.close()
    later = Parts(tmp_path, wall=START - 5000)
    assert later.clock.stamp(TALK.key) < START
    later.do(later.rosters.load(TEAM))
    assert later.clock.stamp(TEAM.key) == START + 51
    later.do(later.rosters.load(TEAM))
    assert later.clock.stamp(TEAM.key) == START + 52


def test_the_clock_passes_by_what_is_not_in_the_past() -> None:
    clock = MessageClock(lambda: START)
    clock.pass_by(("app", "a"), START - 1)
    assert len(clock) == 0
    clock.pass_by(("app", "a"), START + 7)
    clock.pass_by(("app", "a"), START + 3)
    assert clock.next(("app", "a")) == START + 8


def test_who_comes_back_has_nothing_to_catch_up_on(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    seen = text("SELECT read_until FROM views JOIN users ON users.id = owner WHERE name = :name")

    def read_until(name: str) -> Any:
        async def steps() -> Any:
            return await parts.data.read(lambda found: found.scalar(seen, {"name": name}))

        return parts.do(steps())

    parts.do(parts.rosters.create(TEAM, name="", members=["ann"]))
    assert read_until("ann") == START
    parts.do(parts.rosters.leave(TEAM, ["ann"]))
    parts.wall += 1000
    parts.do(parts.rosters.join(TEAM, ["ann"]))
    assert read_until("ann") == START + 1000


def test_no_query_reads_a_whole_table(tmp_path: Path) -> None:
    parts = Parts(tmp_path)
    parts.do(parts.rosters.create(TEAM, name="", members=["ann"]))
    plans: list[str] = []

    def queries(connection: Connection) -> None:
        with query_plans(connection) as found:
            table.roster(connection, place=TEAM)
            table.places_of(connection, app=APP, user="ann", type=GROUP)
            table.muted_places(connection, app=APP, type=GROUP)
            table.dissolve(connection, place=TEAM, time=START)
        plans.extend(found)

    async def steps() -> None:
        await parts.data.write(queries)

    parts.do(steps())
    assert plans
    scans = [plan for plan in plans if plan.startswith("SCAN")]
    assert scans == ["SCAN groups USING INDEX groups_muted"]
