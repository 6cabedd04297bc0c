# Outlines sources with CPython's own parser. Nothing of a source runs: it is parsed, and its tree is read.
import ast
import warnings

warnings.simplefilter("ignore")
# A tree is walked recursively; a source that nests deeper is told to be too deep.
sys.setrecursionlimit(5000)


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


def _evaluated(node, place):
    name = _dotted(node)
    form = "other"
    if _is_literal(node):
        form = "literal"
    elif name is not None:
        form = "name"
    elif _is_type(node):
        form = "type"
    elif isinstance(node, ast.Call) and _dotted(node.func) is not None:
        name = _dotted(node.func)
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        if all(map(_is_literal, values)):
            form = "call"
    names = _names(node) if form == "type" else []
    return {"line": node.lineno, "place": place, "form": form, "name": name, "names": names}


def _definition_parts(node):
    """What a function definition evaluates by itself: decorators, defaults, annotations."""
    arguments = node.args
    found = [_evaluated(item, "decorator") for item in node.decorator_list]
    defaults = [*arguments.defaults, *(item for item in arguments.kw_defaults if item is not None)]
    found += [_evaluated(item, "default") for item in defaults]
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    annotations = [item.annotation for item in every if item is not None] + [node.returns]
    found += [_evaluated(item, "annotation") for item in annotations if item is not None]
    return found


def _class_parts(node):
    found = [_evaluated(item, "decorator") for item in node.decorator_list]
    found += [_evaluated(item, "base") for item in node.bases]
    found += [_evaluated(item.value, "class_keyword") | {"line": item.value.lineno} for item in node.keywords]
    for keyword, part in zip(node.keywords, found[len(found) - len(node.keywords):]):
        if keyword.arg != "metaclass":
            part |= {"form": "other", "name": None, "names": []}
    return found


def _target_names(target):
    """The plain names that an assignment binds, or None if it binds anything else."""
    if isinstance(target, ast.Name):
        return [target.id]
    if isinstance(target, (ast.Tuple, ast.List)):
        parts = [_target_names(item) for item in target.elts]
        return None if None in parts else [name for part in parts for name in part]
    return None


def _bound(node, alias):
    """The name that an import binds, and what it stands for."""
    if isinstance(node, ast.ImportFrom):
        return alias.asname or alias.name, "." * node.level + (node.module or "") + "." + alias.name
    package = alias.name.split(".")[0]
    return alias.asname or package, alias.name if alias.asname else package


def _statement(node):
    entry = {"line": node.lineno, "kind": {"other": type(node).__name__}, "binds": [], "evaluated": [], "body": []}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        entry["kind"] = "import"
        bound = [_bound(node, alias) for alias in node.names]
        entry["binds"] = [name for name, _ in bound]
        entry["origins"] = [origin for _, origin in bound]
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        # Of a text with this mark Python reads a signature, and looks up the names in it.
        if isinstance(node.value.value, str) and ")\n--\n\n" not in node.value.value:
            entry["kind"] = "docstring"
        elif node.value.value is ...:
            entry["kind"] = "nothing"
    elif isinstance(node, ast.Pass):
        entry["kind"] = "nothing"
    elif isinstance(node, ast.Assign):
        names = [_target_names(target) for target in node.targets]
        if None not in names:
            entry["kind"] = "assignment"
            entry["binds"] = [name for part in names for name in part]
            entry["evaluated"] = [_evaluated(node.value, "value")]
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        entry["kind"] = "assignment"
        entry["binds"] = [node.target.id]
        entry["evaluated"] = [_evaluated(node.annotation, "annotation")]
        if node.value is not None:
            entry["evaluated"].append(_evaluated(node.value, "value"))
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        entry["kind"] = "function" if isinstance(node, ast.FunctionDef) else "async_function"
        entry["binds"] = [node.name]
        entry["evaluated"] = _definition_parts(node)
        if getattr(node, "type_params", None):
            entry["kind"] = {"other": "TypeParameters"}
    elif isinstance(node, ast.ClassDef):
        entry["kind"] = "class"
        entry["binds"] = [node.name]
        entry["evaluated"] = _class_parts(node)
        entry["body"] = [_statement(item) for item in node.body]
        if getattr(node, "type_params", None):
            entry["kind"] = {"other": "TypeParameters"}
    return entry


def _yields(node):
    """Whether a function's own body yields, apart from functions and classes inside it."""
    pending = list(node.body)
    while pending:
        item = pending.pop()
        if isinstance(item, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(item))
    return False


def _function(node):
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    without_default = len(positional) - len(arguments.defaults)
    parameters = []
    for index, item in enumerate(positional):
        kind = "positional_only" if index < len(arguments.posonlyargs) else "positional_or_keyword"
        parameters.append({"name": item.arg, "kind": kind, "has_default": index >= without_default})
    for item, default in zip(arguments.kwonlyargs, arguments.kw_defaults):
        parameters.append({"name": item.arg, "kind": "keyword_only", "has_default": default is not None})
    return {
        "name": node.name,
        "line": node.lineno,
        "is_async": isinstance(node, ast.AsyncFunctionDef),
        "is_generator": _yields(node),
        "parameters": parameters,
        "varargs": arguments.vararg.arg if arguments.vararg else None,
        "kwargs": arguments.kwarg.arg if arguments.kwarg else None,
    }


