"""What the lines of a text look like: patterns by which `blocks` tells them apart, without a look at words."""

from __future__ import annotations

import re

LINE = re.compile(
    r"(?P<blank>[ \t\r\f\v\u3000]*$)"
    r"|(?P<sign>--[ \t\r]*$)"
    r"|(?P<fence>[ \t]*(?:```|~~~).*$)"
    r"|(?P<rule>[ \t]*(?:[-=*_#~+—─]{3,}|\"{3}|'{3}|[<>]{3,})[ \t\r]*$)"
    r"|(?P<quote>[ \t]*[>＞])"
    r"|(?P<head>\#{1,6}[ \t]+\S.{0,80}|\*\*[^*]{1,60}\*\*[:：]?|【[^】]{1,40}】|[\[(][^\]\n)]{1,40}[\])][:：]?"
    r"|[■◆●▼▶□◇][ \t]*\S.{0,40}"
    r"|[=-]{2,}[ \t]*[^=\s-][^=]{0,60}?[ \t]*[=-]{2,})[ \t\r]*$"
    r"|(?P<table>[ \t]*\|.*\|[ \t\r]*$)"
    r"|(?P<data>[ \t]*(?:[{}\[\]]+,?|[{\[].*[}\]],?|\"[^\"]*\"[ \t]*:.*)[ \t\r]*$"
    r"|[ \t]*\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|[ \t]*\[?\d\d:\d\d:\d\d\b|[ \t]*(?:\[?(?:ERROR|WARN(?:ING)?|INFO"
    r"|DEBUG|TRACE|FATAL|CRITICAL)\]?\b"
    r"|at [\w$.<>/]+ ?\(|File \"|Traceback \(|Caused by:|\.\.\. \d+ more|[\w.]+(?:Error|Exception):|diff --git "
    r"|@@ |[+-]{3} [ab/]|\$ \w)"
    r"|[ \t]*(?:[-*•][ \t]+)?(?:(?:[\w.@~:-]*[/\\])+[\w.@+-]*|[\w-]+\.[a-z]{1,5})[,;]?[ \t\r]*$)"
    r"|(?P<mail>(?:Von|Betreff|Gesendet|De|Objet|Envoyé|Asunto|Para|Oggetto|From|To|Sent|Date|Subject|Cc|Reply-To"
    r"|发件人|收件人|主题|发送时间|抄送|差出人|宛先|件名"
    r"|送信日時|보낸 ?사람|받는 ?사람|제목"
    r"|날짜)[ \t]*[:：])"
    r"|(?P<list>[ \t]*(?:[-*•·‣▪]|\(?\d{1,3}[.)、]|[①-⑳])[ \t]*\S)"
)
WROTE = re.compile(
    r"(?:On .{4,120} wrote|.{0,80}(?:写道|さんは書きました|のメール|님이 작성|님의 메일|wrote))[:：]?[ \t\r]*$"
    r"|-{3,} ?(?:Original Message|Forwarded message|原始邮件|転送|원본 메시지).*$|Begin forwarded message:"
)
LABEL = re.compile(
    r"[ \t]*[#*\[(【<■\"'“]{0,4}[ \t]*(?P<label>(?:[^\n:：.。!！?？，,;{}(]"
    r"|\([^()\n]{0,60}\)){1,64}?[?？]?)[*\])】>\"'”]{0,4}[ \t]*[:：]"
    r"[*]{0,2}[ \t]*(?P<rest>.*)$"
)
WITHIN = re.compile(
    r"(?<=[.。!！?？;；])[ \t]*(?:the |my |users?'?s? |用户的?|我的?|사용자 )?"
    r"(?P<label>question|query|request|问题|提问|質問|질문)[ \t]?(?:is|是|为|は)?[ \t]?[:：][ \t]*(?=\S)",
    re.IGNORECASE,
)
SIGN_OFF = re.compile(
    r"(?:(?:best|kind|warm|many|with)? ?(?:regards|wishes)|sincerely|yours|cheers|thanks|thank you"
    r"|best)[,.!]?[ \t\r]*$"
    r"|(?:sent|gesendet|enviado|envoyé|inviato) (?:from|via|von|desde|depuis|da|de) .{2,40}$|.{0,12}(?:から"
    r"|에서) ?(?:送信|보냄)[ \t\r]*$"
    r"|发自我的.{1,12}$|此致|敬具|祝好|(?:以上、)?よろしくお願い(?:いた)?します。?[ \t\r]*$|.{0,12}드림[ \t\r]*$",
    re.IGNORECASE,
)
NOTICE = re.compile(r"(?:this|the) (?:e-?mail|message).{0,80}(?:confidential|intended|privileged)", re.IGNORECASE)
# What writes a line into a conversation says where, when and by whom: `[#ops] [09:14] <@U02> (Petra): hello`.
ENVELOPE = re.compile(
    r"(?:\[[^\]\n]{1,200}\][ \t]*){1,4}(?:<@?[!&]?\w{1,40}>[ \t]*)?"
    r"(?:[^\W\d][\w.'’-]*(?: [\w.'’-]+){0,3}[ \t]*)?(?:\([^)\n]{1,60}\))?[ \t]*(?::[ \t]+|：)(?=\S)"
)
# Values that an application puts before what a person wrote: `[mode: agent] [lang: auto] hello`.
VALUES = re.compile(r"(?:\[[^\]\[\n]{1,60}\][ \t]*){1,4}(?=[^\s(:：])")
# Ends what a heading began: `The above is the manual.`
ENDS = re.compile(
    r"(?:the above (?:is|are|was|were) .{1,60}|(?:this|that) is the end of .{1,40}"
    r"|end of (?:the )?(?:context|documents?|data|notes|manual|transcript|knowledge(?: base)?)"
    r"|以上(?:就)?(?:是|为|為|が|は)[^。\n?？]{1,20}(?:です)?[。.]?"
    r"|(?:이상|위)(?:은|는|이|가|의 내용은)? ?[^.\n?？]{1,24}입니다[.]?)[.\s]*$",
    re.IGNORECASE,
)
WHERE = re.compile(r"\d:\d\d|\[#|<@|\bid:|\d{4}-\d\d-\d\d")
VALUE = re.compile(r"[ \t]*(?:$|[-#\[]|[\w.@ -]{1,40}[ \t]*[:=])")
CLOSES = re.compile(r"im_end|end_of_turn|eot|eos|^end|endoftext")
BRACKETED = re.compile(
    r"[ \t]*(?:【(?P<wide>[^】\n]{1,40})】|\[(?P<narrow>[^\]\n:=]{1,40})\])[ \t]*(?P<rest>[^\s:：(].*)$"
)
QUOTED = re.compile(r"""(?:"[^"\n]+"|“[^”\n]+”|「[^」\n]+」)[ \t\r]*$""")
NAMED = re.compile(r"\[[\w -]{1,30}[:=]")
NAMED_VALUE = re.compile(r"[ \t]*\[[\w -]{1,30}[:=][^\]\n]{1,200}\][ \t\r]*$")
SOLID = re.compile(r"[!-~]{120,}[ \t\r]*$")
# Marks of a template's own, outside of any markup: they end a line as a break does.
MARKS = re.compile(
    r"<\|/?(?P<name>[\w ]{1,40})\|>(?:(?P<role>user|human|system|developer|assistant|model|tool)(?=\s|<|$))?"
    r"|<(?P<edge>start_of_turn|end_of_turn)>(?:(?P<who>user|model)(?=\s|<|$))?|<!--[^<>]{0,4000}-->"
)
ROLES = frozenset(("user", "human", "system", "developer", "assistant", "model", "tool"))
TAG = re.compile(r"[ \t]*(?:</?[^\W\d][\w:.-]{0,63}+(?:\s[^<>]{0,500}+)?/?>[ \t]*)+$")
CODE = re.compile(
    r"(?:(?:import|from) [\w.]+(?: import .+)?;?|(?:async )?def \w+\(.*|class \w+[(:{].*|return\b.*"
    r"|(?:const|let|var) \w+ ?=.*"
    r"|(?:public|private|static|func|function|void|int) .*[{(;]|\#include.*|[\w.\[\]]+ ?[-+]?= ?\S.*|.*[;{]"
    r"|[)}\]]+[;,]?"
    r"|(?:CREATE|ALTER|DROP|INSERT|SELECT|UPDATE|DELETE|WITH|GRANT) .*[(;,]|(?:FROM|WHERE|LEFT|INNER|JOIN|ORDER"
    r"|GROUP) [\w. ].*"
    r"|\w[\w.]*\(.*\)[;:]?|@\w+.*|index [0-9a-f]+\.\..*)[ \t\r]*$"
)
PAIRED = re.compile(r"[\w./ -]{1,40}[:=：]\s?\S.{0,100}$")
BARE = re.compile(r"[\w ]{1,30}$")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_DATA_BEGINS = (
    "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "FATAL", "CRITICAL", "at ", "File ", "Traceback", "Caused by", "diff ",
)  # fmt: skip
_MAIL_WORDS = (
    "Von Betreff Gesendet De Objet Envoyé Asunto Para Oggetto From To Sent Date Subject Cc Reply 发件 收件 主题 "
    "发送 抄送 差出人 宛先 件名 送信日時 보낸 받는 제목 날짜"
)
_MAIL_BEGINS = tuple(_MAIL_WORDS.split(" "))
_BEGINS = _DATA_BEGINS + _MAIL_BEGINS


def kind_of(line: str) -> str:
    """Return what a line looks like: the name of a group of `LINE`; or `text`, as most that begin with a letter."""
    stripped = line.strip()
    if stripped[:1].isalpha():
        is_path = " " not in stripped and ("." in stripped or "/" in stripped or "\\" in stripped)
        if not (is_path or stripped.startswith(_BEGINS) or "Error:" in line or "Exception:" in line):
            return "text"
    found = LINE.match(line)
    return (found.lastgroup if found else None) or "text"
