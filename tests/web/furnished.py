"""One user's page in which every view has something to show, and whatever somebody else may write
tries to be HTML, a script or a link that runs one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.visitors import Visitor

SETTINGS: Final = {
    "accounts.enabled": True,
    "accounts.entries": 0,
    "accounts.rooms": ["lobby:<img src=x onerror=hit()>"],
    "chatrooms.member_notices": True,
    "messages.group_receipts": "receipts",
    "messages.multi_device": True,
    "messages.rate": 0,
    "robot": True,
    "users.subscriptions": True,
    "web.enabled": True,
    "web.port": 0,
}
"""As :func:`furnish` wants the server."""

MARKUP: Final = "<img src=x onerror=hit()>"
"""What is in every text."""

NAME: Final = f"Bert {MARKUP}"

_CONTENTS: Final = """
  const bad = ["javascript:hit()", "data:text/html,<script>hit()</script>", "//x.example", markup];
  const odd = [null, 7, true, 1e300, [markup], { content: markup, toString: 1 }, "x".repeat(3000)];
  const named = {
    "RC:TxtMsg": ["content", "mentionedInfo"],
    "RC:ImgMsg": ["imageUri", "content"],
    "RC:SightMsg": ["sightUrl", "content", "name", "duration"],
    "RC:HQVCMsg": ["remoteUrl", "duration"],
    "RC:FileMsg": ["fileUrl", "name", "size", "type"],
    "RC:LBSMsg": ["poi", "latitude", "longitude", "content"],
    "RC:ReferenceMsg": ["content", "referMsg", "referMsgUserId", "objName"],
    "RC:RcCmd": ["messageUId", "sentTime"],
    "RC:TypSts": ["typingContentType"],
    "RC:ReadNtf": ["lastMessageSendTime", "messageUId"],
    "RC:MsgExMsg": ["mid", "put", "del"],
    "RC:RRReqMsg": ["messageUId"],
    "RC:RRRspMsg": ["receiptMessageDic"],
    "Improto:Sealed": ["version", "device", "keys", "content"],
    "app:<img src=x>": ["content"],
  };
  const made = [];
  for (const [name, fields] of Object.entries(named)) {
    for (const value of [...bad, ...odd]) {
      made.push({ name, fields: Object.fromEntries(fields.map((each) => [each, value])) });
    }
  }
  const pixel = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEB";
  const url = `${location.origin}/files/none`;
  made.push(
    { name: "RC:ImgMsg", fields: { imageUri: url, content: pixel } },
    { name: "RC:SightMsg", fields: { sightUrl: url, content: pixel } },
    { name: "RC:HQVCMsg", fields: { remoteUrl: url, duration: 5 } },
    { name: "RC:FileMsg", fields: { fileUrl: url, name: markup, size: 3 } },
    { name: "RC:LBSMsg", fields: { latitude: 1, longitude: 2, poi: markup } },
    { name: "RC:ReferenceMsg", fields: {
      content: markup, referMsg: { content: markup }, objName: "RC:TxtMsg", referMsgUserId: me,
    } },
    { name: "RC:TxtMsg", fields: { content: `https://${".".repeat(100_000)}x` } },
    { name: "RC:TxtMsg", fields: { content: `${markup} javascript:hit() https://example.org/` } },
  );
"""
"""Contents of every kind, with what a client of this server's own would never send."""

_MODULES: Final = """
  const markup = a;
  const { post } = await import("/static/page/session.js");
  const { theClient } = await import("/static/page/im.js");
  const improto = await import("/static/improto/improto.js");
  const { state } = await import("/static/page/state.js");
  const me = state.me.user;
"""


ONLINE: Final = """
  const { isOnline } = await import("/static/page/im.js");
  const { onChange } = await import("/static/page/state.js");
  await new Promise((resolve) => {
    const look = () => isOnline() && resolve();
    onChange(look);
    look();
  });
"""
"""Waits for the connection."""


class House(NamedTuple):
    """What there is."""

    anna: Visitor
    """Who looks."""
    bert: Visitor
    """Who wrote it all."""
    views: dict[str, str]
    """Addresses behind ``#`` of views, by what they are; all of her page."""
    come: Callable[..., Visitor]
    """Lets somebody else come."""


def furnish(come: Callable[..., Visitor]) -> House:
    """Let Anna and Bert come to a new server, and Bert write."""
    anna, bert = come(reduced_motion="reduce"), come()
    anna.enter_as_guest(f"Anna {MARKUP}")
    bert.enter_as_guest(NAME)
    user = "return (await import('/static/page/state.js')).state.me.user"
    her, his = anna.run(user), bert.run(user)
    for each in (anna, bert):
        each.run("window.hits = 0; window.hit = () => { hits += 1; }")
        each.run(ONLINE)
    bert.run(f"{_MODULES} await post('/friends/add', {{ user: b, text: markup }});", MARKUP, her)
    anna.run("(await import('/static/page/session.js')).post('/friends/accept', { user: a })", his)
    group: str = bert.run(
        f"""{_MODULES}
          const {{ group }} = await post("/groups/create", {{ name: markup, users: [b] }});
          await post("/groups/update", {{
            group, notice: markup, introduction: markup, portrait: "javascript:hit()",
          }});
          await post("/groups/nickname", {{ group, user: me, nickname: markup }});
          await post("/me", {{ location: markup }});
          {_CONTENTS}
          for (const target of [improto.privateChat(b), improto.groupChat(group)]) {{
            await Promise.allSettled(made.map((each) => theClient().messages.send(target, each)));
          }}
          return group;""",
        MARKUP,
        her,
    )
    uid: str = anna.run(
        f"""{_MODULES}
          const options = {{ wantsReceipt: true }};
          const said = improto.text(markup);
          return (await theClient().messages.send(improto.groupChat(b), said, options)).uid;""",
        MARKUP,
        group,
    )
    anna.run("location.hash = '#/chat/4/lobby'")
    anna.sees(".subtitle", "1 person")
    return House(
        anna,
        bert,
        {
            "list": "",
            "chat": f"chat/1/{his}",
            "group chat": f"chat/3/{group}",
            "room": "chat/4/lobby",
            "contacts": "contacts",
            "requests": "requests",
            "person": f"person/{his}",
            "stranger": "person/robot",
            "new group": "newgroup",
            "group": f"group/{group}",
            "readers": f"readers/{group}/{uid}",
            "rooms": "rooms",
            "people in the room": "room/lobby",
            "me": "me",
            "encryption": f"sealing/1/{his}",
        },
        come,
    )
