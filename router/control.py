"""Which tools of an agent's own list steer the agent: they end it, ask its user, hand over, think, run its commands.

No question speaks of them, so no search finds them, and without them the agent cannot go on. They are recognised by
their names: all words of such a name are about the conversation itself and none is about the world. Beside them stand
tools that have no sibling: no other tool of the list shares a word with them that says what they are about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from router import text
from router.catalog import Catalog

_ENDS = """
answer answers final finalize finish finished done complete completed completion end terminate exit stop submit
submission result results output return respond response reply report conclude yield success fail failure give forfeit
conversation call session loop idle turn raise exception control progress
"""
_THINKS = """
think thinking thought thoughts reason reasoning reflect reflection plan planner planning todo todos scratchpad
"""
_ASKS = """
ask user human person people operator question questions followup follow clarify clarification confirm confirmation
approval input notify message interrupt interaction feedback help assistance request review
"""
_HANDS_OVER = """
transfer handoff hand handover delegate escalate agent agents subagent subagents assistant coworker teammate
supervisor orchestrator manager expert member swarm spawn close
"""
_RUNS = """
bash shell terminal sh zsh powershell command commands cmd execute exec run kill python code interpreter ipython
jupyter repl cell computer execution stdin slash editor edit str replace based patch diff apply undo
"""
_GOES_ON = """
task tasks subtask mode modes act switch new start begin continue attempt wait sleep pass noop nothing skip skill
skills tool tools use summarize condense compact condensation context checkpoint tracker mcp remember recall
"""
_CONTROL = frozenset(" ".join((_ENDS, _THINKS, _ASKS, _HANDS_OVER, _RUNS, _GOES_ON)).split())
_LITTLE = """
a an and any at back by for from in into it its me multi my of off on or out over the this to up with your
"""
_PARTICLES = frozenset(_LITTLE.split())
# What an agent keeps for itself may be read and written; who reads and writes a user or a message is at work.
_NOTES = "todo todos plan scratchpad answer final thought thoughts memory memories subagent subagents"
_KEPT = frozenset(_NOTES.split())
_DOES = """
add all append check create delete do find get list make manage read remove save search send set show store update use
view write
"""
_VERBS = frozenset(_DOES.split())
_STEERS = frozenset({"transfer", "handoff", "hand", "handover", "delegate", "escalate", "route"})
_TO = frozenset({"to", "back"})
_MCP = "mcp__"
_LONGEST = 128  # characters of a name


def control(own: Catalog) -> list[int]:
    """Return the positions of the tools that steer their agent, in order."""
    return [position for position, tool in enumerate(own.tools) if is_control(tool.name)]


def is_control(name: str) -> bool:
    """Return whether a tool of this name steers its agent. One that a server brought (`mcp__…`) never does."""
    words = _words(name)
    if not words or name.startswith(_MCP):
        return False
    if words[0] in _STEERS and not _TO.isdisjoint(words[1:3]):
        return True
    said = set(words) - _PARTICLES
    if not _KEPT.isdisjoint(said):
        said -= _VERBS
    return bool(said) and said <= _CONTROL | _KEPT


def alone(own: Catalog, positions: Collection[int]) -> list[int]:
    """Return those of the positions that have no sibling in the list, in order."""
    told = [set(_words(tool.name)) - _CONTROL - _PARTICLES - _VERBS for tool in own.tools]
    shared = Counter(word for words in told for word in words)
    return [position for position in sorted(positions) if all(shared[word] == 1 for word in told[position])]


def _words(name: str) -> list[str]:
    return [word.lower() for word in text.tokens(text.split_name(name[:_LONGEST]))]
