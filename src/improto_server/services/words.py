"""Sensitive words: text messages that have one in them are blocked, or arrive changed (rest 9.1).

The words of an app are a machine (Aho and Corasick) that is built when they change and reads a
text once, however many words there are. An app without words costs a look into a dictionary.

What counts is the text that readers see, ``content`` of RC:TxtMsg, whatever the case of its
letters. A content that cannot be read as it should be is looked through as it is, escapes
resolved, and blocked if it has a word in it: some reader may understand it.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Final

from ahocorasick_rs import AhoCorasick, MatchKind

from improto import payloads
from improto.codes import ErrorCode
from improto.contents import Text
from improto_server.errors import ServiceError
from improto_server.store import words as table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection

    from improto_server.services.data import Data
    from improto_server.services.letters import Letter

WORD_CHARACTERS: Final = 32
"""The longest word, and the longest replacement (rest 9.1)."""

_TEXT: Final = Text.object_name

_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
"""Of JSON. Of a line break and the like the letter stays, which hides no word."""


class TooManyWords(ServiceError):
    """The app would have more words than it may (rest 4, code 1019)."""


class WordFilter:
    """Some words, ready to be looked for. It never changes, so any thread may use it."""

    def __init__(self, words: Mapping[str, str]) -> None:
        replaced = {word: by for word, by in words.items() if by}
        self._blocking = AhoCorasick([_folded(word) for word in words if word not in replaced])
        self._replacing = AhoCorasick(
            [_folded(word) for word in replaced], matchkind=MatchKind.LeftmostLongest
        )
        self._replacements = [*replaced.values()]

    def apply(self, content: bytes) -> bytes | None:
        """What a text message says instead of ``content``, None if it may not be sent."""
        members = _members(content)
        text = members.get("content") if members is not None else None
        if members is None or not isinstance(text, str):
            readable = _unescaped(content.decode(errors="replace"))
            return content if self.censored(readable) == _whole(readable) else None
        censored = self.censored(text)
        if censored is None:
            return None
        if censored == _whole(text):
            return content
        return _written({**members, "content": censored})

    def censored(self, text: str) -> str | None:
        """The text with words replaced, None if it has one that may not be there at all."""
        text = _whole(text)
        folded = _folded(text)
        if self._blocking.find_matches_as_indexes(folded):
            return None
        pieces = []
        end = 0
        for word, start, stop in self._replacing.find_matches_as_indexes(folded):
            pieces += [text[end:start], self._replacements[word]]
            end = stop
        return "".join([*pieces, text[end:]])


class Words:
    """The words of all apps. ``rows``: what the store has at the start, by app.

    An app has at most ``most`` words; a message has at most ``content_bytes``, also when words
    were replaced. ``screens_posts``: they count for what the REST API sends and edits as well.
    """

    def __init__(
        self,
        data: Data,
        *,
        rows: Mapping[str, Mapping[str, str]],
        most: int,
        screens_posts: bool,
        content_bytes: int,
    ) -> None:
        self._data = data
        self.screens_posts = screens_posts
        self._most = most
        self._content_bytes = content_bytes
        self._words = {app: dict(words) for app, words in rows.items()}
        self._filters = {app: WordFilter(words) for app, words in rows.items()}

    def list(self, app: str) -> dict[str, str]:
        """The words of an app, and what each is replaced by; empty: it blocks the message."""
        return dict(self._words.get(app, {}))

    def left(self, app: str) -> int:
        """How many words the app may add."""
        return max(0, self._most - len(self._words.get(app, {})))

    async def add(self, app: str, new: Mapping[str, str]) -> None:
        """Add words, or say anew what they are replaced by. TooManyWords: nothing is added.

        They count at once.
        """
        words = {**self._words.get(app, {}), **new}
        if len(words) > self._most:
            raise TooManyWords(ErrorCode.BIZ_ERROR_INVALID_PARAMETER)
        await self._change(app, words, partial(table.add, app=app, new=new))

    async def remove(self, app: str, old: Iterable[str]) -> None:
        """Forget words; harmless if they are not there."""
        gone = set(old)
        words = {word: by for word, by in self.list(app).items() if word not in gone}
        await self._change(app, words, partial(table.remove, app=app, old=gone))

    def screen(self, letter: Letter) -> Letter:
        """The letter as it may be sent. 21501: it may not."""
        filter = self._filters.get(letter.sender[0])
        if filter is None or letter.up.classname != _TEXT:
            return letter
        content = self._applied(filter, letter.up.content)
        if content == letter.up.content:
            return letter
        up = payloads.UpStreamMessage()
        up.CopyFrom(letter.up)
        up.content = content
        # A copy for the sender's other devices would have the old words in it.
        return letter._replace(up=up, copied_as=None, has_replaced_words=True)

    def censor(self, app: str, content: bytes) -> bytes:
        """The same for the content of a text message. 21501: it may not be said."""
        filter = self._filters.get(app)
        return content if filter is None else self._applied(filter, content)

    def _applied(self, filter: WordFilter, content: bytes) -> bytes:
        changed = filter.apply(content)
        if changed is None or (changed != content and len(changed) > self._content_bytes):
            raise ServiceError(ErrorCode.SENSITIVE_SHIELD)
        return changed

    async def _change(
        self, app: str, words: dict[str, str], change: Callable[[Connection], None]
    ) -> None:
        before = self.list(app)
        self._put(app, words)
        try:
            await self._data.write(change)
        except Exception:
            self._put(app, before)
            raise

    def _put(self, app: str, words: dict[str, str]) -> None:
        self._words[app] = words
        if words:
            self._filters[app] = WordFilter(words)
        else:
            self._filters.pop(app, None)


def _folded(text: str) -> str:
    """The text in lower case, letter for letter: this one is the only one that becomes two."""
    return text.replace("\u0130", "i").lower()


def _whole(text: str) -> str:
    """The text without halves of surrogate pairs, which no reader can show."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _members(content: bytes) -> dict[str, object] | None:
    """What is in a content, as forgiving as the most forgiving reader; None: it is no object."""
    try:
        found: object = json.loads(content.decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _unescaped(text: str) -> str:
    """What escapes of JSON stand for, wherever they are."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)


def _written(members: Mapping[str, object]) -> bytes:
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Halves of surrogate pairs elsewhere: as they came.
        return json.dumps(members, separators=(",", ":")).encode()