def _imports(tree):
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [{"module": alias.name, "line": node.lineno} for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append({"module": "." * node.level + (node.module or ""), "line": node.lineno})
    return sorted(found, key=lambda item: item["line"])


# What a person who reviews code wants pointed out. None of it decides anything.
_TOLD_MAX = 2000


class _Told:
    """Gives the lists that are told, cut to what may be told of each, and notes whether anything was left out."""

    def __init__(self):
        self.more = False

    def first(self, found, what):
        """Of each thing the first place before any second one, so that nothing hides behind many of another; by line."""
        found, seen = sorted(found, key=lambda item: item["line"]), {}
        rank = []
        for index, item in enumerate(found):
            name = item[what]
            seen[name] = seen.get(name, 0) + 1
            rank.append((seen[name], index))
        kept = sorted(index for _, index in sorted(rank)[:_TOLD_MAX])
        self.more = self.more or len(kept) < len(found)
        return [found[index] for index in kept]


def _aliases(tree):
    """What each imported name stands for."""
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            known.update(_bound(node, alias) for alias in node.names)
    return known


def _uses(tree):
    """Every name that is read, as far as its dots go, with what imports stand for put in; and attributes of anything else,
    with a dot before them."""
    known, found, inner = _aliases(tree), set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            inner.add(id(node.value))
    for node in ast.walk(tree):
        if id(node) in inner and isinstance(node, (ast.Name, ast.Attribute)):
            continue
        if isinstance(node, (ast.Name, ast.Attribute)):
            name = _dotted(node)
            if name is None:
                name = "." + node.attr
            else:
                first, dot, rest = name.partition(".")
                name = known.get(first, first) + dot + rest
            found.add((node.lineno, name[:200]))
            # Each part of a chain on something that is no name: `x().a.b` reads `a` too.
            part = node.value if isinstance(node, ast.Attribute) else None
            while name.startswith(".") and isinstance(part, ast.Attribute):
                found.add((part.lineno, ("." + part.attr)[:200]))
                part = part.value
    return [{"line": line, "name": name} for line, name in sorted(found)]


# Methods and functions that give the whole of a value back, in another guise.
_WHOLE_METHODS = {
    "copy", "to_dict", "to_json", "to_csv", "to_numpy", "to_records", "to_string", "to_list", "tolist", "tobytes", "values",
    "items", "reset_index", "sort_values", "sort_index", "astype", "T", "transpose", "ravel", "flatten", "reshape", "rename",
}
_WHOLE_FUNCTIONS = {
    "list", "tuple", "dict", "set", "str", "repr", "sorted", "reversed", "bytes", "copy", "deepcopy", "dumps", "DataFrame",
    "array", "asarray",
}


def _whole(node, names):
    """Which of `names` an expression hands on as a whole, as far as can be told by looking."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute) and node.attr in _WHOLE_METHODS:
        return _whole(node.value, names)
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in _WHOLE_METHODS:
            return _whole(node.func.value, names)
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if called in _WHOLE_FUNCTIONS and node.args:
            return _whole(node.args[0], names)
    if isinstance(node, (ast.Tuple, ast.List)):
        return next((told for told in (_whole(item, names) for item in node.elts) if told), None)
    if isinstance(node, ast.Dict):
        return next((told for told in (_whole(item, names) for item in node.values) if told), None)
    if isinstance(node, ast.IfExp):
        return _whole(node.body, names) or _whole(node.orelse, names)
    if isinstance(node, ast.NamedExpr):
        return _whole(node.value, names)
    return None


def _returned(tree):
    """Where a function returns one of its parameters as a whole."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        arguments = function.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        names = {item.arg: item.arg for item in every}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                told = _whole(node.value, names)
                if told:
                    names[node.targets[0].id] = told
        for node in ast.walk(function):
            if isinstance(node, ast.Return) and node.value is not None:
                told = _whole(node.value, names)
                if told:
                    found.append({"line": node.lineno, "function": function.name, "parameter": told})
    return found


def _literals(tree):
    """Literals that are too large to be read at a glance."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and len(node.value) > 500:
            found.append({"line": node.lineno, "what": type(node.value).__name__, "size": len(node.value)})
        elif isinstance(node, (ast.List, ast.Tuple, ast.Set)) and len(node.elts) > 100:
            found.append({"line": node.lineno, "what": type(node).__name__.lower(), "size": len(node.elts)})
        elif isinstance(node, ast.Dict) and len(node.keys) > 100:
            found.append({"line": node.lineno, "what": "dict", "size": len(node.keys)})
        elif isinstance(node, ast.Constant) and type(node.value) is int and node.value.bit_length() > 256:
            found.append({"line": node.lineno, "what": "int", "size": node.value.bit_length() // 8})
    return found


def _outline(source):
    try:
        tree = ast.parse(source, "<code>")
        # What the parser accepts and the compiler does not, such as a return outside a function.
        compile(tree, "<code>", "exec", dont_inherit=True)
        functions = [item for item in tree.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))]
        told = _Told()
        outline = {
            "functions": [_function(item) for item in functions],
            "statements": [_statement(item) for item in tree.body],
            "imports": _imports(tree),
            "uses": told.first(_uses(tree), "name"),
            "returned": told.first(_returned(tree), "function"),
            "literals": told.first(_literals(tree), "what"),
        }
        outline["more"] = told.more
        return {"outline": outline}
    except SyntaxError as error:
        line, column, message = error.lineno or 1, error.offset or 1, error.msg or "it is not Python"
    except (RecursionError, MemoryError):
        line, column, message = 1, 1, "it is nested too deeply"
    except ValueError as error:
        line, column, message = 1, 1, str(error)
    return {"problem": {"line": max(line, 1), "column": max(column, 1), "message": message[:500]}}


_answer([_outline(source) for source in _JOB["sources"]])
