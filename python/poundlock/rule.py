"""The rule for code, as far as it says that importing a source computes nothing: see docs/SANDBOX.md.

Every node holds code against it at submission (`src/domain/outline/rule.rs`). What it would refuse is refused here before; the
cases of `fixtures/rule` hold both against each other.
"""

import ast

from .problem import PoundlockError

#: The decorators that a node takes, by where they come from, for they do nothing but wrap.
DECORATORS = frozenset(
    ["abc.abstractmethod", "builtins.classmethod", "builtins.property", "builtins.staticmethod", "contextlib.contextmanager"]
    + ["dataclasses.dataclass", "functools.cache", "functools.cached_property", "functools.lru_cache"]
    + ["functools.total_ordering", "typing.final", "typing.overload", "typing.override"]
)
_CALLED = {"dataclasses.dataclass", "functools.lru_cache"}
_HOOKS = {"__class_getitem__", "__init_subclass__", "__mro_entries__", "__prepare__", "__set_name__", "__signature__"} | {
    "__annotate__", "__annotate_func__", "__annotations__", "__dataclass_fields__", "__doc__"
}
# What a module may say of itself in Python's own manner.
_SAID = {"__all__", "__author__", "__copyright__", "__credits__", "__date__", "__doc__", "__email__", "__license__", "__version__"}
# Of an enumeration: what older versions of Python read of members while flags are joined, what may be special, what it may derive from beside Python's own enumerations, which classes stay what they are when
# they are subscripted, and what may decorate it.
_READ = {"name", "value"}
_METHODS = {"__format__", "__ge__", "__gt__", "__le__", "__lt__", "__str__"}
_BASES = {"builtins.bytes", "builtins.float", "builtins.int", "builtins.object", "builtins.str", "builtins.tuple"}
_GENERIC = {"builtins.dict", "builtins.frozenset", "builtins.list", "builtins.set", "builtins.tuple"} | {
    "typing.Generic", "typing.Protocol"
}
_OF_ENUMERATIONS = {"functools.total_ordering", "typing.final"}
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class NotSelfContained(PoundlockError):
    """A function uses something that cannot go along with it as source."""


def check(tree):
    """Refuses a source that computes something as it is imported."""
    names = _Names(tree.body)
    _check_body(tree.body, names, "", _family(names))


class _Names:
    """The names at one place of a source: those of its module, and of the class in whose body it stands."""

    def __init__(self, module, inside=None):
        self.module = module
        self.inside = inside

    def within(self, node):
        return _Names(self.module, node.body)

    def library(self, dotted):
        """The name in a library, or among Python's own, that a dotted name means, if it can mean no other."""
        root, dot, rest = (dotted or "").partition(".")
        found = _bound(self.module, root)
        if not root or len(set(found)) > 1 or None in found or _bound(self.inside or [], root):
            return None
        return (found[0] if found else f"builtins.{root}") + dot + rest

    def may_be(self, dotted):
        """Every name in a library that a dotted name may mean."""
        root, dot, rest = (dotted or "").partition(".")
        return [origin + dot + rest for origin in _bound(self.module, root) if origin]

    def may_be_own(self, dotted):
        """Whether a dotted name may mean something that the source defines."""
        root = (dotted or "").partition(".")[0]
        return None in _bound(self.module, root) + _bound(self.inside or [], root)


def _bound(body, name):
    """What each statement that binds a name gives it to mean: a name in a library where it imports it, else None."""
    return [origin for statement in body for bound, origin in _binds(statement) if bound == name]


def _binds(statement):
    if isinstance(statement, ast.ImportFrom):
        home = "." * statement.level + (statement.module or "")
        return [(alias.asname or alias.name, f"{home}.{alias.name}") for alias in statement.names]
    if isinstance(statement, ast.Import):
        packages = [(alias, alias.name.partition(".")[0]) for alias in statement.names]
        return [(alias.asname or package, alias.name if alias.asname else package) for alias, package in packages]
    if isinstance(statement, _DEFINITIONS):
        return [(statement.name, None)]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    named = [node for target in targets if target is not None for node in ast.walk(target) if isinstance(node, ast.Name)]
    return [(node.id, None) for node in named]


# The four below are those of a node's own reader of source, `src/runtime/python/outline.py`.


