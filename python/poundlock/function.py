"""A function of a notebook, made into code that stands on its own.

A node runs source, not objects. What a function uses of its surroundings is therefore taken along as source: modules that it
names, other functions and classes of the notebook, and constants that can be written down. Anything else, above all a
table, is refused here, with its name, and has to be an input.
"""

import ast
import builtins
import importlib
import inspect
import json
import pathlib
import symtable
import sys
import sysconfig
import textwrap
import types

from .catalogue import Asset
from .problem import PoundlockError

# Characters of a constant that is taken along. What is longer is data and should be an input.
_CONSTANT_MAX = 10_000


class NotSelfContained(PoundlockError):
    """A function uses something that cannot go along with it as source."""


def function(**inputs):
    """Binds each parameter of a function: to an `Asset`, or to a constant that JSON can hold. The function stays callable.

        @poundlock.function(women=women, digits=2)
        def mean_glucose(women, digits):
            ...

    On a node each parameter receives what is bound here and nothing else.
    """

    def bind(plain):
        return Function(plain, inputs)

    return bind


class Function:
    """A function with its inputs, ready to be submitted. Calling it calls the plain function, here."""

    def __init__(self, plain, inputs):
        if not isinstance(inspect.unwrap(plain), types.FunctionType) or plain.__name__ == "<lambda>":
            raise NotSelfContained("only a function that is defined with def can be submitted")
        self.plain = plain
        self.inputs = dict(inputs)
        self.name = plain.__name__
        self.__doc__ = plain.__doc__
        _check(self)

    def __call__(self, *arguments, **named):
        return self.plain(*arguments, **named)

    def __repr__(self):
        return f"Function({self.name}, inputs={self.inputs!r})"

    @property
    def source(self):
        """What is submitted: the function, with what it needs of its surroundings."""
        return _Gathering(inspect.unwrap(self.plain)).source()

    @property
    def input_policy(self):
        """The inputs as a node takes them."""
        bound = self.inputs.items()
        return {
            name: {"asset": value.id} if isinstance(value, Asset) else {"constant": value} for name, value in bound
        }

    def try_on_mocks(self):
        """Runs the source, as it would be submitted, on the mocks of its inputs, here and not in a sandbox."""
        module = types.ModuleType("submission")
        exec(compile(self.source, f"<{self.name}>", "exec", dont_inherit=True), module.__dict__)
        arguments = {name: v.mock() if isinstance(v, Asset) else _copied(v) for name, v in self.inputs.items()}
        return _without_mask(module.__dict__[self.name](**arguments))


def _without_mask(returned):
    """What a function returned, unless a node would refuse it because there are values under its mask."""
    masked = sys.modules.get("numpy.ma")
    if masked and isinstance(returned, masked.MaskedArray) and returned is not masked.masked:
        raise PoundlockError(
            "a node takes no masked array as a result: its file would hold what is masked too; return what its method "
            ".filled(...) or .tolist() gives"
        )
    return returned


def _copied(constant):
    return json.loads(json.dumps(constant))


def _check(bound):
    parameters = inspect.signature(bound.plain).parameters.values()
    if any(parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in parameters):
        raise TypeError(f"{bound.name} takes * or **: name each parameter")
    wanted, given = {parameter.name for parameter in parameters}, set(bound.inputs)
    for name in sorted(wanted - given):
        raise TypeError(f"nothing is bound to the parameter {name} of {bound.name}")
    for name in sorted(given - wanted):
        raise TypeError(f"{bound.name} has no parameter {name}")
    for name, value in bound.inputs.items():
        if not isinstance(value, Asset) and not _is_json(value):
            kind = type(value).__name__
            raise TypeError(f"{name} is a {kind}: bind an asset, or a constant that JSON can hold")
        if not isinstance(value, Asset) and not _fits(value):
            raise ValueError(f"{name} holds a whole number beyond 64 bits, of which a node would lose digits: pass it as text")


def _is_json(value):
    if value is None or isinstance(value, (bool, int, str)):
        return True
    if isinstance(value, float):
        return value - value == 0
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, dict) and all(isinstance(key, str) and _is_json(item) for key, item in value.items())


def _fits(constant):
    """Whether a node keeps each whole number of a constant."""
    if isinstance(constant, (list, dict)):
        return all(map(_fits, constant.values() if isinstance(constant, dict) else constant))
    return not isinstance(constant, int) or -(2**63) <= constant < 2**64


class _Gathering:
    """Collects source, from one function on."""

    def __init__(self, entry):
        self.entry = entry
        self.imports = set()
        self.constants = {}
        self.definitions = {}
        self.under_way = set()
        self.define(entry.__name__, entry)

    def source(self):
        future = self.entry.__code__.co_flags & _future_annotations()
        imports = ["from __future__ import annotations"] if future else []
        imports += sorted(self.imports)
        constants = [f"{name} = {value}" for name, value in sorted(self.constants.items())]
        parts = ["\n".join(lines) for lines in (imports, constants) if lines]
        return "\n\n\n".join(parts + list(self.definitions.values())) + "\n"

    def define(self, name, defined):
        """Takes a function or a class along, after what it uses itself."""
        if name in self.definitions or name in self.under_way:
            return
        if name != defined.__name__:
            raise NotSelfContained(f"{name} is another name of {defined.__name__}: use that one")
        self.under_way.add(name)
        source = _own_source(defined)
        tree = ast.parse(source)
        for used in _used(source):
            value = _look_up(defined, used)
            if value is not _MISSING:
                self.take(used, value, tree)
        self.definitions[name] = source

    def take(self, name, value, tree):
        if isinstance(value, Function):
            value = value.plain
        defined = inspect.unwrap(value) if callable(value) else value
        if isinstance(value, types.ModuleType):
            self.imports.update(_imports_of(name, value, tree))
        elif isinstance(defined, (types.FunctionType, type)) and _is_own(defined.__module__):
            self.define(name, defined)
        elif _is_written_down(value):
            self.constants[name] = repr(value)
        elif imported := _import_of(name, value):
            self.imports.add(imported)
        else:
            kind = type(value).__name__
            raise NotSelfContained(
                f"{self.entry.__name__} uses {name}, a {kind} of this notebook. If it is data, make it a parameter and bind "
                f"it to an asset; if it comes from a module, import it inside the function"
            )


