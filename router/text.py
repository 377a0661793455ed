"""Tools and questions as text: what is embedded, what is searched by word, how many tokens it takes.

The recipe is part of a stored vector's key (`RECIPE`): raise it whenever a text below changes.
Source: the reference recipe measured for tool retrieval (names split, parameters with descriptions and enum
values in both channels; Chinese, Japanese and Korean as character bigrams; English stemmed).
"""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain

import Stemmer

from router.types import Tool

RECIPE = "1"
DIGESTS_BEGIN = f"{RECIPE}:"

# As much of a long question, and of what stands around it, is searched by word, in parts of its whole length.
MAX_QUERY_CHARS = 2_000
MAX_TOOL_CHARS = 1_500
MAX_EXAMPLES = 10  # of a tool are embedded; all of them are searched by word
# As much of a question is embedded: an encoder takes 14 ms for 500 characters, 62 ms for 2,000.
MAX_GIST_CHARS = 600
# Of what is longer, sentences of so many characters together: two of Chinese, Japanese or Korean each.
MAX_PIECES_WIDTH = 200
# As much of a tool is searched by word: ten times what the longest tools of known catalogues say of themselves.
MAX_SEARCHED_CHARS = 32_000
MAX_KEYWORD_CHARS = 256  # of a keyword or tag; no question is searched for a longer one

# Normalising takes time that grows with the square of a run of combining marks, in C and with the interpreter held. So
# it is done in pieces, which end where nothing is joined across: 30 marks in a row are the most that any language
# needs (UAX #15, stream-safe text), and a run of more is cut.
_PIECE = 256
_MOST_JOINED = 64

_LONGEST_DEMAND = 80
_DEMANDS = (
    re.compile(r"([^の、。，\s]{1,20}を[^。]{2,20})$"),
    re.compile(r"(\S+[을를] .{2,20})$"),
    re.compile(r"^(.{1,8}?[一两三几][张個个份条篇首封])[^，。]*的([^的，。]{1,10})$"),
)
_PARTS = 8
_PIECE_CHARS = 150
_MOST_CUT = 32_000
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])|\n+")

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
CJK = (
    r"\u3041-\u309f"  # Hiragana
    r"\u30a0-\u30ff"  # Katakana
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han
    r"\uac00-\ud7af"  # Hangul
)
_TOKEN = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+")
_BETWEEN_ASCII_TOKENS = {code: " " for code in range(128) if not chr(code).isalnum()}
_IS_CJK = re.compile(rf"[{CJK}]")
_LONGEST_WORD = 64  # what is longer is no word
# What is remembered by word has a bound in bytes: so many entries of words this short, 350 bytes each, 6 MiB; and as
# many keywords of up to 900 bytes as 7 MiB hold.
_WORDS, _LONGEST_REMEMBERED = 16_384, 24
_KEYWORDS, _LONGEST_KEYWORD = 8_192, 64
_WIDE = bytes(range(0xE0, 0x100))  # the bytes that begin a character of three bytes or four
_STEMMER = threading.local()  # PyStemmer objects are not thread-safe


def normalised(text: str) -> str:
    """Return the text in NFKC, in time that grows with its length alone.

    Exact for any text without a run of more than 64 marks. Whoever has a text of any length cuts it first.
    """
    if text.isascii():
        return text
    if len(text) <= _PIECE:
        return unicodedata.normalize("NFKC", text)
    pieces, start = [], 0
    while start < len(text):
        end = start + _PIECE
        if end < len(text):
            end = next((at for at in range(end, end - _MOST_JOINED, -1) if _begins(text[at])), end)
        pieces.append(unicodedata.normalize("NFKC", text[start:end]))
        start = end
    return "".join(pieces)


def split_name(name: str) -> str:
    """Split `get_userById` into `get user By Id`."""
    return _CAMEL.sub(" ", name.replace("_", " ").replace("-", " ").replace(".", " "))


def summary(tool: Tool) -> str:
    """Give `split name: description`."""
    return f"{split_name(tool.name[:MAX_TOOL_CHARS])}: {tool.description[:MAX_TOOL_CHARS]}"[:MAX_TOOL_CHARS]


