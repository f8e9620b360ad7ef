"""All calls of the application server, and what each of them takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from improto_server.accounts import entry, fixed, friends, groups, people
from improto_server.accounts.bodies import Nothing
from improto_server.accounts.closing import Closing, Delete

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from msgspec import Struct

    from improto_server.accounts.entry import EntryCalls
    from improto_server.accounts.fixed import FixedCalls
    from improto_server.accounts.friends import FriendCalls
    from improto_server.accounts.groups import GroupCalls
    from improto_server.accounts.people import PeopleCalls
    from improto_server.accounts.visits import Reply, Visit

    Handler: TypeAlias = Callable[[Visit, Any], Coroutine[Any, Any, Reply]]

PREFIX: Final = "/account"


class Call(NamedTuple):
    """One of them."""

    method: str
    """GET changes nothing; its fields are in the query. Those of POST are in a JSON body."""
    path: str
    """Below :data:`PREFIX`."""
    kind: type[Struct] | None
    """The fields; None: the body is no JSON, and the call reads it itself."""
    handler: Handler


def all_calls(
    ins: EntryCalls,
    predefined: FixedCalls,
    persons: PeopleCalls,
    befriended: FriendCalls,
    grouped: GroupCalls,
    closing: Closing,
) -> list[Call]:
    """The table, in the order of the manual."""
    return [
        Call("POST", "/register", entry.Register, ins.register),
        Call("POST", "/confirm", entry.Token, ins.confirm),
        Call("POST", "/login", entry.LogIn, ins.log_in),
        Call("POST", "/logout", entry.LogOut, ins.log_out),
        Call("POST", "/forgot", entry.Forgot, ins.forgot),
        Call("POST", "/reset", entry.Reset, ins.reset),
        Call("POST", "/anonymous", entry.Guest, ins.guest),
        Call("POST", "/anonymous/resume", entry.Resume, ins.resume),
        Call("POST", "/fixed", fixed.Enter, predefined.enter),
        Call("GET", "/me", Nothing, persons.me),
        Call("POST", "/me", people.Change, persons.change),
        Call("POST", "/email", people.ChangeEmail, persons.change_email),
        Call("POST", "/phone", people.ChangePhone, persons.change_phone),
        Call("POST", "/password", people.ChangePassword, persons.change_password),
        Call("PUT", "/portrait", None, persons.upload),
        Call("DELETE", "/portrait", None, persons.remove_portrait),
        Call("POST", "/token", Nothing, persons.token),
        Call("POST", "/delete", Delete, closing.delete),
        Call("GET", "/people", people.Wanted, persons.people),
        Call("GET", "/rooms", Nothing, persons.rooms),
        Call("GET", "/friends", friends.Page, befriended.friends),
        Call("GET", "/friends/applications", friends.Page, befriended.applications),
        Call("POST", "/friends/add", friends.Ask, befriended.add),
        Call("POST", "/friends/accept", friends.Ask, befriended.accept),
        Call("POST", "/friends/refuse", friends.Ask, befriended.refuse),
        Call("POST", "/friends/remove", friends.Part, befriended.remove),
        Call("POST", "/friends/note", friends.Note, befriended.note),
        Call("GET", "/groups", friends.Page, grouped.groups),
        Call("GET", "/groups/info", groups.OfGroup, grouped.info),
        Call("GET", "/groups/members", groups.Members, grouped.members),
        Call("GET", "/groups/applications", friends.Page, grouped.applications),
        Call("POST", "/groups/create", groups.Create, grouped.create),
        Call("POST", "/groups/update", groups.Update, grouped.update),
        Call("POST", "/groups/join", groups.OfGroup, grouped.join),
        Call("POST", "/groups/invite", groups.Users, grouped.invite),
        Call("POST", "/groups/respond", groups.Respond, grouped.respond),
        Call("POST", "/groups/leave", groups.OfGroup, grouped.leave),
        Call("POST", "/groups/remove", groups.Users, grouped.remove),
        Call("POST", "/groups/transfer", groups.Transfer, grouped.transfer),
        Call("POST", "/groups/managers", groups.Managers, grouped.managers),
        Call("POST", "/groups/nickname", groups.Nickname, grouped.nickname),
        Call("POST", "/groups/note", groups.Remark, grouped.note),
        Call("POST", "/groups/dismiss", groups.OfGroup, grouped.dismiss),
    ]
