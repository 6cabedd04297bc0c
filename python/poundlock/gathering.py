"""What a function needs of its surroundings, gathered into source that stands on its own."""

import ast
import importlib
import inspect
import math
import pathlib
import sys
import sysconfig
import types

from . import rule, unchanged
from .definition import Definition, is_built_in, is_pythons, look_up
from .rule import NotSelfContained

# Characters of a constant that is taken along. What is longer is data and should be an input.
_CONSTANT_MAX = 10_000


class Gathering:
    """Collects source, from one function on.

    `marker` is the decorator that binds inputs, and `bound` the type of what it makes: neither goes along.
    """

    def __init__(self, entry, marker, bound):
        self.entry = entry.__name__
        self.marker = marker
        self.bound = bound
        self.meanings = {}
        self.imports = set()
        self.constants = {}
        self.definitions = {}
        self.finished = []
        self.mean(self.entry, entry, inspect.unwrap(entry))
        self.define(self.entry, entry)
        rule.check(ast.parse(self.source()))

    def source(self):
        """All of it: imports, constants, definitions."""
        future = any(definition.has_text_annotations for definition in self.definitions.values())
        imports = ["from __future__ import annotations"] if future else []
        imports += sorted(self.imports)
        constants = [f"{name} = {value}" for name, value in sorted(self.constants.items())]
        parts = ["\n".join(lines) for lines in (imports, constants) if lines]
        return "\n\n\n".join(parts + [self.definitions[name].text for name in self.in_order()]) + "\n"

    def in_order(self):
        """The definitions, each behind those that it needs where it stands: its bases, its decorators."""
        placed = {}

        def place(name):
            if name in self.definitions and name not in placed:
                placed[name] = None
                for needed in self.definitions[name].used_at_once:
                    place(needed)
                placed[name] = placed.pop(name)

        for name in self.finished:
            place(name)
        return list(placed)

    def mean(self, name, value, where):
        """Settles what a name means: in what is submitted, all that was gathered shares one set of names."""
        known, first = self.meanings.setdefault(name, (value, where))
        if not unchanged.same(known, value):
            raise NotSelfContained(
                f"{name} is one thing in {_place(first)} and another in {_place(where)}, and both would be submitted: give "
                f"one of them another name"
            )

    def define(self, name, value):
        """Takes a function or a class along, and what it uses itself."""
        defined, layers = value, 0
        while not isinstance(defined, type) and hasattr(defined, "__wrapped__"):
            defined, layers = defined.__wrapped__, layers + 1
        if name in self.definitions:
            return
        if name != defined.__name__:
            raise NotSelfContained(f"{name} is another name of {defined.__name__}: use that one")
        definition = Definition(defined, layers, lambda decorator: self.is_marker(decorator, defined))
        self.definitions[name] = definition
        for used in definition.used:
            self.take(used, look_up(defined, used), defined, definition.node)
        self.finished.append(name)

    def take(self, name, value, where, tree):
        """Takes along what a name means in a definition."""
        if isinstance(value, self.bound):
            value = value.plain
        self.mean(name, value, where)
        defined = _unwrapped(value)
        if is_built_in(name, value):
            if not is_pythons(value):
                raise NotSelfContained(f"{_place(where)} uses {name}, which a notebook adds to Python and no node has")
            return
        if isinstance(value, types.ModuleType):
            self.take_module(name, value, where, tree)
        elif isinstance(defined, (types.FunctionType, type)) and _is_own(defined.__module__):
            self.define(name, value)
        elif written := _written_down(value):
            self.constants[name] = written
        elif imported := _import_of(name, value):
            self.imports.add(imported)
        else:
            kind = type(value).__name__
            raise NotSelfContained(
                f"{self.entry} uses {name}, a {kind} of this notebook. If it is data, make it a parameter and bind it to an "
                f"asset; if it comes from a module, import it inside the function"
            )

    def take_module(self, name, module, where, tree):
        """Imports a module under a name, with the submodules that are used through it."""
        if _is_own(module.__name__):
            raise NotSelfContained(
                f"{name} is a file of your own, which no node has: write `from {module.__name__} import …` for what you use "
                f"of it, and it is taken along"
            )
        self.imports.add(f"import {module.__name__}" + ("" if name == module.__name__ else f" as {name}"))
        for node in ast.walk(tree):
            path = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            inner = module.__name__ + path[len(name) :]
            if path.startswith(f"{name}.") and isinstance(sys.modules.get(inner), types.ModuleType):
                # This gives the package's own name a meaning too.
                package = inner.partition(".")[0]
                self.mean(package, sys.modules[package], where)
                self.imports.add(f"import {inner}")

    def is_marker(self, decorator, defined):
        """Whether a decorator is the one that binds inputs, under whatever name."""
        if not isinstance(decorator, ast.Call):
            return False
        names, node = [], decorator.func
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        value = look_up(defined, node.id) if isinstance(node, ast.Name) else None
        for name in reversed(names):
            value = getattr(value, name, None)
        return value is self.marker


def _unwrapped(value):
    try:
        return inspect.unwrap(value) if callable(value) else value
    except ValueError:
        return value


def _place(defined):
    home = defined.__module__
    return f"{defined.__name__} ({'this notebook' if home == '__main__' else home})"


def _is_own(home):
    """Whether a module is the scientist's: a notebook, or a file that is neither Python's nor installed."""
    file = getattr(sys.modules.get(home), "__file__", None)
    if home == "__main__" or file is None:
        return home == "__main__"
    folders = pathlib.Path(file).resolve()
    installed = {"site-packages", "dist-packages"} & set(folders.parts)
    return not installed and pathlib.Path(sysconfig.get_path("stdlib")).resolve() not in folders.parents


def _import_of(name, value):
    """The line that brings a thing from the module that it, or its type, says it is of; None if it is not there."""
    homes = [getattr(value, "__module__", None), type(value).__module__.partition(".")[0]]
    names = [getattr(value, "__name__", None), getattr(value, "_name", None), name]
    for home in homes:
        if not isinstance(home, str) or _is_own(home):
            continue
        try:
            module = importlib.import_module(home)
        except ImportError:
            continue
        for own in names:
            is_there = isinstance(own, str) and own.isidentifier() and getattr(module, own, None) is value
            if is_there and (home != "builtins" or is_pythons(value)):
                return f"from {home} import {own}" + ("" if name == own else f" as {name}")
    return None


def _written_down(value):
    """A value as it can stand in source; None where it cannot."""
    try:
        written = _literal(value)
    except (RecursionError, ValueError):
        return None
    return written if written and len(written) <= _CONSTANT_MAX else None


def _literal(value):
    kind = type(value)
    if value is None or kind in (bool, int, str, bytes) or (kind is float and math.isfinite(value)):
        return repr(value)
    if kind not in (tuple, list, set, dict):
        return None
    items = [part for item in value.items() for part in item] if kind is dict else value
    parts = list(map(_literal, items))
    if None in parts or value == set():
        return None
    if kind is dict:
        return "{" + ", ".join(f"{key}: {item}" for key, item in zip(parts[::2], parts[1::2])) + "}"
    if kind is set:
        # A set has no order; the source should be the same each time.
        return "{" + ", ".join(sorted(parts)) + "}"
    if kind is tuple:
        return "(" + ", ".join(parts) + (",)" if len(parts) == 1 else ")")
    return "[" + ", ".join(parts) + "]"
