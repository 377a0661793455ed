"""Answers that say little by themselves: "2", "yes", はい、お願いします. The assistant's words tell what is meant.

Nothing else leans: a new question stands for itself, and thanks are thanks.
"""

from __future__ import annotations

import re

from app.digits import whole

MOST = 200  # characters of the assistant's words
_LONGEST = 60  # characters of an answer
_READ = 2_000  # of the assistant's words, the last ones

_YES = (
    r"yes|yep|yeah|yup|sure|ok|okay|please|go ahead|go on|go for it|do (?:it|that|so|both|this)|sounds good"
    r"|that one|this one|both|all of them|either"
    r"|correct|right|exactly|absolutely|of course|definitely|why not|let'?s do (?:it|that)|proceed|continue"
    r"|agreed|great|good|perfect|fine"
    r"|はい|ええ|うん|お願い(?:いたします|致します|します|できますか)?|おねがい(?:します)?|それで(?:お願い)?"
    r"|それを|いいですね|頼みます|頼む|オッケー|了解(?:です)?|どうぞ|ぜひ"
    r"|そうして(?:ください)?|やって(?:ください)?|両方"
    r"|네|예|응|그래요?|좋아요?|좋습니다|부탁(?:해요|드려요|드립니다|합니다|해)?|해 ?주세요|해 ?줘요?|그걸로"
    r"|그렇게|둘 다|진행(?:해)?|물론(?:이죠)?|맞아요?|오케이"
    r"|好的?|可以的?|行|是的?|对的?|要|请|麻烦(?:你|您)?了?|没问题|就这个|都要|嗯|当然|就这样|继续|确认|拜托"
)
_COUNTED = (
    "first second third fourth fifth sixth seventh eighth ninth tenth",
    "one two three four five six seven eight nine ten",
    "一 二 三 四 五 六 七 八 九 十",
    "첫 두 세 네 다섯 여섯 일곱 여덟 아홉 열",
)
_ORDINALS = [words.split() for words in _COUNTED]
_NUMBERS = {word: number for words in _ORDINALS for number, word in enumerate(words, start=1)}
_NUMBERS |= {chr(ord("①") + number): number + 1 for number in range(20)} | {"former": 1, "前者": 1, "전자": 1, "둘": 2}
_NUMBERS |= dict.fromkeys(("last", "latter", "最后", "最後", "마지막", "后者", "後者", "후자"), -1)
_NUMBERS |= {letter: number for number, letter in enumerate("abcdefgh", start=1)}
_ENGLISH = "|".join(word for words in _ORDINALS[:2] for word in words)
_PICK = (
    rf"(?:(?:the|option|number|no\.?|nr\.?|item|choice|#)\s*)*(?P<n>\d{{1,2}}(?:st|nd|rd|th)?|{_ENGLISH}|last"
    rf"|former|latter|[①-⑳]|[a-hA-H](?![a-z]))\b"
    r"(?:\s*(?:one|option|choice|item))?[.)]?"
    r"|(?:第|选择?|選)?\s*(?P<c>\d{1,2}|[一二三四五六七八九十]|最后|最後|前者|后者|後者|[①-⑳])\s*(?:个|個|项|項"
    r"|种|号|番目?|つ目|の方|のほう|を選択)+"
    r"|第\s*(?P<d>\d{1,2}|[一二三四五六七八九十])"
    r"|(?P<k>\d{1,2}|첫|두|세|네|다섯|여섯|마지막|전자|후자|둘)\s*(?:번째|번|째|것|거|안|로)+(?:\s?(?:것|거|걸|안))?"
)
_FILLER = (
    r"and|&|和|跟|と|および|하고|이랑|과|와|that|one|it|then|thanks?|thank you|pls|with|i'?ll take|i want"
    r"|let'?s (?:go|take|do)|that'?s|で|を|の|が|は|です|ね|よ|吧|了|谢谢|就|那|로|으로|요|이요|그럼|거|것"
)
_BETWEEN = r"[\s,.!?、。，！？~:;-]*"
_WHOLE = re.compile(rf"(?:(?:{_PICK}|{_YES}|{_FILLER})(?![a-z]){_BETWEEN})+$", re.IGNORECASE)
_BEGINS = re.compile(rf"(?:{_YES})(?:[\s,.!、。，！]+|$)", re.IGNORECASE)
_THANKS = re.compile(r"\b(?:thanks?|thank you|thx|bye|lol|haha)|谢|ありがと|고마|감사|哈哈|笑", re.IGNORECASE)
_PICKED = re.compile(_PICK, re.IGNORECASE)

