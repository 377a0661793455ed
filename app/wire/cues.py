"""What words and names say about a piece of a message: who speaks in it, and whether something is asked for.

None of it knows a certain harness. Names of tags and headings are read word by word (`user_query`, `userRequest`,
`System Reminder`), texts by what questions, requests and notes to a model are made of, in English, Chinese, Japanese
and Korean.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

LONGEST_NAME = 64  # characters of a tag's name or a heading; what is longer is a sentence


class Voice(IntEnum):
    """What a name says of what stands under it.

    The higher an asking one, the surer: a task may be the template's, a question is the person's.
    """

    HARNESS = -3
    ANSWER = -2
    CONTEXT = -1
    NOBODY = 0
    MAYBE = 1
    PERSON = 2
    QUESTION = 3


_WORDS: dict[Voice, str] = {
    Voice.QUESTION: (
        "question query queries ask asked q frage pregunta consulta domanda pergunta вопрос 问题 提问 问 疑问 "
        "用户问题 問題 质问 質問 問い 質問内容 질문 문의 질의"
    ),
    Voice.PERSON: (
        "request user human customer message utterance feedback says 用户 用户输入 请求 用户请求 需求 用户消息 "
        "ユーザー 依頼 要望"
        " リクエスト 入力文 사용자 요청 요청사항 고객 anfrage nachricht solicitud mensaje richiesta messaggio "
        "demande requête"
        " solicitação mensagem usuario usuário utilisateur benutzer запрос сообщение"
    ),
    Voice.MAYBE: (
        "task goal objective prompt instruction input issue todo command problem assignment 任务 目标 指令 输入 "
        "命令 タスク "
        "指示 目的 入力"
        " 作業 작업 과제 목표 지시 입력 명령"
    ),
    Voice.ANSWER: (
        "answer response reply assistant ai bot output completion a antwort respuesta réponse risposta resposta "
        "ответ 回答 答案 回复 助手 输出 答え 返答 応答 "
        "アシスタント 出力"
        " 답변 답 응답 출력 어시스턴트"
    ),
    Voice.CONTEXT: (
        "context document documents doc docs source sources file files data dataset attachment attachments "
        "content contents"
        " article articles passage passages chunk chunks snippet snippets code email mail thread transcript log "
        "logs history"
        " histories conversation chat dialogue example examples selection page html body results search knowledge "
        "reference"
        " references material materials background diff patch table csv json yaml xml schema quote excerpt text "
        "report"
        " notes facts evidence abstract website webpage web url link image clipboard message_history trace "
        "traceback stack"
        " 上下文 文档 资料 参考 参考资料 参考内容 背景 知识 知识库 引用 内容 已知信息 检索结果 搜索结果 聊天记录 "
        "历史 对话历史 附件 文件 邮件 日志 原文"
        " 文章 例子 示例 数据 文脈 コンテキスト 資料 参考情報 参考資料 文書 ドキュメント 検索結果 会話履歴 履歴 "
        "背景情報 本文 メール 添付 ファイル ログ"
        " 例 引用 문맥 맥락 컨텍스트 자료 참고 참고자료 문서 배경 검색결과 대화기록 이력 본문 메일 이메일 첨부 "
        "파일 로그 예시 예 인용"
        " kontext contexto contexte contesto контекст これまでの会話 会話 이전 대화 대화"
        " div p section article nav table ul ol pre script style head header footer svg form main aside tr td th li"
    ),
    Voice.HARNESS: (
        "reminder reminders environment env system instructions rules rule guidelines guideline tool tools result "
        "stdout stderr"
        " metadata meta config configuration settings hook hooks policy policies persona role format state status "
        "mode editor"
        " ide workspace cwd timestamp date datetime time timezone now current today locale info information "
        "details memory"
        " memories progress constraints requirements note warning important caveat usage tokens budget "
        "capabilities skills"
        " agents function functions thought thoughts action actions observation observations cursor os shell git "
        "runtime session profile preferences style tone name args params steps"
        " 系统 系统提示 提示 规则 要求 回答要求 注意 注意事项 约束 限制 格式 输出格式 工具 角色 当前时间 时间 "
        "日期 环境 环境信息 设定 技能 思考 行动 观察"
        " システム 規則 ルール ガイドライン 注意点 制約 制約条件 出力形式 形式 役割 現在時刻 現在日時 日時 日付 "
        "環境 環境情報 設定 条件 ツール 思考 行動 観察"
        " 시스템 규칙 지침 가이드라인 주의 주의사항 제약 제약조건 출력형식 형식 역할 현재시각 시간 날짜 환경 "
        "환경정보 설정 조건 도구 생각 행동 관찰"
    ),
}
_VOICES = {word: voice for voice, words in _WORDS.items() for word in words.split()}
_SPLIT = re.compile(r"(?<=[a-z])(?=[A-Z])|[\W_]+|(?<=\D)(?=\d)")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# A message is a person's where a word says so, or none says anything.
_SAID = frozenset(("message", "messages", "msg"))
_SPEAKING = (
    "user s users human customer customers client person latest last new newest current incoming original recent "
    "first "
    "next the my chat input request question query employee member guest visitor"
)
_SPEAKERS = frozenset(_SPEAKING.split(" "))


@lru_cache(maxsize=2_048)
def voice_of(name: str) -> Voice:
    """Return who speaks under a tag or a heading of this name; its last word says most."""
    words = words_of(name)
    if not words:
        return Voice.NOBODY
    found = [voice for word in reversed(words) if (voice := own_voice(word)) is not Voice.NOBODY]
    if not found:
        return Voice.NOBODY
    if words[-1] in _SAID and not _SPEAKERS.issuperset(words[:-1]):
        return Voice.CONTEXT  # an error's, a commit's, a command's
    if Voice.HARNESS in found and found[0] in (Voice.NOBODY, Voice.MAYBE, Voice.CONTEXT):
        return Voice.HARNESS if found[0] is not Voice.MAYBE else found[0]
    return found[0]


def words_of(name: str) -> list[str]:
    """Return the words of a name, in small letters."""
    return [word.lower() for word in _SPLIT.split(name[: 2 * LONGEST_NAME]) if word]


def own_voice(word: str) -> Voice:
    """Return what one word says."""
    found = _VOICES.get(word)
    if found is None and word.endswith("s"):
        found = _VOICES.get(word[:-1])
    if found is None and _WIDE.match(word):  # no blanks between words: what it ends with says most
        found = next((_VOICES[word[at:]] for at in range(1, len(word) - 1) if word[at:] in _VOICES), None)
    return Voice.NOBODY if found is None else found


_QUESTION = re.compile(
    r"[?？]|(?:^|[.!?;:]\s+|\b(?:and|but|so|know|me|out|check)\s+)(?:what|how|where|who|whose|which|when|why)\b"
    r"|,\s+(?:what|how|why|which of)\b"
    r"|(?:^|[.!?,;:]\s+)(?:can|could|would|will|do|does|did|is|are|was|were|has|have|should|may) (?:you|i|we|it"
    r"|the|there|my|our|any\w*|some\w*|he|she|they)\b"
    r"|[吗呢]|什么|什麼|怎么|怎麼|怎样|哪|多少|几[^乎]|谁|誰|是否|能不能|有没有|是不是|为何|咋|啥"
    r"|[かの]。|か$|ですか|ますか|どこ|いつ|何[時人日件番語]|なに|だれ|どの|どれ|どんな|いくら|なぜ|でしたっけ"
    r"|だっけ|かな|かね"
    r"|까[?.]?$|나요|가요|[은는]지|뭐|뭘|뭔|무엇|어디|언제|얼마|누구|누가|몇|왜|어떻|어떤|(?:[나까냐니지]"
    r"|[는은던]가|래|더라|거야|있어)[.~ ]*$",
    re.IGNORECASE | re.MULTILINE,
)
_VERBS = (
    "add|append|analy[sz]e|answer|apply|approve|archive|arrange|ask|assign|attach|block|book|bring|build|buy|bump|calculate|call|cancel|catch"
    "|change|check|clean|clear|close|collect|compare|compile|compose|compute|convert|copy|count|create|cut|debug|delete|deploy|describe|dig|disable"
    "|download|draft|draw|email|enable|estimate|examine|explain|export|extend|extract|fetch|file|fill|filter|find|fix|forward|generate|get|give|grab"
    "|help|identify|implement|import|inform|insert|install|invite|investigate|join|keep|launch|let|list|locate|lock|log|look|mail|make|map|mark|merge"
    "|message|migrate|monitor|move|mute|name|notify|open|order|organi[sz]e|pause|pay|pencil|pick|ping|plan|play|post|predict|prepare|print|provide|pull"
    "|publish|push|put|query|read|rebook|recommend|record|refactor|refund|register|reject|release|remind|remove|rename|renew|repeat|reply|report|request"
    "|reschedule|reserve|reset|resolve|restart|restore|resume|retrieve|return|review|rewrite|roll|run|save|scale|scan|schedule|search|see|select|send|set"
    "|share|ship|show|sign|sort|split|start|stop|store|submit|subscribe|suggest|summari[sz]e|switch|take|tell|test|text|trace|track|transfer|translate"
    "|trigger|try|turn|undo|unlock|update|upgrade|upload|use|verify|view|wake|walk|watch|write"
)
VERBS = re.compile(rf"(?:{_VERBS})\b", re.IGNORECASE)
_IMPERATIVE = re.compile(
    rf"(?:^|[.!?,;:]\s+|\b(?:please|you to|just|also)\s+)(?:{_VERBS})\b|\bplease\b|\b(?:i|we)(?: would"
    rf"|'d)? (?:want|need|like|wish)\b"
    r"|请|請|帮|幫|给我|給我|替我|把|看看|看一下|查[一下询看]|想[要看知]|麻烦|我要|弄[个一]|来[个份]|存成|让它"
    r"|写[一个封]|翻译|总结|生成|列出"
    r"|ください|下さい|お願い|ほしい|欲しい|たい(?:です|の|。|$)|もらえ|もらって|[てでけせ](?:ね|よ)?[。！\s]*$"
    r"|教えて|見せて|出して|まとめ"
    r"|주세요|줘|주십시오|해라|하세요|싶[어은다]|바랍니다|부탁|[려해]줄래|알려|보여|찾아",
    re.IGNORECASE | re.MULTILINE,
)
# Notes to the model about its own answer, and what speaks about the user instead of for him: a part of a text, in small
# letters, and what must stand around it. Looking for parts takes a hundredth of looking for patterns.
_GIVEN = r"\b(?:provided|given|following|above|below|retrieved|relevant|this|for (?:your )?)\s?"
_NOTES = {
    part: re.compile(pattern) if pattern else None
    for part, pattern in (
        (
            "context",
            rf"{_GIVEN}context|context (?:information|below|above|provided|to)|from (?:the )?context|context from",
        ),
        ("information", rf"{_GIVEN}information"),
        ("document", r"(?:provided|given|above|retrieved|relevant|these) documents?"),
        ("search results", ""),
        ("prior knowledge", ""),
        ("learned knowledge", ""),
        ("if you ", r"if you (?:do not|don't|cannot|can't|are not sure|are unsure)"),
        ("just say", ""),
        ("do not ", r"do not (?:make up|mention|use|include|invent|answer|reveal|respond|refer)"),
        ("don't ", r"don't (?:make up|mention|invent|try to make)"),
        ("you are ", r"\byou are (?:an?|the) \w+"),
        (
            "answer",
            r"\banswer (?:to )?(?:the|all) (?:user|question|query|following|last)|\banswer to user|\banswer only\b",
        ),
        ("respond ", r"\brespond (?:in|with|only|to)\b"),
        (
            "in ",
            (
                r"\b(?:reply|respond|answer|write your \w+)(?: only| always| strictly)? in (?:the same language"
                r"|(?:\w+ )?\w+)(?=[.,;!]|\s*$)"
            ),
        ),
        ("terminate", r"\b(?:reply|respond|say|answer|output|print|write)\b.{0,20}terminate"),
        ("when ", r"when (?:the task is|you are|you're|you have) (?:\w+ )?(?:done|finished|complete\w*)"),
        ("once ", r"once (?:the task is|you are|you're|you have) (?:\w+ )?(?:done|finished|complete\w*)"),
        ("if it helps", ""),
        ("if relevant", ""),
        (
            "files",
            (
                r"\b(?:these|the|following|all) (?:\w+ )?files\b.{0,30}(?:to|in) the (?:chat|conversation|context)"
                r"|files' contents"
            ),
        ),
        ("contents", r"\b(?:their|true|file) contents\b|contents of (?:the|these|this) files?"),
        ("file", r"\bfiles? (?:above|below)\b|\bhas (?:uploaded|attached|shared) .{0,20}files?"),
        ("out of date", ""),
        ("outdated", ""),
        ("citation", ""),
        ("cite ", r"\bcite\b"),
        ("the user", r"\bthe user\b"),
        ("the assistant", ""),
        ("the human", ""),
        ("step by step", ""),
        ("your ", r"\byour (?:answer|response|reply|final|task|role|tools?)\b"),
        ("json ", r"\bjson (?:object|format|schema)\b"),
        ("format", r"\b(?:output|response|following) format\b"),
        ("tool", r"\btools? (?:use|calls?|below|available)\b|following tools"),
        ("xml tag", ""),
        ("</", r"</?\w+>"),
        ("todo ", r"todo (?:list|tool)"),
        ("ignore ", r"\bignore (?:this|it)\b"),
        ("as an ai", r"\bas an ai\b"),
        ("automatically", r"automatically (?:generated|included|added|attached)"),
        ("may or may not", ""),
        ("be concise", ""),
        ("be brief", ""),
        ("write a response", ""),
        ("completes the request", ""),
        ("for reference", ""),
        ("根据", r"根据(?:以下|上述|下面|上面|给定|提供|已知)"),
        ("基于", r"基于(?:以下|上述)"),
        ("上下文", ""),
        ("参考", r"参考(?:内容|资料|信息)|作为.{0,12}参考"),
        ("回答", r"回答(?:用户|问题|要求|下面|以下)|语言回答"),
        ("请用", r"请(?:始终|务必)?(?:用|使用).{1,12}(?:回答|回复|作答|答复|输出|语言)"),
        (
            "回复",
            (
                r"(?:回复|回答|答复|输出|答案).{0,6}(?:控制在|限制在|不超过|不得超过|请勿|不要|应当?|必须"
                r"|需要?).{0,12}|(?:请勿|不要|不得)(?:透露|泄露)"
            ),
        ),
        ("透露", r"(?:请勿|不要|不得|切勿)(?:透露|泄露)"),
        ("字以内", ""),
        ("条理清晰", ""),
        ("分点", r"分点(?:说明|回答|列出|作答|阐述)"),
        ("信息不足", ""),
        ("以下", r"参考以下|以下(?:是|为).{0,12}(?:文件|资料|内容|制度|记录)"),
        ("不知道", ""),
        ("不清楚", ""),
        ("不要", r"不要(?:编造|提及|使用)"),
        ("避免", r"避免(?:提及|编造)"),
        ("你是", r"你是(?:一[个名位]|[^，。]{1,12}助手)"),
        ("知识库", ""),
        ("标记中", ""),
        ("用户的", ""),
        ("保持答案", ""),
        ("已知信息", ""),
        ("以下の", r"以下の(?:文脈|情報|コンテキスト|資料|文書|ドキュメント|参考|質問)"),
        ("上記の", r"上記の(?:文脈|情報|コンテキスト|資料|文書|ドキュメント|参考)"),
        ("文脈", ""),
        ("コンテキスト", ""),
        ("質問に", r"質問に(?:答え|回答|お答え)"),
        ("場合", r"(?:わからない|分からない|不明な)場合"),
        ("あなたは", ""),
        ("ユーザーの", ""),
        ("回答してください", ""),
        ("簡潔に", ""),
        ("回答は", r"回答は.{0,12}(?:必ず|日本語|文字|簡潔|敬語|箇条|\d)|回答は(?:必ず|すべて)"),
        ("答えは", r"答えは.{0,12}(?:必ず|日本語|文字|簡潔|敬語|箇条|\d)"),
        ("文字以内", ""),
        ("日本語で", r"日本語で(?:回答|答え|返答|返信して)"),
        ("踏まえて", r"(?:上記|以上|以下)を踏まえて"),
        ("다음", r"다음 ?(?:문맥|맥락|정보|자료|문서|컨텍스트|내용|질문)"),
        ("문맥", ""),
        ("컨텍스트", ""),
        ("질문에", r"질문에 (?:답|대답|응답)"),
        ("모르", r"모르(?:면|는 경우|겠)"),
        ("당신은", ""),
        ("사용자의", ""),
        ("답변해", ""),
        ("답변은", r"답변은 (?:반드시|항상|모두|최대|한국어|영어|존댓말|간결|\d|.{0,12}(?:이내|작성))"),
        ("답은", r"\b답은 (?:반드시|항상|한국어|영어|존댓말|간결|\d)"),
        ("존댓말", r"존댓말로 (?:작성|답|대답|응답|말)"),
        ("답변에 ", r"답변에 (?:포함|표시|넣지)"),
        ("문장", r"문장 ?(?:을|이내|이하|으로)"),
        ("너는 ", r"너는 .{1,16}(?:이다|봇|비서|도우미)"),
        ("자료를 참고", ""),
    )
}
_CLOCK = re.compile(
    r"\b(?:current|today'?s?|local|present|now)(?: (?:local|system|utc))? ?(?:date|time|day)\b|\btoday is\b"
    r"|\b(?:it is|date is) now\b|\btime ?zone\b|\btimestamp\b|\bthe (?:date|time) is\b|\b(?:utc|gmt)[+-]\d"
    r"|(?:当前|现在|目前|今天)的?(?:日期|时间|北京时间)|今天是|现在是|时区|(?:現在|今日|本日)の?(?:日時|時刻"
    r"|日付|時間)|(?:今日|本日)は\s?[\d０-９]|現在は?\s?\d{4}"
    r"|タイムゾーン"
    r"|(?:현재|지금|오늘)의? ?(?:시각|시간|날짜|일시)|오늘은 ?\d|시간대",
    re.IGNORECASE,
)
_MOMENT = re.compile(
    r"\d{1,4}[-/.年년]\s?\d{1,2}|\d{1,2}:\d{2}|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b20\d\d\b"
    r"|[A-Z][a-z]+/[A-Z][a-z_]+|UTC|GMT|[年月日时時월일시]|星期|曜",
    re.IGNORECASE,
)
_RESULT = re.compile(
    r"\s*(?:\[[^\]\n]{1,400}\]\s*result\s*:?|(?:observation|tool[ _](?:result|output|response|call result)s?"
    r"|function[ _](?:result|output|response)s?"
    r"|(?:command|execution|shell|terminal|code|script)[ _](?:results?|outputs?)|(?:result|output"
    r"|response)s? (?:of|from) [^\n:]{1,80}"
    r"|(?:the )?tool [`'\"]?[\w.:-]{1,64}[`'\"]? (?:returned|responded|result|output)[^\n:]{0,40}|exit code"
    r"|stdout|stderr"
    r"|工具(?:调用|执行)?(?:的)?(?:返回|结果|输出)[^\n：:]{0,20}|函数(?:返回|结果)|观察(?:结果)?|执行结果"
    r"|运行结果|命令输出"
    r"|ツール(?:の)?(?:実行)?(?:結果|出力|応答)|実行結果|観察(?:結果)?|コマンド(?:の)?出力"
    r"|도구(?:의)? ?(?:실행 ?)?(?:결과|출력|응답)|실행 ?결과"
    r"|관찰(?: ?결과)?|명령 ?출력)"
    r"[^\n:：]{0,60}[:：])",
    re.IGNORECASE,
)
_MOST_READ = 400  # characters of a text that is judged; its last ones, as requests stand at the end


def asks(text: str) -> tuple[bool, bool]:
    """Return whether there is a question in a text, and whether something is demanded."""
    seen = text[-_MOST_READ:]
    return _QUESTION.search(seen) is not None, _IMPERATIVE.search(seen) is not None


_SELF = re.compile(
    r"[\"'“\s]*(?:(?P<supposed>imagine|suppose|assume)|i|i'm|i’m|i've|my|we|our|as an?|let's)\b|我|我们|私|僕|저|제가"
    r"|우리",
    re.IGNORECASE,
)


def speaks_of_self(text: str) -> bool:
    """Return whether a text begins with a person who speaks of himself."""
    return _SELF.match(text) is not None


def supposes(text: str) -> bool:
    """Return whether a text begins with what a person wants to be supposed: `Imagine you are a cook`."""
    found = _SELF.match(text)
    return found is not None and found["supposed"] is not None


def notes(text: str) -> int:
    """Count what tells a model how to answer, three at most."""
    seen = text[:_MOST_READ].lower()
    found = 0
    for part, pattern in _NOTES.items():
        if part in seen and (pattern is None or pattern.search(seen)):
            found += 1
            if found == 3:
                break
    return found


def tells_the_time(text: str) -> bool:
    """Return whether a text says what day or time it is, and not much more."""
    return (
        len(text) <= 200 and bool(_CLOCK.search(text) and _MOMENT.search(text)) and "?" not in text and "？" not in text
    )


def result_begins(text: str) -> int:
    """Return the length of the heading of a tool's result that a text begins with; 0 where it does not."""
    found = _RESULT.match(text)
    return found.end() if found else 0
