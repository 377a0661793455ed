"""What is said around a request and asks for nothing: greetings and thanks, and an agent's own process.

Both are judged sentence by sentence: a single sentence that says something else makes it a request.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

from app.wire.cues import VERBS

_SALUTATION = 24  # characters of one: it harms nothing where it stands
_LONGEST = 400
_SENTENCES = re.compile(r"(?<=[.!?。！？~])\s*|\n+")
_POLITE = re.compile(
    r"(?:hello|hi|hey|dear|good (?:morning|afternoon|evening|day)|greetings|hallo|hola"
    r"|bonjour)\b(?:[ ,]+[\w'’]+){0,4}[\s,.!]*$"
    r"|(?:i|we) (?:really )?hope (?:that )?(?:you|this|all|everything|the|your)\b.{0,60}$"
    r"|hope (?:you|all|this)\b.{0,60}$"
    r"|(?:(?:many|so many) thanks|thanks|thank you|thx|cheers|much appreciated|(?:i|we)(?:'d"
    r"| would)? (?:really )?appreciate"
    r"|(?:i am|i'm|we are) (?:so |very )?(?:grateful|sorry)|sorry\b|apologies|excuse me|pardon)\b.{0,90}$"
    r"|you(?:'re| are) (?:a |an |the )?(?:great|star|best|life ?saver|wonderful|amazing|big help).{0,40}$"
    r"|(?:have a|enjoy (?:your|the)|wish(?:ing)? you) .{0,40}$|no (?:rush|hurry|worries)\b.{0,30}$"
    r"|(?:i|we)(?:'ve| have) (?:a|one|another) (?:\w+ ){0,2}(?:thing|question|favou?r|request|ask)\b.{0,70}$"
    r"|(?:a )?quick (?:question|favou?r|one)[\s,.!:]*$|(?:best|kind|warm|many) (?:regards|wishes)\W*$"
    r"|vielen dank.{0,40}$"
    r"|(?:muchas )?gracias.{0,40}$|merci.{0,40}$"
    r"|(?:您好|你好|大家好|早上好|下午好|晚上好|嗨|哈喽)[\w，, ]{0,12}[。！!~]*$|(?:非常|十分|多)?(?:感谢|谢谢"
    r"|多谢)[^?？]{0,20}$"
    r"|(?:辛苦|麻烦)(?:您|你|大家)?了[。！!~]*$|(?:不好意思|抱歉|打扰)[^?？]{0,14}$|祝(?:您|你)[^?？]{0,20}$"
    r"|(?:いつも)?(?:大変)?お世話になって(?:おり|い)ます[。！]*$|お疲れ(?:さま|様)[^?？]{0,10}$|(?:こんにちは"
    r"|こんばんは|おはよう(?:ございます)?|はじめまして)[。！、]*$"
    r"|(?:どうも)?(?:ありがとう|感謝)[^?？]{0,20}$|(?:すみません|恐れ入ります|失礼します|失礼いたします)[^?？]{0,10}$"
    r"|お(?:手数|忙しい)[^?？]{0,40}$|(?:以上、|どうぞ|何卒)?(?:よろしく|宜しく)お願い(?:いた|致)?します[。！]*$"
    r"|.{1,20}の.{1,8}です[。]$"
    r"|(?:안녕하세요|안녕하십니까|반갑습니다)[^?？]{0,20}$|.{0,12}(?:감사합니다|감사드립니다|고맙습니다|감사해요"
    r"|고마워요?)[.!~]*$"
    r"|.{0,10}수고(?:하|많|가)[^?？]{0,12}$|(?:죄송|실례|번거롭)[^?？]{0,20}$|좋은 하루[^?？]{0,12}$"
    r"|잘 부탁(?:드립니다|드려요|해요)[.!~]*$",
    re.IGNORECASE,
)
_ANY_VERB = re.compile(rf"\b{VERBS.pattern}", re.IGNORECASE)
_GREETING = re.compile(r"(?:hello|hi|hey|dear|good|hallo|hola|bonjour)\b", re.IGNORECASE)

_GO_AHEAD = re.compile(
    r"(?:please |now |ok(?:ay)?,? )?(?:continue|proceed|keep (?:going|working)|go on|carry on)"
    r"(?: (?:with|on) (?:the|your|this|that) (?:\w+ ){0,2}(?:task|work|plan|step|job)s?| working| until .{0,40}"
    r"| from where .{0,40}| now)*[\s.!]*$"
    r"|(?:请)?继续(?:执行|完成|工作|任务|当前任务)*[。！]*$|(?:作業を|タスクを)?(?:続けて"
    r"|続行して)(?:ください)?[。！]*$|(?:작업을 ?)?계속(?: ?진행)?(?:하세요|해 ?주세요|진행하세요|해)?[.!]*$",
    re.IGNORECASE,
)
_PROCESS = re.compile(
    r"\b(?:steps?|turns?|iterations?|rounds?|attempts?|tool ?calls?|messages)\b.{0,30}\b(?:used|left|remain\w*"
    r"|of \d+|so far)\b"
    r"|\b(?:used|left|remain\w*|step|turn|iteration|round) \(?\d+ ?(?:of|/|out of) ?\d+|\d+ (?:of"
    r"|out of) \d+ (?:steps|turns|iterations|rounds|calls)"
    r"|\btokens?\b.{0,40}\d|\d.{0,20}\btokens?\b|\d+ (?:remaining|left)\b|\bcontext window\b|\btoken (?:usage"
    r"|budget)\b"
    r"|\bto-?do list\b|\bhuman (?:help|input|intervention|assistance)\b"
    r"|\b(?:call|use|invoke) the [`'\"]?(?:\w+ ?){1,3}[`'\"]? tool\b|\battempt_completion\b"
    r"|\byou (?:did not|didn't|have not|must|should) (?:use|call|used|called) (?:a|any|the|one) tool"
    r"|\bif (?:you (?:are|have|think|believe)|the task|everything|you're) .{0,30}(?:done|complete\w*|finish\w*"
    r"|solved)\b"
    r"|\b(?:complete|finish|work on|resume) (?:the|your) (?:remaining |current |next )?(?:task|step|work)s?\b"
    r"|\bgive your final answer\b|\b(?:next|remaining) steps?\b|\btime (?:left|remaining)\b"
    r"|(?:剩余|已用|已使用|还剩).{0,10}(?:步|轮|次|token|令牌)|待办(?:列表|清单)|(?:任务"
    r"|如果).{0,8}(?:已)?完成.{0,6}(?:请)?(?:调用|结束|回复)|(?:不要|无需).{0,4}(?:询问|请求)(?:用户|人工)"
    r"|(?:残り|使用済み).{0,12}(?:ステップ|回|トークン)|(?:ステップ|トークン).{0,20}(?:残り|使用)|(?:todo"
    r"|タスク)リスト|完了(?:し(?:たら|た場合)).{0,20}(?:ツール|呼び出|終了)"
    r"|(?:남은|사용한).{0,12}(?:단계|토큰|횟수)|(?:단계|토큰).{0,12}(?:남|사용)|할 ?일 목록|(?:완료|끝)(?:되면"
    r"|했으면|하면).{0,20}(?:도구|호출|종료)",
    re.IGNORECASE,
)


class Process(IntEnum):
    """How surely somebody speaks about an agent's own process."""

    NOT = 0
    GO_AHEAD = 1  # a person may say so, too
    SURELY = 2


def is_polite(text: str) -> bool:
    """Return whether a text greets, thanks or excuses, and says nothing else."""
    if len(text) > _LONGEST or (text[-1:] in ",，、" and len(text) <= _SALUTATION):
        return False
    sentences = [one.strip() for one in _SENTENCES.split(text) if one.strip()]
    return bool(sentences) and all(_is_polite(one) for one in sentences)


def _is_polite(sentence: str) -> bool:
    if not _POLITE.match(sentence):
        return False
    return not (_GREETING.match(sentence) and _ANY_VERB.search(sentence))


@lru_cache(maxsize=1_024)
def process_of(text: str) -> Process:
    """Return whether each sentence of a text is about an agent's own process: steps, tokens, going on, finishing."""
    if len(text) > _LONGEST:
        return Process.NOT
    sentences = [one.strip() for one in _SENTENCES.split(text) if one.strip()]
    if not sentences:
        return Process.NOT
    surely = [_PROCESS.search(one) is not None for one in sentences]
    if not all(sure or _GO_AHEAD.match(one) for sure, one in zip(surely, sentences, strict=True)):
        return Process.NOT
    return Process.SURELY if any(surely) else Process.GO_AHEAD