def _dotted(node):
    """The dotted name that an expression is, or None."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _is_literal(node):
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        return isinstance(node.operand, ast.Constant) and type(node.operand.value) in (int, float, complex)
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return all(_is_literal(item) for item in node.elts)
    if isinstance(node, ast.Dict):
        return all(key is not None and _is_literal(key) for key in node.keys) and all(map(_is_literal, node.values))
    return False


def _is_type(node):
    if _is_literal(node) or _dotted(node) is not None:
        return True
    if isinstance(node, ast.Subscript):
        return _is_type(node.value) and _is_type(node.slice)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _is_type(node.left) and _is_type(node.right)
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(map(_is_type, node.elts))
    return False


def _names(node):
    """The dotted names that a type is made of."""
    name = _dotted(node)
    if name is not None:
        return [name]
    return [found for child in ast.iter_child_nodes(node) for found in _names(child)]


def _is_mangled(found, names):
    """Whether a name has a part that Python reads as another one in the body of a class: `__x` in the class `A` is `_A__x`."""
    parts = found.split(".") if names.inside is not None else []
    return any(part.startswith("_") and "__" in part and not part.endswith("__") for part in parts)


def _looks_inside(found, names):
    """Whether a name leads to a class through what Python keeps inside of something: `C.__base__` is another class than `C`."""
    parts = [part for origin in names.may_be(found) for part in origin.split(".")]
    reserved = any(part.startswith("__") and part.endswith("__") for part in parts)
    return reserved or any(part.startswith("_") for part in found.split(".")[1:])


def _check_body(body, names, path, family):
    for place, statement in enumerate(body):
        if isinstance(statement, _DEFINITIONS):
            _check_definition(statement, names, path, family, body[:place])
        else:
            _check_other(statement, names, path)


def _tells(bound):
    """Whether a module binds a name that tells Python, or a library, what the module is."""
    return any(name.startswith("__") and name.endswith("__") and name not in _SAID for name in bound)


def _check_other(statement, names, path):
    bound = [name for name, _origin in _binds(statement)]
    if _tells(bound) if names.inside is None else _HOOKS & set(bound):
        pass
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        # A source is one file: what stands beside it can be nothing but itself.
        homes = {origin.partition(".")[0] for _name, origin in _binds(statement)}
        if names.inside is None and "*" not in bound and not homes & {"", "submission"}:
            return
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        plain = (ast.Name, ast.Tuple, ast.List, ast.Store)
        is_plain = all(isinstance(node, plain) for target in targets for node in ast.walk(target))
        if is_plain and (statement.value is None or _is_literal(statement.value)):
            if isinstance(statement, ast.AnnAssign):
                _check_evaluated(statement.annotation, _is_type, "annotation", names, path)
            return
    elif isinstance(statement, ast.Pass) or _is_docstring(statement):
        return
    where = f" in the class {path}" if path else ""
    raise NotSelfContained(
        f"a node refuses {ast.unparse(statement)!r}{where}, which would run as the source is read: write a literal, or move it "
        f"into a {'method' if path else 'function'}"
    )


def _is_docstring(statement):
    value = statement.value if isinstance(statement, ast.Expr) else None
    # Of a text with this mark Python reads a signature, and looks up the names in it.
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str) and ")\n--\n\n" not in value.value
    return is_text or isinstance(value, ast.Constant) and value.value is ...


def _check_definition(node, names, path, family, before):
    name = f"{path}.{node.name}" if path else node.name
    _check_decorators(node, names, name, before if path else [])
    if node.name in _HOOKS if path else _tells([node.name]):
        raise NotSelfContained(f"a node refuses {name}, which Python looks at while it builds a class, or a module")
    if getattr(node, "type_params", None):
        raise NotSelfContained(f"a node refuses the type parameters of {name}")
    if not isinstance(node, ast.ClassDef):
        arguments = node.args
        for default in [*arguments.defaults, *filter(None, arguments.kw_defaults)]:
            _check_evaluated(default, lambda node: _is_literal(node) or _dotted(node) is not None, "default value", names, name)
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        for annotation in [*(item.annotation for item in every if item), node.returns]:
            if annotation:
                _check_evaluated(annotation, _is_type, "annotation", names, name)
        return
    for base in node.bases:
        _check_evaluated(base, lambda node: not _is_literal(node) and _is_type(node), "base", names, name)
    for keyword in node.keywords:
        metaclass = _dotted(keyword.value) or ""
        if keyword.arg != "metaclass" or names.library(metaclass) != "abc.ABCMeta" or _is_mangled(metaclass, names):
            raise NotSelfContained(f"a node refuses the keyword {keyword.arg} of the class {name}: it takes metaclass=ABCMeta alone")
    if node.name in family:
        _check_enumeration(node, names, name)
    _check_body(node.body, names.within(node), name, family)


def _check_evaluated(node, fits, what, names, path):
    def is_other(found):
        deep = found.count(".") > 1 and names.may_be_own(found)
        return deep or _is_mangled(found, names) or what == "base" and _looks_inside(found, names)

    if not fits(node) or any(map(is_other, _names(node))):
        raise NotSelfContained(
            f"a node refuses {ast.unparse(node)!r} as {what} in {path or 'the source'}, which would run as the source is read: use a "
            f"literal or a name, or compute it inside a function"
        )


def _called(decorator):
    return _dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)


def _check_decorators(node, names, name, before):
    known = set()
    for decorator in node.decorator_list:
        called = _called(decorator)
        library = names.library(called)
        if isinstance(decorator, ast.Call):
            values = [*decorator.args, *(keyword.value for keyword in decorator.keywords)]
            fits = library in _CALLED and all(map(_is_literal, values))
        else:
            fits = library in DECORATORS or _is_accessor(called or "", names, before)
        if not fits or _is_mangled(called, names):
            shown = called or ast.unparse(decorator)
            raise NotSelfContained(
                f"a node refuses the decorator @{shown} of {name}, which would run as the source is read: call it inside a "
                f"function where it is needed; from Python's own library it takes such as @functools.lru_cache, called with "
                f"literals alone"
            )
        known.add(library)
    if "builtins.classmethod" in known and known & {"builtins.property", "functools.cached_property"}:
        raise NotSelfContained(f"a node refuses {name}, a property of a class, which runs when the class is looked at")


def _is_accessor(called, names, before):
    """Whether this is an accessor of a property that stands before it in the same class, under a name that means nothing else."""
    name, _dot, what = called.partition(".")
    if what not in ("setter", "getter", "deleter"):
        return False

    def of(statement):
        return [_called(decorator) for decorator in getattr(statement, "decorator_list", [])]

    def is_property(decorators):
        return any(names.library(decorator) == "builtins.property" for decorator in decorators)

    found = [of(statement) for statement in before if _bound([statement], name)]
    accessors = {f"{name}.{what}" for what in ("setter", "getter", "deleter")}
    return bool(found) and is_property(found[0]) and all(is_property(of) or accessors & set(of) for of in found)


def _family(names):
    """The names of the classes that may be enumerations, or that one may derive from."""
    derived, bases, pending = {}, {}, []
    classes = [(node, names) for node in names.module if isinstance(node, ast.ClassDef)]
    for node, where in classes:
        inside = where.within(node)
        classes += [(inner, inside) for inner in node.body if isinstance(inner, ast.ClassDef)]
        for base in _bases(node, where):
            if _is_enumeration(base, where):
                pending.append(node.name)
            # A decorated class is an attribute of what it became.
            for part in base.split("."):
                derived.setdefault(part, []).append(node.name)
                bases.setdefault(node.name, []).append(part)
    family = set()
    # First whatever derives from an enumeration, then whatever those derive from.
    for edges in (derived, bases):
        seen = set()
        pending += family
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                pending += edges.get(name, [])
        family = seen
    return family


def _bases(node, names):
    """The names of whatever a class may derive from. A subscript may stand for what is between its brackets, as `Annotated` does."""
    found = [_names(base) for base in node.bases]
    return [name for of in found for name in (of[:1] if of and names.library(of[0]) in _GENERIC else of)]


def _is_enumeration(base, names):
    """Whether a base may be one of Python's classes of enumerations. Modules hand them on under names much like theirs."""
    parts = [origin.split(".") for origin in names.may_be(base)]
    return any("enum" in of[-1].lower() or "flag" in of[-1].lower() or "enum" in of for of in parts)