def detail(tool: Tool) -> str:
    """Give the summary and every parameter's name, description and enum values."""
    parts = (f"{p.name}: {p.description} {' '.join(p.values)}".rstrip() for p in tool.parameters)
    return _joined(chain((summary(tool),), parts), MAX_TOOL_CHARS)


def views(tool: Tool) -> list[str]:
    """Give the texts whose vectors' mean is the tool's: summary, detail, and the questions it is an answer to."""
    return [summary(tool), detail(tool), *(said[:MAX_GIST_CHARS] for said in tool.examples[:MAX_EXAMPLES])]


def searchable(tool: Tool) -> str:
    """Give everything a word can hit: texts, parameters, tags, keywords and example questions, as far as it goes."""
    name, most = split_name(tool.name[:MAX_SEARCHED_CHARS]), MAX_SEARCHED_CHARS
    parameters = (f"{split_name(p.name[:most])} {p.description} {' '.join(p.values)}" for p in tool.parameters)
    parts = chain((name, tool.description), parameters, tool.tags, tool.keywords, tool.examples)
    return _joined(parts, most)


def document(tool: Tool) -> list[str]:
    """Split everything a word can hit into tokens."""
    return tokens(searchable(tool))


def named(tool: Tool) -> list[str]:
    """Split a tool's name into tokens."""
    return list(dict.fromkeys(tokens(split_name(tool.name[:MAX_SEARCHED_CHARS]))))


def digest(tool: Tool) -> str:
    """Hash what a tool's vector is made of; equal digests have equal vectors (for one encoder).

    32 characters, of which the first tell the recipe.
    """
    texts = "\0".join(views(tool))
    return DIGESTS_BEGIN + hashlib.blake2b(texts.encode("utf-8", "surrogatepass"), digest_size=15).hexdigest()


def terms(text: str) -> list[str]:
    """Split text into search terms: English stems, and character bigrams for Chinese, Japanese and Korean."""
    return list(chain.from_iterable(map(terms_of, tokens(text))))


def tokens(text: str) -> list[str]:
    """Split text into runs of one kind of writing; `terms_of` each are its search terms."""
    if text.isascii():
        return text.translate(_BETWEEN_ASCII_TOKENS).split()  # a fifth of the time that the pattern takes
    return _TOKEN.findall(normalised(text))


def terms_of(token: str) -> tuple[str, ...]:
    """Split a token into search terms."""
    if token.isascii() or not _IS_CJK.match(token):
        if len(token) <= _LONGEST_REMEMBERED and token[1:].islower():  # one word: it has no capital to be split at
            return _stem(token.lower())
        return tuple(_words(token))
    if len(token) == 1:
        return (token,)
    return tuple(token[i : i + 2] for i in range(len(token) - 1))


def gist(text: str) -> str:
    """Give what of a question is embedded: its start and its end."""
    return _ends(text, MAX_GIST_CHARS)


def gist_pieces(text: str) -> tuple[str, ...]:
    """Return a question as what is embedded of it: the text itself, or some sentences of a long one, in their order.

    Those that ask come first, then the last and the first ones, then the others from the end, as many as there is room
    for; of sentences without an end, parts.
    """
    if len(text) <= MAX_GIST_CHARS:
        return (text,)
    pieces = _sentences(text)
    last = len(pieces) - 1
    asking = [i for i in range(last, -1, -1) if pieces[i][-1] in "?？"]
    order = dict.fromkeys((*asking, last, 0, *range(last - 1, 0, -1)))
    room = MAX_PIECES_WIDTH
    chosen: list[int] = []
    for i in order:
        room -= width(pieces[i])
        if chosen and room < 0:
            break
        chosen.append(i)
    return tuple(dict.fromkeys(pieces[i] for i in sorted(chosen)))


def demand(text: str) -> str:
    """Return what is to be done with what kind of thing, without what tells that thing from others; "" as a rule.

    夕焼けの猫の画像を作って is 画像を作って. Chinese, Japanese and Korean only: there it is told by particles.
    """
    said = text.strip().rstrip("。.!！?？~ ")
    if said.isascii() or len(said) > _LONGEST_DEMAND:
        return ""
    for pattern in _DEMANDS:
        if found := pattern.search(said):
            core = "".join(found.groups())
            return core if len(core) < len(said) else ""
    return ""


