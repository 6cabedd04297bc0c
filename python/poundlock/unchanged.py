"""Whether what is in memory is what its source says.

A cell can be run again, and a file edited, after a definition was made of it: its source then says something else than what the
scientist has tried. So the source is compiled once more, never run, and the two are compared.
"""

import __future__

import ast
import enum
import inspect
import symtable
import sys
import types

_FUTURES = [getattr(__future__, name) for name in __future__.all_feature_names]
_CODE = (
    *("co_name", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_code", "co_names", "co_varnames"),
    *("co_freevars", "co_cellvars", "co_exceptiontable"),
)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, tuple, list, dict, set, type(...))
_MISSING = object()


def is_as_written(node, whole, defined, below, look_up):
    """Whether a function or a class is what the tree of its definition says, as far as can be told without running it.

    `whole` is the text of the cell or file that it stands in, and `below` says how many lines below its first decorator the
    `def` stood. `look_up(defined, name)` tells what a name means.
    """
    is_class = isinstance(defined, type)
    first = vars(defined).get("__firstlineno__") if is_class else defined.__code__.co_firstlineno
    if first is not None:
        # From Python 3.13 on the lines of the classes inside are constants of the code.
        ast.increment_lineno(node, first + below - node.lineno)

    def meaning(name):
        return look_up(defined, name)

    # A notebook compiles each statement by itself, where Python compiles a file as one.
    for imported in ([], _imported(whole)):
        code = _compiled(node, imported, defined)
        if code is None or is_class != isinstance(node, ast.ClassDef):
            return False
        if (_is_class if is_class else _is_function)(node, code, defined, meaning):
            return True
    return False


def has_text_annotations(defined):
    """Whether `from __future__ import annotations` held where something was defined."""
    return bool(_futures(defined) & __future__.annotations.compiler_flag)


def functions_of(defined):
    """A function itself, or the functions that stand in a class, without those that Python has made."""
    if isinstance(defined, types.FunctionType):
        return [defined]
    found = [function for value in vars(defined).values() for function in _functions(value)]
    return [function for function in found if _is_written(function, defined)]


def same(one, other):
    """Whether two names for these mean the same: one thing, or two that are written the same."""
    if one is other:
        return True
    if type(one) is not type(other) or not isinstance(one, _PLAIN):
        return False
    return one == other if isinstance(one, set) else repr(one) == repr(other)


def _futures(defined):
    """The flags of the `__future__` that held where something was defined."""
    mask = 0
    for feature in _FUTURES:
        mask |= feature.compiler_flag
    flags = {function.__code__.co_flags & mask for function in functions_of(defined)}
    if flags:
        return max(flags)
    # A class without methods: what its module says of annotations, the one feature that means something for it.
    said = getattr(sys.modules.get(defined.__module__), "annotations", None)
    return said.compiler_flag if said is __future__.annotations else 0


def _imported(whole):
    """The names that a cell or file imports: from Python 3.12 on calls of their attributes are compiled in a way of their own."""
    try:
        symbols = symtable.symtable(whole, "<whole>", "exec").get_symbols()
    except SyntaxError:
        # A file that is being edited.
        return []
    return sorted(symbol.get_name() for symbol in symbols if symbol.is_imported())


def _compiled(node, imported, defined):
    """The code of a definition, compiled inside of functions and classes of the names that it was defined in."""
    path = defined.__qualname__.split(".")
    outer = [(name, inner == "<locals>") for name, inner in zip(path, path[1:]) if name != "<locals>"]
    captured = {free for function in functions_of(defined) for free in function.__code__.co_freevars} - {"__class__"}
    tree = node
    for name, is_function in reversed(outer):
        before = []
        if is_function and captured:
            targets = [ast.Name(free, ast.Store()) for free in sorted(captured)]
            before, captured = [ast.Assign(targets, ast.Constant(None))], set()
        empty = "def outer(): pass" if is_function else "class Outer: pass"
        around = ast.parse(empty).body[0]
        around.name, around.body = name, [*before, tree]
        tree = ast.copy_location(around, node)
    imports = [ast.Import([ast.alias(name)]) for name in imported]
    module = ast.fix_missing_locations(ast.Module([*imports, tree], []))
    code = compile(module, "<definition>", "exec", _futures(defined), dont_inherit=True)
    for name in [*(name for name, _is_function in outer), node.name]:
        code = next((inner for inner in code.co_consts if isinstance(inner, types.CodeType) and inner.co_name == name), None)
        if code is None:
            return None
    return code


def _is_written(function, defined):
    """Whether a function was written down, where the class was: dataclasses and enumerations have others, too."""
    return function.__module__ == defined.__module__ and function.__code__.co_filename != "<string>"


def _functions(value):
    """The functions behind what stands under a name of a class, without what wraps them."""
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, property):
        parts = [value.fget, value.fset, value.fdel]
    else:
        # `functools.cached_property` and its like.
        parts = [getattr(value, "func", value)]
    unwrapped = [inspect.unwrap(part) for part in parts if callable(part) and not isinstance(part, type)]
    return [part for part in unwrapped if isinstance(part, types.FunctionType)]


def _is_code(one, other):
    return (
        all(getattr(one, name, None) == getattr(other, name, None) for name in _CODE)
        and len(one.co_consts) == len(other.co_consts)
        and all(map(_is_constant, one.co_consts, other.co_consts))
    )


def _is_constant(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, types.CodeType):
        return _is_code(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(_is_constant, one, other))
    if isinstance(one, frozenset):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    # Zero has two signs, and what is not a number is not equal to itself.
    return repr(one) == repr(other) if isinstance(one, (float, complex)) else one == other


