"""Friends and groups through the application server are those of the message server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from improto_server.waiting import finished
from tests.accounts.account_tools import ALICE, APP, BOB, World, play

if TYPE_CHECKING:
    from pathlib import Path

    from tests.accounts.account_tools import Browser


async def three(world: World) -> tuple[Browser, Browser, Browser]:
    """Alice, Bob, and a guest."""
    alice, bob = await world.registered(ALICE), await world.registered(BOB)
    guest = world.browser()
    guest.user = (await guest.post("/anonymous", name="Carol")).content["user"]
    return alice, bob, guest


def test_somebody_asks_and_is_accepted(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, bob, _ = await three(world)
        answer = await alice.post("/friends/add", user=bob.user, text="It is me")
        assert answer.content == {"isFriend": False}
        application = {"status": "unhandled", "text": "It is me", "time": world.wall}
        for browser, other, name, is_mine in (
            (alice, bob, "Bob", True),
            (bob, alice, "Alice", False),
        ):
            (found,) = (await browser.get("/friends/applications")).content["applications"]
            expected = {"user": other.user, "name": name, "portrait": "", "isMine": is_mine}
            assert found == expected | application | {"time": found["time"]}
        assert (await bob.post("/friends/accept", user=alice.user)).content == {}
        (found,) = (await alice.get("/friends/applications")).content["applications"]
        assert found["status"] == "accepted"
        assert (await alice.post("/friends/note", user=bob.user, note="Bobby")).content == {}
        answer = await alice.get("/friends")
        (friend,) = answer.content["friends"]
        assert friend == {
            "user": bob.user,
            "name": "Bob",
            "portrait": "",
            "note": "Bobby",
            "since": friend["since"],
            "isBlocked": False,
        }
        assert answer.content["next"] == ""
        assert (await bob.get("/friends")).content["friends"][0]["note"] == ""
        assert await finished(world.system.friends.friends(APP, bob.user)) == [alice.user]
        assert (await bob.post("/friends/remove", users=[alice.user])).content == {}
        assert (await alice.get("/friends")).content["friends"] == []

    play(tmp_path, scenario)


def test_somebody_is_refused_and_asks_again(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, bob, _ = await three(world)
        await alice.post("/friends/add", user=bob.user)
        assert (await bob.post("/friends/refuse", user=alice.user, text="no")).content == {}
        # Who asks somebody who has asked is his friend at once.
        await alice.post("/friends/add", user=bob.user)
        answer = await bob.post("/friends/add", user=alice.user)
        assert answer.content == {"isFriend": True}

    play(tmp_path, scenario)


def test_refusals_of_the_message_server(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, bob, _ = await three(world)
        for path, fields, status, code, number in (
            ("/friends/add", {"user": alice.user}, 400, "friend_not_allow_add_self", 25473),
            ("/friends/add", {"user": "no id!"}, 400, "friend_not_exist", 25472),
            ("/friends/accept", {"user": bob.user}, 404, "friend_application_not_exist", 25466),
            ("/friends/remove", {"users": [bob.user]}, 404, "friend_not_friend", 25469),
            ("/groups/join", {"group": "nowhere"}, 404, "group_id_not_exist", 25410),
            ("/groups/leave", {"group": "../x"}, 400, "group_id_invalid", 25430),
        ):
            answer = await alice.post(path, **fields)
            assert (answer.status, answer.code) == (status, code)
            assert answer.content["error"]["number"] == number
            assert answer.content["error"]["message"]
        assert (await alice.get("/groups/info", group="nowhere")).code == "group_id_not_exist"
        assert (await alice.get("/friends", after="no token")).code == "page_token_parsing_failed"
        answer = await alice.post("/groups/create", name="g", notice=" ")
        assert (answer.code, answer.field) == ("group_parameter_format_error", "announcement")

    play(tmp_path, scenario)


def test_pages(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, bob, guest = await three(world)
        for other in (bob, guest):
            await finished(world.system.friends.befriend(APP, alice.user, other.user))
            await alice.post("/groups/create", name=f"With {other.user}")
        for path, key in (("/friends", "friends"), ("/groups", "groups")):
            first = (await alice.get(path, count=1)).content
            second = (await alice.get(path, count=1, after=first["next"])).content
            assert len(first[key]) == len(second[key]) == 1
            assert first[key] != second[key]
            assert (bool(first["next"]), second["next"]) == (True, "")

    play(tmp_path, scenario)


def test_a_group_and_its_members(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, bob, carol = await three(world)
        answer = await alice.post(
            "/groups/create",
            name="Hikers",
            users=[bob.user],
            notice="Sunday",
            introduction="We walk",
            portrait="https://example.org/g.png",
            joinPerm=2,
        )
        group = answer.content["group"]
        info = (await bob.get("/groups/info", group=group)).content
        assert info == {
            "group": group,
            "name": "Hikers",
            "portrait": "https://example.org/g.png",
            "introduction": "We walk",
            "notice": "Sunday",
            "joinPerm": 2,
            "removePerm": 0,
            "memInvitePerm": 0,
            "invitePerm": 0,
            "profilePerm": 0,
            "memProfilePerm": 0,
            "owner": alice.user,
            "created": info["created"],
            "memberCount": 2,
            "role": "normal",
            "note": "",
        }
        assert (await carol.get("/groups/info", group=group)).content["role"] == ""
        members = await finished(world.system.groups.members(APP, group))
        assert {*members} == {alice.user, bob.user}

        # Somebody wants to join, is refused once, and let in by a manager.
        answer = await carol.post("/groups/join", group=group)
        assert answer.content == {"isDone": False, "waitsFor": "owner"}
        await alice.post("/groups/managers", group=group, users=[bob.user], isManager=True)
        (one,) = (await bob.get("/groups/applications")).content["applications"]
        assert one["joiner"] == {"user": carol.user, "name": "Carol", "portrait": ""}
        assert (one["group"], one["inviter"], one["status"], one["direction"]) == (
            group,
            None,
            "manager_unhandled",
            "application_received",
        )
        answer = {"group": group, "user": carol.user}
        await bob.post("/groups/respond", **answer, accept=False, text="full")
        (one,) = (await carol.get("/groups/applications")).content["applications"]
        assert (one["status"], one["text"]) == ("manager_refused", "full")
        await carol.post("/groups/join", group=group)
        reply = await bob.post("/groups/respond", **answer, accept=True)
        assert reply.content == {"isDone": True, "waitsFor": ""}

        await bob.post("/groups/nickname", group=group, user=bob.user, nickname="The slow one")
        assert (await carol.post("/groups/note", group=group, note="my walks")).content == {}
        (one,) = (await carol.get("/groups")).content["groups"]
        assert (one["group"], one["note"]) == (group, "my walks")
        await carol.post("/groups/note", group=group, note="")
        assert (await carol.get("/groups/info", group=group)).content["note"] == ""
        answer = await carol.get("/groups/members", group=group)
        named = {one["name"]: one for one in answer.content["members"]}
        assert answer.content["total"] == 3
        assert {name: one["role"] for name, one in named.items()} == {
            "Alice": "owner",
            "Bob": "manager",
            "Carol": "normal",
        }
        assert named["Bob"]["nickname"] == "The slow one"

        # Members must not what owners may.
        for path, fields in (
            ("/groups/update", {"notice": "Monday"}),
            ("/groups/dismiss", {}),
            ("/groups/remove", {"users": [bob.user]}),
        ):
            answer = await carol.post(path, group=group, **fields)
            assert (answer.status, answer.code) == (403, "group_authority_error")
        await alice.post("/groups/update", group=group, notice="Monday", name="Walkers")
        info = (await carol.get("/groups/info", group=group)).content
        assert (info["notice"], info["name"]) == ("Monday", "Walkers")
        await alice.post("/groups/remove", group=group, users=[carol.user])
        answer = await carol.get("/groups/members", group=group)
        assert (answer.status, answer.code) == (403, "group_user_not_in_group")
        await alice.post("/groups/transfer", group=group, user=bob.user, leave=True)
        assert (await alice.get("/groups")).content["groups"] == []
        await bob.post("/groups/dismiss", group=group)
        assert (await bob.get("/groups/info", group=group)).status == 404

    play(tmp_path, scenario)


def test_invitations(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        alice, bob, carol = await three(world)
        answer = await alice.post("/groups/create", name="Invited", invitePerm=1)
        group = answer.content["group"]
        answer = await alice.post("/groups/invite", group=group, users=[bob.user, carol.user])
        assert answer.content == {"isDone": False, "waitsFor": "invited"}
        (one,) = (await bob.get("/groups/applications")).content["applications"]
        assert one["inviter"]["name"] == "Alice"
        assert one["direction"] == "invitation_received"
        own = {"group": group, "inviter": alice.user}
        assert (await bob.post("/groups/respond", **own, accept=True)).content["isDone"]
        await carol.post("/groups/respond", **own, accept=False)
        assert (await carol.post("/groups/respond", **own, accept=True)).status == 409
        answer = await bob.get("/groups/members", group=group)
        assert [one["name"] for one in answer.content["members"]] == ["Alice", "Bob"]
        assert (await bob.post("/groups/leave", group=group)).content == {}
        answer = await alice.post("/groups/leave", group=group)
        assert answer.code == "group_owner_not_allow_quit_or_kick"

    play(tmp_path, scenario)