def _check_enumeration(node, names, name):
    """Python makes the members of an enumeration while it builds the class, and calls what it and its bases define for that."""
    # What is no enumeration itself would be what the values of members are of, which are compared.
    allowed = _BASES if any(_is_enumeration(base, names) for base in _bases(node, names)) else {"builtins.object"}
    for base in map(_dotted, node.bases):
        is_own = "." not in (base or ".") and names.may_be_own(base) and not names.may_be(base)
        if not (_is_enumeration(base, names) or names.library(base) in allowed or is_own):
            raise NotSelfContained(
                f"a node refuses the enumeration {name}, whose base {base} may compute while its members are made: derive it from "
                f"Enum and the like, with them from str, int, float, bytes or tuple, and from classes of your own"
            )
    for decorator in node.decorator_list:
        if names.library(_called(decorator)) not in _OF_ENUMERATIONS:
            raise NotSelfContained(f"a node refuses the decorator @{_called(decorator)} of the enumeration {name}")
    for inner in node.body:
        own = getattr(inner, "name", "") if isinstance(inner, _DEFINITIONS) else ""
        if own in _READ or own.startswith("_") and own.endswith("_") and own not in _METHODS:
            raise NotSelfContained(
                f"a node refuses {name}.{own}, which may run while the members of an enumeration are made: of special methods it "
                f"takes __str__, __format__ and those for an order"
            )