def _is_function(node, code, function, meaning):
    if not _is_code(code, function.__code__):
        return False
    arguments, named = node.args, function.__kwdefaults__ or {}
    written = [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]
    names = [argument.arg for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults) if default is not None]
    if len(arguments.defaults) != len(function.__defaults__ or ()) or set(names) != set(named):
        return False
    values = [*(function.__defaults__ or ()), *(named[name] for name in names)]
    return all(_may_be(default, value, meaning) for default, value in zip(written, values))


def _may_be(expression, value, meaning):
    """Whether an expression that is a literal or a name has this value; any other may have it."""
    literal = _literal(expression)
    if literal is not _MISSING:
        return same(literal, value)
    path = []
    while isinstance(expression, ast.Attribute):
        path.append(expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name):
        return True
    found = meaning(expression.id)
    for name in reversed(path):
        found = getattr(found, name, _MISSING)
    # A bound method is made anew each time that it is named.
    is_method = isinstance(found, (types.MethodType, types.BuiltinMethodType))
    return same(found, value) or (is_method and found == value)


def _literal(expression):
    try:
        return ast.literal_eval(expression)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _MISSING


def _is_class(node, code, defined, meaning):
    """Whether a class has the bases, methods and plain values that its definition gives it, and no others."""
    return (
        _has_bases(node, defined, meaning)
        and _has_functions(node, code, defined, meaning)
        and _has_values(node, defined)
        and all(
            isinstance(vars(defined).get(inner.name), type)
            and _is_class(inner, _codes(code, inner.name)[-1], vars(defined)[inner.name], meaning)
            for inner in node.body
            if isinstance(inner, ast.ClassDef)
        )
    )


def _codes(code, name):
    return [inner for inner in code.co_consts if isinstance(inner, types.CodeType) and inner.co_name == name]


def _has_bases(node, defined, meaning):
    """A base that was defined again since is another class than the one that this derives from."""
    for base in node.bases:
        if isinstance(base, ast.Name):
            value = meaning(base.id)
            is_own = isinstance(value, type) and value.__module__ == defined.__module__
            if is_own and value not in defined.__bases__:
                return False
    return True


def _has_functions(node, code, defined, meaning):
    def inside(name):
        return vars(defined)[name] if name in vars(defined) else meaning(name)

    written = {}
    for inner in node.body:
        if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
            written.setdefault(inner.name, []).append(inner)
    for name, definitions in written.items():
        codes = _codes(code, name)
        if len(codes) != len(definitions):
            return False
        functions = _functions(vars(defined).get(_mangled(name, defined), _MISSING))
        matched = []
        for function in functions:
            fits = [at for at, found in enumerate(definitions) if _is_function(found, codes[at], function, inside)]
            if not fits:
                return False
            matched += fits
        # Before the last there may be others of the name: the getter of a property, or what `@overload` stands on.
        if _mangled(name, defined) not in vars(defined) or (functions and len(definitions) - 1 not in matched):
            return False
    named = {_mangled(name, defined) for name in [*written, *_assigned(node)]}
    others = {name: value for name, value in vars(defined).items() if name not in named}
    return not any(_is_written(function, defined) for value in others.values() for function in _functions(value))


def _has_values(node, defined):
    last = {}
    for inner in node.body:
        if isinstance(inner, (ast.Assign, ast.AnnAssign)) and inner.value is not None:
            targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
            last.update((target.id, inner.value) for target in targets if isinstance(target, ast.Name))
    for name, expression in last.items():
        literal = _literal(expression)
        if literal is not _MISSING and not same(literal, _value(name, literal, defined)):
            return False
    own = {name for name, value in vars(defined).items() if type(value) in _PLAIN and not name.startswith("_")}
    annotations = [inner.target for inner in node.body if isinstance(inner, ast.AnnAssign)]
    written = {_mangled(target.id, defined) for target in annotations if isinstance(target, ast.Name)}
    annotated = _annotated(defined)
    return own <= _assigned(node) and (annotated is None or annotated == written)


def _value(name, literal, defined):
    """What a name of a class stands for now; what it was written as where that cannot be told."""
    if isinstance(defined, enum.EnumMeta):
        member = defined.__members__.get(name)
        is_plain = defined._member_type_ in (object, int, str) and "__new_member__" not in vars(defined)
        return member.value if member is not None and is_plain else literal
    value = vars(defined).get(_mangled(name, defined), _MISSING)
    # What dataclasses with slots and named tuples keep elsewhere.
    fields = vars(defined).get("__dataclass_fields__", {})
    if type(value) not in _PLAIN and name in fields:
        return fields[name].default
    return vars(defined).get("_field_defaults", {}).get(name, value)


def _annotated(defined):
    """The names that a class has annotations for; None where they cannot be had."""
    if sys.version_info < (3, 10):
        return set(vars(defined).get("__annotations__", {}))
    try:
        return set(defined.__annotations__)
    except Exception:
        return None


def _assigned(node):
    """The names that the body of a class binds other than by `def`."""
    found = set()
    for inner in node.body:
        if isinstance(inner, ast.ClassDef):
            found.add(inner.name)
        elif isinstance(inner, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in inner.names}
        elif not isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names = (part for part in ast.walk(inner) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
            found |= {name.id for name in names}
    return found


def _mangled(name, defined):
    """A private name as a class keeps it."""
    private = name.startswith("__") and not name.endswith("__")
    outer = defined.__name__.lstrip("_")
    return f"_{outer}{name}" if private and outer else name