_MISSING = object()


def _future_annotations():
    import __future__

    return __future__.annotations.compiler_flag


def _own_source(defined):
    """The text of a definition, without the decorator that binds its inputs."""
    try:
        text = _class_of_a_cell(defined) or textwrap.dedent(inspect.getsource(defined))
        definition = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, IndexError) as error:
        raise NotSelfContained(
            f"the source of {defined.__name__} cannot be found: define it with def in a cell or a file of its own"
        ) from error
    if not isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        raise NotSelfContained(f"{defined.__name__} is not defined by a def or a class of its own")
    lines = text.splitlines()
    kept = []
    for decorator in definition.decorator_list:
        if not _binds(decorator, defined):
            kept += lines[decorator.lineno - 1 : decorator.end_lineno]
    return "\n".join(kept + lines[definition.lineno - 1 : definition.end_lineno])


def _class_of_a_cell(defined):
    """The text of a class of a notebook's cell. Before Python 3.13 a class does not say where it was written."""
    if not isinstance(defined, type) or defined.__module__ != "__main__":
        return None
    for cell in reversed(getattr(sys.modules["__main__"], "In", [])):
        try:
            written = ast.parse(cell).body
        except SyntaxError:
            continue
        for node in written:
            if isinstance(node, ast.ClassDef) and node.name == defined.__name__:
                first = min([node.lineno] + [decorator.lineno for decorator in node.decorator_list])
                return "\n".join(cell.splitlines()[first - 1 : node.end_lineno])
    return None


def _binds(decorator, defined):
    """Whether a decorator is `function` of this module, under whatever name."""
    if not isinstance(decorator, ast.Call):
        return False
    names, node = [], decorator.func
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    value = _look_up(defined, node.id) if isinstance(node, ast.Name) else _MISSING
    for name in reversed(names):
        value = getattr(value, name, _MISSING)
    return value is function


def _used(source):
    """The names that a definition takes from its surroundings, in alphabetical order."""
    module = symtable.symtable(source, "<definition>", "exec")
    used = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_referenced()}
    scopes = list(module.get_children())
    while scopes:
        scope = scopes.pop()
        used |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global() and symbol.is_referenced()}
        scopes += scope.get_children()
    return sorted(used - {symbol.get_name() for symbol in module.get_symbols() if symbol.is_assigned()})


def _look_up(defined, name):
    """What a name means where something was defined; `_MISSING` for Python's own names and for what is not there yet."""
    if isinstance(defined, types.FunctionType):
        for free, cell in zip(defined.__code__.co_freevars, defined.__closure__ or ()):
            if free == name:
                return cell.cell_contents
        names = defined.__globals__
    else:
        names = vars(sys.modules[defined.__module__])
    value = names.get(name, _MISSING)
    if value is _MISSING and not hasattr(builtins, name):
        raise NotSelfContained(f"{defined.__name__} uses {name}, which is not defined")
    return value


def _is_own(home):
    """Whether a module is the scientist's: a notebook, or a file that is neither Python's nor installed."""
    file = getattr(sys.modules.get(home), "__file__", None)
    if home == "__main__" or file is None:
        return home == "__main__"
    folders = pathlib.Path(file).resolve()
    installed = {"site-packages", "dist-packages"} & set(folders.parts)
    return not installed and pathlib.Path(sysconfig.get_path("stdlib")).resolve() not in folders.parents


def _imports_of(name, module, tree):
    """The lines that bring a module under a name, with the submodules that are used through it."""
    if _is_own(module.__name__):
        raise NotSelfContained(
            f"{name} is a file of your own, which no node has: write `from {module.__name__} import …` for what you use "
            f"of it, and it is taken along"
        )
    if name != module.__name__:
        yield f"import {module.__name__} as {name}"
        return
    yield f"import {name}"
    for node in ast.walk(tree):
        path = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if path.startswith(f"{name}.") and isinstance(sys.modules.get(path), types.ModuleType):
            yield f"import {path}"


def _import_of(name, value):
    """The line that brings a thing from the module that it says it is of; None if it is not there."""
    home, own = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if not isinstance(home, str) or not isinstance(own, str) or home == "__main__":
        return None
    try:
        found = getattr(importlib.import_module(home), own, None)
    except ImportError:
        return None
    if found is not value:
        return None
    return f"from {home} import {own}" + ("" if name == own else f" as {name}")


def _is_written_down(value):
    """Whether a value can stand in source as it is."""
    if not isinstance(value, (type(None), bool, int, float, str, bytes, tuple, list, dict)):
        return False
    written = repr(value)
    if len(written) > _CONSTANT_MAX:
        return False
    try:
        return ast.literal_eval(written) == value
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
