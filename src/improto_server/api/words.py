"""Sensitive words (rest 9.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from improto_server.api.endpoints import Call, Endpoint, Mark, Reply
from improto_server.api.parameters import Ids, ListOfPairs, Number, Text
from improto_server.api.replies import Code, RefusedError
from improto_server.services.words import WORD_CHARACTERS, TooManyWords

if TYPE_CHECKING:
    from collections.abc import Mapping

    from improto_server.services.words import Words

MOST_WORDS: Final = 50
"""That one call adds or deletes (rest 9.1)."""

_REPLACE: Final = 0
_BLOCK: Final = 1
_BOTH: Final = 2

_WRAPPED: Final = ("['", "']")
"""What one official SDK puts around a word that it deletes."""

_WORD: Final = Text("word", most_characters=WORD_CHARACTERS, is_required=True)
_REPLACEMENT: Final = Text("replaceWord", most_characters=WORD_CHARACTERS)
_OLD_WORD: Final = Text(
    "word", most_characters=WORD_CHARACTERS + len("".join(_WRAPPED)), is_required=True
)
_OLD_WORDS: Final = Ids(
    "words", most=MOST_WORDS, fits=lambda word: True, most_bytes=4 * WORD_CHARACTERS
)
_NEW_WORDS: Final = ListOfPairs(
    "words", most=MOST_WORDS, most_keys=10, most_characters=WORD_CHARACTERS
)
_TYPE: Final = Number("type", least=_REPLACE, most=_BOTH, default=_BLOCK)


class WordCalls:
    """Calls about sensitive words."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def endpoints(self) -> list[Endpoint]:
        """Its part of the table."""
        return [
            Endpoint(
                path="/sensitiveword/add",
                mark=Mark.MODERATION,
                about="Block text messages with a word, or replace the word.",
                parameters=(_WORD, _REPLACEMENT),
                call=self.add,
            ),
            Endpoint(
                path="/sensitiveword/batch/add",
                mark=Mark.MODERATION,
                about="Add several words, objects of word and replaceWord; all or none.",
                parameters=(_NEW_WORDS,),
                call=self.add_several,
                reply="remainQuota: how many more can be added",
                is_json=True,
            ),
            Endpoint(
                path="/sensitiveword/delete",
                mark=Mark.MODERATION,
                about="Forget a word; harmless if it is not there.",
                parameters=(_OLD_WORD,),
                call=self.delete,
            ),
            Endpoint(
                path="/sensitiveword/batch/delete",
                mark=Mark.MODERATION,
                about="Forget several words.",
                parameters=(_OLD_WORDS,),
                call=self.delete_several,
            ),
            Endpoint(
                path="/sensitiveword/list",
                mark=Mark.MODERATION,
                about="The words that are replaced (type 0), block (1), or both (2).",
                parameters=(_TYPE,),
                call=self.list,
                reply='words: [{type: text "0" or "1", word, replaceWord}]',
            ),
        ]

    async def add(self, call: Call) -> Reply:
        """INVALID: it can be no word; TOO_MANY_WORDS."""
        await self._add(call.app, {_checked(_WORD, call[_WORD]): call[_REPLACEMENT]})
        return None

    async def add_several(self, call: Call) -> Reply:
        """INVALID: one can be no word; TOO_MANY_WORDS: none is added."""
        new = {
            _checked(_NEW_WORDS, item.get("word", "")): item.get("replaceWord", "")
            for item in call[_NEW_WORDS]
        }
        await self._add(call.app, new)
        return {"remainQuota": self._words.left(call.app)}

    async def delete(self, call: Call) -> Reply:
        """The word, with or without what an SDK puts around it."""
        word, (before, after) = call[_OLD_WORD], _WRAPPED
        bare = word.removeprefix(before).removesuffix(after)
        await self._words.remove(call.app, (word, bare))
        return None

    async def delete_several(self, call: Call) -> Reply:
        """Harmless for those that are not there."""
        await self._words.remove(call.app, call[_OLD_WORDS])
        return None

    async def list(self, call: Call) -> Reply:
        """In no particular order."""
        wanted = call[_TYPE]
        rows = [
            {"type": str(_REPLACE if by else _BLOCK), "word": word, "replaceWord": by}
            for word, by in self._words.list(call.app).items()
        ]
        return {"words": [row for row in rows if wanted in (_BOTH, int(row["type"]))]}

    async def _add(self, app: str, new: Mapping[str, str]) -> None:
        try:
            await self._words.add(app, new)
        except TooManyWords:
            raise RefusedError(
                Code.TOO_MANY_WORDS, f"only {self._words.left(app)} more words can be added"
            ) from None


def _checked(parameter: Text | ListOfPairs, word: str) -> str:
    """The word, if it has a letter, a digit or the like."""
    if not any(character.isalnum() for character in word):
        raise parameter.refused(Code.INVALID, "must have a letter or a digit in it")
    return word
