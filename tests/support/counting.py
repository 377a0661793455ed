"""Operations counted instead of time measured: what work grows with is seen on any machine, however busy it is.

The modules of `router` and `app` are loaded once more, with a counter beside everything that can take long: each turn
of a loop counts one, an operation on whole values counts their sizes (`x in a_tuple`, `(*a, *b)`, slices, sums, texts
put together), and so does a call of what is not ours, with what it is given and what it gives. What is known to take
more, or less, than its sizes say has a rule of its own below.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import types
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from itertools import chain, groupby, islice
from typing import Any, cast

import numpy as np

_OURS = ("router", "app")
_PLAIN = {"super", "locals", "globals"}  # look at who calls them
# What takes the same whatever it is given, or hands on what is counted where it is used.
_FREE = frozenset({
    len, isinstance, issubclass, getattr, hasattr, setattr, id, iter, next, enumerate, zip, map, filter, range, type,
    islice, chain, chain.from_iterable, partial, replace, cast,
})  # fmt: skip
_FREE_METHODS = frozenset({"append", "get", "setdefault", "move_to_end", "popitem", "put"})
_WHOLE = (str, bytes, bytearray, list, tuple)


class Operations:
    """A counter. It can be asked how many operations some work takes."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, work: Callable[[], object]) -> int:
        """Return the operations that work takes."""
        before = self.count
        work()
        return self.count - before

    def tick(self, value: Any = None) -> Any:
        """Count one, and give the value."""
        self.count += 1
        return value

    def made(self, value: Any) -> Any:
        """Count a value that was just put together, and give it."""
        self.count += 1 + _size(value)
        return value

    def contains(self, value: Any, among: Any) -> bool:
        """Look for a value, one after the other where that is how it is done."""
        self.count += 1 + (len(among) if isinstance(among, _WHOLE) else 0)
        return value in among

    def call(self, function: Any, /, *arguments: Any, **named: Any) -> Any:
        """Call a function and count it: what is ours counts itself."""
        self.count += 1
        if _is_ours(function):
            return function(*arguments, **named)
        result = function(*arguments, **named)
        self.count += _cost(function, arguments, result)
        return result


@contextmanager
def counted(*names: str) -> Iterator[tuple[Operations, list[types.ModuleType]]]:
    """Give a counter, and modules that count; all others go on with those that do not."""
    operations = Operations()
    finder = _Finder(operations)
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in _OURS}
    sys.meta_path.insert(0, finder)
    try:
        yield operations, [importlib.import_module(name) for name in names]
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] in _OURS]:
            del sys.modules[name]
        sys.modules.update(before)


class _Finder(MetaPathFinder):
    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in _OURS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, self._operations)
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, operations: Operations) -> None:
        super().__init__(fullname, path)
        self._operations = operations

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        tree = _Counting().visit(ast.parse(self.get_data(path)))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)

    def exec_module(self, module: types.ModuleType) -> None:
        one = self._operations
        vars(module).update(_tick_=one.tick, _made_=one.made, _contains_=one.contains, _call_=one.call)
        super().exec_module(module)


class _Counting(ast.NodeTransformer):
    """Puts the counter into a module."""

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._ticked(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._ticked(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs = [_wrapped("_tick_", node.ifs[0]), *node.ifs[1:]] if node.ifs else [_true()]
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) != 1 or not isinstance(node.ops[0], ast.In | ast.NotIn):
            return node
        found = _wrapped("_contains_", node.left, node.comparators[0])
        return ast.UnaryOp(ast.Not(), found) if isinstance(node.ops[0], ast.NotIn) else found

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return _wrapped("_made_", node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        sliced = isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load)
        return _wrapped("_made_", node) if sliced else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
        return _wrapped("_made_", node)

    def visit_List(self, node: ast.List) -> ast.AST:
        return self._display(node)

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        return self._display(node)

    def visit_Set(self, node: ast.Set) -> ast.AST:
        return self._display(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _PLAIN:
            return node
        return ast.Call(ast.Name("_call_", ast.Load()), [node.func, *node.args], node.keywords)

    def _ticked(self, node: ast.For | ast.While) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_wrapped("_tick_")))
        return node

    def _display(self, node: ast.List | ast.Tuple | ast.Set) -> ast.AST:
        self.generic_visit(node)
        reads = isinstance(node, ast.Set) or isinstance(node.ctx, ast.Load)
        spread = reads and any(isinstance(one, ast.Starred) for one in node.elts)
        return _wrapped("_made_", node) if spread else node


def _wrapped(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _true() -> ast.expr:
    return _wrapped("_tick_", ast.Constant(value=True))


def _is_ours(function: Any) -> bool:
    inner = getattr(function, "__func__", function)
    module = getattr(inner, "__module__", None) or ""
    return module.partition(".")[0] in _OURS and isinstance(inner, types.FunctionType | type)


def _size(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return int(value.size)
    return len(value) if isinstance(value, (*_WHOLE, dict, set, frozenset)) else 0


def _cost(function: Any, arguments: Sequence[Any], result: Any) -> int:
    """Return what a call of what is not ours takes, as far as that grows with what it is given."""
    name, owner = getattr(function, "__name__", ""), getattr(function, "__self__", None)
    if function is unicodedata.normalize:
        return _normalising(arguments[1])
    if isinstance(owner, re.Pattern):
        return _matching(name, arguments, result)
    if name in ("startswith", "endswith") and isinstance(owner, str | bytes):
        return len(arguments[0])
    if (function.__hash__ is not None and function in _FREE) or name in _FREE_METHODS:
        return 0
    given = sum(map(_size, arguments))
    if name in ("sorted", "sort", "unique", "argsort"):
        given *= max(1, given.bit_length())
    return given + _size(result) + (len(owner) if isinstance(owner, _WHOLE) else 0)


def _matching(name: str, arguments: Sequence[Any], result: Any) -> int:
    if name in ("match", "fullmatch"):
        return result.end() - result.start() if result is not None else 1
    return max(map(_size, arguments), default=0)  # the text


def _normalising(text: str) -> int:
    """Return what canonical ordering takes at worst: the square of each run of combining marks."""
    marks = ((is_mark, sum(1 for _ in run)) for is_mark, run in groupby(map(unicodedata.combining, text), bool))
    return sum(length * length if is_mark else length for is_mark, length in marks)
