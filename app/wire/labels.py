"""What a label before a colon, or a key of an object, says of what follows it: who speaks there.

A label that asks is a short lead around a noun for a question, a request, a message or an input. It has no verb that
demands something: "create a task: buy milk" is a request and no label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from app.wire.cues import LONGEST_NAME, Voice, own_voice, words_of

_ASKS = (Voice.QUESTION, Voice.PERSON, Voice.MAYBE)
_MOST_WORDS = 8
_MOST_WIDE = 24  # characters of a label in a script without blanks
_DETERMINERS = (
    "the a an my your this is here s new current next following original latest last final actual real user users "
    "customer customers human end begin and or answer please respond reply to now given on below above for of from "
    "by "
    "with based context information message input incoming newest recent first previous chat search text voice "
    "spoken "
    "typed raw employee client member guest visitor caller sender del de la le el des du der die das den do da et "
    "y e "
    "usuario utilisateur benutzer nutzer benutzers nutzers kunden vom von della di cliente client usuário utente"
)
_BEFORE = frozenset(_DETERMINERS.split(" "))
_WHOSE = frozenset(("user", "users", "human", "customer", "customers", "current", "latest", "last", "new", "incoming"))
_SPOKEN = frozenset(("user", "users", "human", "customer", "customers", "chat", "client", "employee"))
_SAYS = frozenset(("said", "says", "wrote", "writes"))
_OF = frozenset(("de", "del", "des", "du", "da", "do", "von", "vom", "della", "di"))
_NOT_SAID = re.compile(r"[(（\[][^)）\]]{0,60}[)）\]]|#?\d+(?: ?/ ?\d+)?$")
_COPULA = re.compile(
    r"[ ]+(?:is|was|reads|follows|is as follows|below|ist|es|est|è|é)$|(?:内容)?(?:如下|是|为|為)$|(?:は"
    r"|は次の通り(?:です)?|は以下の通り(?:です)?)$"
    r"|(?:은|는)(?: ?(?:다음|아래)과 ?같(?:습니다|다|음))?$|입니다$",
    re.IGNORECASE,
)
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WIDE_ENDS = re.compile(
    r"(?:消息|留言|发言|提问|提问内容|诉求|咨询|来信|原话|メッセージ|発言|質問文|相談|問い合わせ|메시지|메세지"
    r"|문의사항|말씀|요구|요구사항)$"
)
_WIDE_VERBS = re.compile(
    r"[请帮把发给写建加查送删改]|创建|添加|新增|設定|作成|送信|送って|追加|登録|만들|보내|추가|등록|작성|전송"
)
_WIDE_WHOSE = re.compile(r"用户|客户|最新|员工|ユーザー|お客|顧客|사용자|고객|최신|최근")
_WIDE_TAIL = re.compile(r"(?<=.)(?:内容|事項|事项|本文|내용)$")
_WIDE_SAYS = re.compile(r"(?:用户|客户|顾客|员工|客人)(?:说|问|说道|问道|反馈说?)$")
_FOLLOWS = re.compile(r"以下|下面|这是|次は|次の|다음|아래")
_HERE = re.compile(r"(?:sure|ok|okay|yes)?,? ?here(?:'s|’s| is| are)\b", re.IGNORECASE)
_SAID_NAMES = "message query question prompt input text content body request utterance ask instruction"
_SAID_KEYS = frozenset(_SAID_NAMES.split(" "))
_ID = re.compile(r"(?=[^\s]*[0-9@#])[<@#!&\w.+:/-]{1,80}>?", re.ASCII)
_KEY_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_]+")
_WORDS = re.compile(r"[^\W\d_]{2,}")
_MOST_KEYS = 500
_DEEPEST = 5


@lru_cache(maxsize=2_048)
def voice_of_label(name: str) -> Voice:
    """Return who speaks after a label such as `User question:`; one that asks consists of nothing else."""
    bare = _COPULA.sub("", _NOT_SAID.sub("", name).strip()).strip()
    words = words_of(bare)
    if not words or len(words) > _MOST_WORDS:
        return Voice.NOBODY
    if _WIDE.search(bare) and (voice := _wide_voice(bare)) is not None:
        return voice
    voice = own_voice(words[-1])
    if voice is Voice.NOBODY and len(words) > 2 and words[1] in _OF:
        words.reverse()  # the noun stands first
        voice = own_voice(words[-1])
    if voice is Voice.NOBODY and words[-1] == "step" and words[0] in _WHOSE:
        voice = Voice.PERSON
    if words[-1] in _SAYS and words[-2:-1] and words[-2] in _WHOSE | _SPOKEN:
        voice, words = Voice.PERSON, words[:-1]
    if voice in _ASKS:
        before = [word for word in words[:-1] if word.isascii() and word[0].isalpha()]
        if all(word in _BEFORE or own_voice(word) in _ASKS for word in before):
            return max(voice, Voice.PERSON) if not _SPOKEN.isdisjoint(before) else voice
        return Voice.HARNESS if any(own_voice(word) is Voice.HARNESS for word in before) else Voice.NOBODY
    return voice if len(words) <= 4 else Voice.NOBODY


def _wide_voice(bare: str) -> Voice | None:
    """Return who speaks after a label in Chinese, Japanese or Korean; None where another rule decides."""
    if len(bare) > _MOST_WIDE or (_WIDE_VERBS.search(bare) and not _FOLLOWS.match(bare)):
        return Voice.NOBODY if own_voice(words_of(bare)[-1]) in _ASKS or _WIDE_ENDS.search(bare) else None
    noun = _WIDE_TAIL.sub("", bare)
    if noun != bare and (voice := own_voice(words_of(noun)[-1])) in _ASKS:
        return voice
    return Voice.PERSON if _WIDE_ENDS.search(bare) or _WIDE_SAYS.search(bare) else None


def is_whose(name: str) -> bool:
    """Return whether a label says whose words follow, or which ones: `latest message`, not `message`."""
    return not _WHOSE.isdisjoint(words_of(name)) or _WIDE_WHOSE.search(name) is not None


def presents(name: str) -> bool:
    """Return whether a person presents something by a label: `Here are the details:`."""
    return _HERE.match(name.strip()) is not None


def is_id(value: str) -> bool:
    """Return whether a value is one word with signs or numbers of an id or a mention in it."""
    return _ID.fullmatch(value) is not None


def looks_said(value: str) -> bool:
    """Return whether a value looks like words of a person: several, or some in a script without blanks; no id."""
    text = value[:1_000]
    return len(_WIDE.findall(text)) >= 2 or (" " in text.strip() and len(_WORDS.findall(text)) >= 2)


def said_in(document: object) -> str:
    """Return what a person says in a JSON document, by the keys that ask most surely; the last of several."""
    best, said = 0, ""
    for rank, value in _values(document):
        if rank >= best and rank > 0 and looks_said(value):
            best, said = rank, value
    return said.strip()


def _values(document: object) -> Iterator[tuple[int, str]]:
    """Give the texts of a document and how surely each one is said by a person, in their order."""
    waiting: list[tuple[object, int, int]] = [(document, 0, 0)]  # the last one first
    for _ in range(_MOST_KEYS):
        if not waiting:
            return
        value, rank, depth = waiting.pop()
        if isinstance(value, str):
            yield rank, value
        elif depth < _DEEPEST and isinstance(value, dict):
            spoken = value.get("role", "user") in ("user", "human")
            waiting += [(one, _key_rank(key) if spoken else 0, depth + 1) for key, one in reversed(value.items())]
        elif depth < _DEEPEST and isinstance(value, list):
            waiting += [(one, rank, depth + 1) for one in reversed(value)]


def _key_rank(key: str) -> int:
    """Return how surely a person speaks under a key; its last word decides."""
    words = [word.lower() for word in _KEY_WORDS.split(key[:LONGEST_NAME]) if word]
    if not words:
        return 0
    voice = own_voice(words[-1])
    if voice in (Voice.QUESTION, Voice.PERSON):
        return 4 if voice is Voice.QUESTION else 3
    if words[-1] in _SAID_KEYS or (_WIDE.search(key) and _WIDE_ENDS.search(key)):
        return 2
    return 0