def searched_part(text: str) -> str:
    """Return what of a long text is searched by word: parts of equal length from its start to its end."""
    if len(text) <= MAX_QUERY_CHARS:
        return text
    step, length = len(text) / _PARTS, MAX_QUERY_CHARS // _PARTS
    return "\n".join(text[int(i * step) : int(i * step) + length] for i in range(_PARTS))


def width(text: str) -> int:
    """Return how long a text is to an encoder: a Chinese, Japanese or Korean character is two."""
    return len(text) if text.isascii() else len(text) + len(_IS_CJK.findall(text))


def _sentences(text: str) -> list[str]:
    """Return the sentences of a text, those of the middle of a very long one aside; long ones in parts."""
    half = _MOST_CUT // 2
    read = text if len(text) <= _MOST_CUT else f"{text[:half]}\n{text[-half:]}"
    found = (one.strip() for one in _SENTENCE_END.split(read))
    parts = (one[at : at + _PIECE_CHARS].strip() for one in found for at in range(0, len(one), _PIECE_CHARS))
    return [one for one in parts if one] or [text[:_PIECE_CHARS]]


def phrases(text: str, longest_words: int = 4, longest_chars: int = 8) -> Iterator[str]:
    """Give every run of words, and every run of CJK characters, that could be a keyword; case-folded."""
    folded = normalised(text).casefold()
    words = [match.group() for match in _TOKEN.finditer(folded)]
    for i, word in enumerate(words):
        if _IS_CJK.match(word):
            for start in range(len(word)):
                for end in range(start + 1, min(start + longest_chars, len(word)) + 1):
                    yield word[start:end]
        for end in range(i + 1, min(i + longest_words, len(words)) + 1):
            yield " ".join(words[i:end])


def keywords(tool: Tool) -> set[str]:
    """Give a tool's keywords and tags in the form in which `phrases` finds them."""
    return {phrase(word[:MAX_KEYWORD_CHARS]) for word in (*tool.keywords, *tool.tags)} - {""}


def phrase(keyword: str) -> str:
    """Give a keyword in the form in which `phrases` finds it."""
    return _remembered_phrase(keyword) if len(keyword) <= _LONGEST_KEYWORD else _phrase(keyword)


@lru_cache(maxsize=_KEYWORDS)
def _remembered_phrase(keyword: str) -> str:
    return _phrase(keyword)


def _phrase(keyword: str) -> str:
    folded = normalised(keyword).casefold()
    return " ".join(match.group() for match in _TOKEN.finditer(folded))


def estimate_tokens(definition: bytes) -> int:
    """Estimate what a definition costs in a prompt.

    Four bytes a token for ASCII; a Chinese, Japanese or Korean character (three bytes of UTF-8) is about one
    token. Good to about 15 % against common vocabularies, which differ among themselves by as much.
    """
    wide = 0 if definition.isascii() else len(definition) - len(definition.translate(None, _WIDE))
    return max(1, (len(definition) - 3 * wide) // 4 + wide)


def _joined(parts: Iterable[str], most: int) -> str:
    """Return the parts with blanks between them, as many as there is room for."""
    taken, room = [], most
    for part in parts:
        taken.append(part[:room])
        room -= len(part) + 1
        if room < 0:
            break
    return " ".join(taken)[:most]


def _begins(character: str) -> bool:
    """Return whether nothing before a character can join it: no mark, and no later part of a Korean syllable."""
    first = unicodedata.normalize("NFKD", character)[0]
    return not (unicodedata.category(first).startswith("M") or "\u1160" <= first <= "\u11ff")


def _ends(text: str, limit: int) -> str:
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}\n{text[-half:]}"


@lru_cache(maxsize=_WORDS)
def _stem(word: str) -> tuple[str, ...]:
    return tuple(_words(word))


def _words(token: str) -> Iterator[str]:
    stemmer = getattr(_STEMMER, "english", None)
    if stemmer is None:
        stemmer = _STEMMER.english = Stemmer.Stemmer("english")
    for word in _CAMEL.sub(" ", token).split():
        yield stemmer.stemWord(word.lower()) if len(word) <= _LONGEST_WORD else word[:_LONGEST_WORD]
