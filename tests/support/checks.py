"""The checks of a bundle's reading, found in the sources, and each of them taken away for a while.

A check is a `raise` (or a call of a helper that only raises). Taken away, its statement does
nothing: the function runs on with the code that is left.
"""

import ast
import gc
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, TracebackType

READING = (
    "s1ctl.canonical",
    "s1ctl.shape",
    "s1ctl.strict_yaml",
    "s1ctl.oci.digest",
    "s1ctl.oci.manifest",
    "s1ctl.oci.reference",
    "s1ctl.trust.envelope",
    "s1ctl.trust.keys",
    "s1ctl.trust.root",
    "s1ctl.release.compose",
    "s1ctl.release.compose_rules",
    "s1ctl.release.graph",
    "s1ctl.release.manifest",
    "s1ctl.release.service",
    "s1ctl.release.verified",
    "s1ctl.bundle.archive",
    "s1ctl.bundle.closure",
    "s1ctl.bundle.coherence",
    "s1ctl.bundle.container",
    "s1ctl.bundle.reader",
    "s1ctl.bundle.revisions",
    "s1ctl.bundle.verify",
)
REFUSING = "_refuse"
CODE = re.compile(r"S1-[A-Z]\d+")


@dataclass(frozen=True)
class Check:
    """A statement that refuses; `name` is unique and does not change with its line."""

    name: str
    file: str
    function: str
    first: int
    last: int


@cache
def find_checks() -> tuple[Check, ...]:
    """List every check of the modules that read a bundle, in their order."""
    return tuple(check for module in READING for check in _checks_of(module))


def _checks_of(module: str) -> Iterator[Check]:
    file = str(importlib.import_module(module).__file__)
    seen: Counter[str] = Counter()
    for function, statement in _statements(ast.parse(Path(file).read_text()), ()):
        code = CODE.search(ast.unparse(statement))
        name = f"{module.removeprefix('s1ctl.')}.{function}{' ' + code[0] if code else ''}"
        seen[name] += 1
        yield Check(
            name=f"{name} #{seen[name]}" if seen[name] > 1 else name,
            file=file,
            function=function,
            first=statement.lineno,
            last=statement.end_lineno or statement.lineno,
        )


def _statements(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[str, ast.stmt]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            if child.name != REFUSING:
                yield from _statements(child, (*names, child.name))
        elif isinstance(child, ast.stmt) and _refuses(child):
            yield ".".join(names), child
        else:
            yield from _statements(child, names)


def _refuses(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        return statement.exc is not None
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and getattr(call.func, "id", "") == REFUSING


def ends_of(error: BaseException) -> Iterator[Check]:
    """Yield the checks that an error, and those that it came from, were raised by."""
    cause: BaseException | None = error
    while cause is not None:
        frames = [frame for frame in _frames(cause.__traceback__) if frame[2] != REFUSING]
        if frames:
            yield from _at(*frames[-1][:2])
        cause = cause.__context__


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int, str]]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield code.co_filename, trace.tb_lineno, code.co_name
        trace = trace.tb_next


def _at(file: str, line: int) -> Iterator[Check]:
    for check in find_checks():
        if check.file == file and check.first <= line <= check.last:
            yield check


@contextmanager
def taken_away(check: Check) -> Iterator[None]:
    """Run the function of a check without it."""
    former = {function: function.__code__ for function in _functions()[check.file, check.function]}
    code = _code_without(check)
    try:
        for function in former:
            function.__code__ = code
        yield
    finally:
        for function, its_code in former.items():
            function.__code__ = its_code


@cache
def _functions() -> dict[tuple[str, str], list[FunctionType]]:
    """Find the functions of all modules that read, by file and qualified name."""
    files = {check.file for check in find_checks()}
    found: dict[tuple[str, str], list[FunctionType]] = {}
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and each.__code__.co_filename in files:
            found.setdefault((each.__code__.co_filename, each.__code__.co_qualname), []).append(
                each
            )
    return found


def _code_without(check: Check) -> CodeType:
    tree = _Without(check).visit(ast.parse(Path(check.file).read_text()))
    compiled = compile(ast.fix_missing_locations(tree), check.file, "exec", dont_inherit=True)
    return next(code for code in _codes(compiled) if code.co_qualname == check.function)


class _Without(ast.NodeTransformer):
    """Put `pass` in the place of a check, and `break` where it would go round for ever."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._in_while = False

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.stmt) and _refuses(node) and node.lineno == self._check.first:
            return ast.copy_location(ast.Break() if self._in_while else ast.Pass(), node)
        former = self._in_while
        if isinstance(node, ast.While | ast.FunctionDef):
            self._in_while = isinstance(node, ast.While)
        node = self.generic_visit(node)
        self._in_while = former
        return node


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
