"""A def or a class as it is written: its text, and what it takes from its surroundings."""

import ast
import builtins
import inspect
import symtable
import sys
import tokenize
import types

from . import unchanged
from .rule import NotSelfContained


class Definition:
    """The source of a function or a class, beginning at the margin, without the decorators for which `binds` holds.

    It is what is in memory, too: what was changed since it was read is refused. `layers` says how many functions wrap it.
    """

    def __init__(self, defined, layers, binds):
        self.name = defined.__name__
        self.text, self.node = _source(defined, binds)
        if layers > len(self.node.decorator_list):
            raise NotSelfContained(
                f"{self.name} is wrapped in something that its source does not show: call that where it is needed"
            )
        #: The names that it takes from its surroundings, in alphabetical order, and those that it needs where it stands.
        self.used, self.used_at_once = _used(self.text, self.name)
        self.has_text_annotations = unchanged.has_text_annotations(defined)


def look_up(defined, name):
    """What a name means where something was defined."""
    functions = unchanged.functions_of(defined)
    try:
        for function in functions:
            for free, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
                if free == name:
                    return cell.cell_contents
        names = functions[0].__globals__ if functions else vars(sys.modules[defined.__module__])
        return names[name] if name in names else getattr(builtins, name)
    except (KeyError, ValueError, AttributeError):
        raise NotSelfContained(f"{defined.__name__} uses {name}, which is not defined") from None


def is_built_in(name, value):
    """Whether a name means what is built in under it here."""
    return hasattr(builtins, name) and getattr(builtins, name) is value


def is_pythons(value):
    """Whether something that is built in is Python's own, and so wherever Python runs. IPython adds `display`, for one."""
    if isinstance(value, type):
        return value.__module__ == "builtins"
    is_known = isinstance(value, types.BuiltinFunctionType) or type(value).__module__ == "_sitebuiltins"
    return is_known or any(value is own for own in (Ellipsis, NotImplemented, __debug__))


def _source(defined, binds):
    """The text of a definition and its tree."""
    refusal = None
    for text, whole in _texts(defined):
        try:
            written = ast.parse(text).body[0]
            if not isinstance(written, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                refusal = refusal or "{} is not defined by a def or a class of its own"
                continue
            refusal = "{} is not what its source says, which has changed since: run the cell, or import the file, again"
            text = _without(written, text, binds)
            node = ast.parse(text).body[0]
            below = written.lineno - _first_line(written)
            if node.name == defined.__name__ and unchanged.is_as_written(node, whole, defined, below, look_up):
                return text, node
        except (SyntaxError, ValueError, IndexError):
            continue
    refusal = refusal or "the source of {} cannot be found: define it with def in a cell or a file of its own"
    raise NotSelfContained(refusal.format(defined.__name__))


def _texts(defined):
    """The texts that may define something, the likeliest first, each with the whole that it stands in."""
    cells = getattr(sys.modules["__main__"], "In", None)
    if isinstance(defined, type) and defined.__module__ == "__main__" and cells:
        # Before Python 3.13 a class does not say where it was written.
        for cell in reversed(cells):
            for text in _classes_of(cell, defined.__name__):
                yield text, cell
    try:
        yield _at_the_margin("".join(inspect.getsourcelines(defined)[0])), "".join(inspect.findsource(defined)[0])
    except (OSError, TypeError, SyntaxError, IndexError, tokenize.TokenError):
        return


def _classes_of(cell, name):
    try:
        written = ast.parse(cell).body
    except (SyntaxError, ValueError):
        return
    for node in reversed(written):
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield "\n".join(_lines(cell)[_first_line(node) - 1 : node.end_lineno])


def _lines(text):
    """The lines as Python's parser counts them: `str.splitlines` would part them at more characters than these."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _first_line(node):
    return min([node.lineno] + [decorator.lineno for decorator in node.decorator_list])


def _at_the_margin(text):
    """A definition moved to the margin. What stands inside of strings is left alone, or they would be other strings."""
    lines = _lines(text)
    margin = _indent(lines[0])
    if not margin:
        return text
    kept = set()
    for node in ast.walk(ast.parse("if True:\n" + text)):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))):
            kept.update(range(node.lineno + 1, node.end_lineno + 1))
    # The parser saw the line of the `if` before the first.
    moved = (line if number in kept else line[min(margin, _indent(line)) :] for number, line in enumerate(lines, 2))
    return "\n".join(moved)


def _indent(line):
    return len(line) - len(line.lstrip(" \t"))


def _without(written, text, binds):
    """The text of a definition without the decorators for which `binds` holds."""
    lines = _lines(text)
    kept = []
    for decorator in written.decorator_list:
        if not binds(decorator):
            kept += lines[decorator.lineno - 1 : decorator.end_lineno]
    return "\n".join(kept + lines[written.lineno - 1 : written.end_lineno])


def _used(source, name):
    """The names that a definition takes from its surroundings, and those of them that it needs where it stands, both in
    alphabetical order."""
    try:
        module = symtable.symtable(source, "<definition>", "exec")
    except SyntaxError as error:
        raise NotSelfContained(f"{name} does not stand on its own: {error.msg}") from error
    at_once = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_referenced()}
    used = set(at_once)
    scopes = [(scope, True) for scope in module.get_children()]
    while scopes:
        scope, is_outer = scopes.pop()
        found = {symbol.get_name() for symbol in scope.get_symbols() if _is_global(symbol) and symbol.is_referenced()}
        runs_at_once = is_outer and scope.get_type() == "class"
        used |= found
        at_once |= found if runs_at_once else set()
        scopes += [(inner, runs_at_once) for inner in scope.get_children()]
    assigned = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_assigned()}
    return sorted(used - assigned), sorted(at_once - assigned)


def _is_global(symbol):
    # In a function that is called top, `is_global` holds for the local names too.
    return symbol.is_global() and (symbol.is_declared_global() or not symbol.is_local())