_ITEM = re.compile(
    r"(?:^|(?<=[\s,;。、，；:：]))(?:\(?(?P<n>\d{1,2})[.)、:：]|(?P<c>[①-⑳])|\(?(?P<l>[a-hA-H])[.)])\s*(?=\S)",
    re.MULTILINE,
)
_BULLET = re.compile(r"^[ \t]*[-*•・‣▪][ \t]+(\S.*)$", re.MULTILINE)
_EITHER = r"或者|还是|または|それとも|あるいは|또는|아니면"
_OR = re.compile(rf",?\s+or\s+|[,，、;]\s*(?:or|或|{_EITHER})?\s*|{_EITHER}", re.IGNORECASE)
_HAS_OR = re.compile(rf"\bor\b|或|{_EITHER}", re.IGNORECASE)
_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")
_ASKED = re.compile(
    r"[?？]|까요|나요|ますか|ですか|しょうか|吗|要不要|是否"
    r"|\bI (?:can|could|would)\b|\bI'll\b|\blet me know\b|我可以|我能"
    r"|할 수 있|해 ?드릴|できます|いたします",
    re.IGNORECASE,
)


def words_before(text: str, spoken: str) -> str:
    """Return the assistant's words that an answer leans on: the item that it picks, or what was asked. As a rule ""."""
    said = text.strip()
    if not said or len(said) > _LONGEST or not spoken.strip():
        return ""
    spoken = spoken[-_READ:]
    if not _WHOLE.match(said):
        return _last_question(spoken) if _BEGINS.match(said) and not _THANKS.search(said) else ""
    picked = [number for found in _PICKED.finditer(said) if (number := _number(found))]
    if picked:
        items = _items(spoken)
        chosen = [items[number - 1 if number > 0 else -1] for number in picked if number <= len(items)] if items else []
        if chosen:
            return "\n".join(dict.fromkeys(chosen))[:MOST]
        if said.isalpha() and len(said) == 1:
            return ""  # a letter that chooses nothing
    return _last_question(spoken)


def _number(found: re.Match[str]) -> int:
    word = next((group for group in found.groups() if group), "").lower()
    digits = re.match(r"[0-9]{1,2}", word)
    return (whole(digits[0], 99) or 0) if digits else _NUMBERS.get(word, 0)


def _items(spoken: str) -> list[str]:
    """Return what an assistant offers: a numbered list, bullets, or what stands between commas and "or"."""
    found = list(_ITEM.finditer(spoken))
    if len(found) > 1:
        ends = [*(one.start() for one in found[1:]), len(spoken)]
        return [_line(spoken[one.end() : end]) for one, end in zip(found, ends, strict=True)]
    if len(bullets := _BULLET.findall(spoken)) > 1:
        return [_line(one) for one in bullets]
    sentences = [one for one in _SENTENCES.split(spoken) if one and _HAS_OR.search(one)]
    return [one.strip(" .?!。？！") for one in _OR.split(sentences[-1]) if one.strip(" .?!。？！")] if sentences else []


def _line(item: str) -> str:
    return item.strip().split("\n", 1)[0].strip(" ,;、，；*")[:MOST]


def _last_question(spoken: str) -> str:
    """Return what was asked or offered last; nothing where the assistant only told something."""
    sentences = [one.strip() for one in _SENTENCES.split(spoken) if one.strip()]
    last = [one for one in sentences if _ASKED.search(one)][-1:]
    if not last:
        return ""
    if len(last[0]) < 20 and len(sentences) > 1:  # "Which one?" says nothing without what stands before it
        at = len(sentences) - 1 - sentences[::-1].index(last[0])
        last = sentences[max(0, at - 1) : at + 1]
    return " ".join(last)[-MOST:]
