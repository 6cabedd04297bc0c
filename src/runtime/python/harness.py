# Reads the inputs, calls the scientist's function, and hands over what it returned. The node trusts nothing of this: the
# code that it calls can do whatever this file can.
import csv
import io
import linecache
import math
import traceback
import types

_SOURCE = "<code>"
_ALLOWED = (
    "a function may return None, bool, int, float, str, bytes, lists, tuples and dicts of those, a NumPy array of numbers, "
    "booleans or strings, a pandas DataFrame or Series, or a matplotlib Figure"
)
_DEPTH_MAX = 100
# Given back when the code fails, so that a failure for want of memory can still be told.
_RESERVE = [bytearray(8 << 20)]
# What pandas takes for a missing value by default.
_MISSING = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"]
    + ["NULL", "NaN", "None", "n/a", "nan", "null"]
)


def _module(name):
    """The module, if the code imported it: a value cannot be of a type whose module was never imported."""
    return sys.modules.get(name)


# Inputs


def _value_of(text, kind, missing=_MISSING):
    if text in missing:
        return None
    if kind is bool:
        return text.lower() == "true"
    return kind(text)


def _kind_of(texts):
    present = [text for text in texts if text not in _MISSING]
    for kind in (int, float):
        try:
            for text in present:
                kind(text)
                if "_" in text:
                    raise ValueError
            return kind if present else float
        except ValueError:
            continue
    if present and all(text.lower() in ("true", "false") for text in present):
        return bool
    return str


# What the values of a column become whose type the node knows. All others are text, of which only an empty cell is missing.
_KINDS = {"boolean": bool, "integer": int, "float": float, "decimal": float}


def _columns(file, known):
    """A table without pandas: a dict of lists, None where a value is missing."""
    rows = csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
    names = next(rows, [])
    columns = [[] for _ in names]
    for row in rows:
        for column, text in zip(columns, row):
            column.append(text)
    kinds = [_KINDS.get(column["dtype"], str) for column in known] if known else [_kind_of(texts) for texts in columns]
    missing = ("",) if known else _MISSING
    return {
        name: [_value_of(text, kind, missing if kind is str else _MISSING) for text in texts]
        for name, texts, kind in zip(names, columns, kinds)
    }


def _points_in_time(column):
    """Times as pandas has them; the texts, if it has no such time."""
    import pandas

    # The format has a name from pandas 2 on; before, each text is told by itself.
    named = {"format": "ISO8601"} if int(pandas.__version__.partition(".")[0]) >= 2 else {}
    try:
        return pandas.to_datetime(column, **named)
    except ValueError:
        return column


def _frame(file, known):
    """A table whose columns' types the node knows, where pandas reads no better format than CSV."""
    import pandas

    # By places: names may stand twice.
    numbers = [place for place, column in enumerate(known) if column["dtype"] in _KINDS]
    texts = [place for place, column in enumerate(known) if column["dtype"] not in _KINDS]
    frame = pandas.read_csv(
        file,
        header=0,
        names=range(len(known)),
        index_col=False,
        dtype=dict.fromkeys(texts, str),
        keep_default_na=False,
        na_values={**dict.fromkeys(numbers, sorted(_MISSING)), **dict.fromkeys(texts, [""])},
    )
    for place, column in enumerate(known):
        if column["dtype"] == "timestamp":
            frame[place] = _points_in_time(frame[place])
    frame.columns = [column["name"] for column in known]
    return frame


def _read_input(descriptor, argument):
    file, form, known = open(descriptor, "rb"), argument["format"], argument.get("columns")
    if form == "npy":
        import numpy

        return numpy.load(file, allow_pickle=False)
    try:
        import pandas
    except ImportError:
        return _columns(file, known)
    if form == "parquet":
        return pandas.read_parquet(file)
    return _frame(file, known) if known else pandas.read_csv(file)


# Results


def _plain_float(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _plain_key(key):
    if isinstance(key, str):
        return str.__str__(key)
    numpy = _module("numpy")
    if isinstance(key, bool) or (numpy and isinstance(key, numpy.bool_)):
        return str(bool(key))
    if isinstance(key, int) or (numpy and isinstance(key, numpy.integer)):
        return str(int(key))
    raise TypeError(f"a key of a dict is of type {type(key).__name__}; keys may be str, int or bool")


def _plain(value, depth=0):
    """The value in JSON's types. NaN and infinity, which JSON lacks, become strings, as in Protocol Buffers' JSON."""
    if depth > _DEPTH_MAX:
        raise ValueError(f"a result may be nested {_DEPTH_MAX} deep, not deeper")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # What an enumeration calls itself is not what it holds.
        return str.__str__(value)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise OverflowError("an int of a result must fit in 64 bits; return it as a str")
        return int(value)
    if isinstance(value, float):
        return _plain_float(float(value))
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        plain = {}
        for key, item in value.items():
            name = _plain_key(key)
            if name in plain:
                raise ValueError("two keys of a dict are the same once they are written as text")
            plain[name] = _plain(item, depth + 1)
        return plain
    numpy = _module("numpy")
    if numpy and isinstance(value, numpy.generic) and value.dtype.kind == "f" and value.dtype.itemsize > 8:
        raise TypeError(f"the result holds a {value.dtype}; convert it to float64")
    if numpy and isinstance(value, numpy.generic) and value.dtype.kind in "biufU":
        return _plain(value.item(), depth)
    if numpy and isinstance(value, numpy.ndarray) and value.dtype.kind in "biufU":
        return _plain(value.tolist(), depth)
    pandas = _module("pandas")
    if pandas and (value is getattr(pandas, "NA", None) or value is getattr(pandas, "NaT", None)):
        return None
    raise TypeError(f"the result holds a {type(value).__name__}; {_ALLOWED}")


def _one_header(frame):
    """The table with one line of names: a CSV has no other, and would take a second one for data."""
    names = ["_".join(str(part) for part in levels if str(part)) for levels in frame.columns]
    if len(set(names)) < len(names):
        raise ValueError("two columns of the result have one name once their levels are joined; name the columns")
    flat = frame.copy(deep=False)
    flat.columns = names
    return flat


def _holds_objects(dtype):
    nested = ("list", "large_list", "fixed_size_list", "struct", "map")
    return dtype == object or str(getattr(dtype, "pyarrow_dtype", "")).startswith(nested)


def _with_plain_cells(frame):
    """The table with JSON in the place of arrays, lists and dicts in its cells: as text they would be shortened and rounded."""
    is_scalar = _module("pandas").api.types.is_scalar
    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    changed = [
        place
        for place, column in enumerate(columns)
        if _holds_objects(column.dtype) and not all(map(is_scalar, column))
    ]
    if not changed:
        return frame
    for place in changed:
        cells = [cell if is_scalar(cell) else json.dumps(_plain(cell), ensure_ascii=False) for cell in columns[place]]
        columns[place] = _module("pandas").Series(cells, index=frame.index, dtype=object)
    plain = _module("pandas").concat(columns, axis=1)
    plain.columns = frame.columns
    return plain


def _table(frame):
    import inspect

    pandas = _module("pandas")
    if isinstance(frame.columns, pandas.MultiIndex):
        frame = _one_header(frame)
    frame = _with_plain_cells(frame)
    index = frame.index
    # A table without a column keeps its rows' names: with neither, its file would have no header.
    counts_up = isinstance(index, pandas.RangeIndex) and index.start == 0 and index.step == 1 and index.name is None
    # What stands in the ends of lines is quoted within cells. The parameter had another name before pandas 1.5.
    known = inspect.signature(pandas.DataFrame.to_csv).parameters
    ends = {"lineterminator" if "lineterminator" in known else "line_terminator": "\r\n"}
    return frame.to_csv(index=not counts_up or frame.shape[1] == 0, **ends).encode("utf-8")


def _array(value):
    numpy = _module("numpy")
    if value.dtype.kind not in "biufcUS":
        raise TypeError(f"the result is an array of {value.dtype}; {_ALLOWED}")
    if value.dtype.kind == "f" and value.dtype.itemsize > 8 or value.dtype.kind == "c" and value.dtype.itemsize > 16:
        raise TypeError(f"the result is an array of {value.dtype}; convert it to float64 or complex128")
    buffer = io.BytesIO()
    little = numpy.require(numpy.asarray(value).astype(value.dtype.newbyteorder("<"), copy=False), requirements="C")
    numpy.lib.format.write_array(buffer, little, version=(2, 0), allow_pickle=False)
    return buffer.getvalue()


def _encode(value):
    numpy, pandas, figure = _module("numpy"), _module("pandas"), _module("matplotlib.figure")
    masked = _module("numpy.ma")
    if masked and value is masked.masked:
        # As within a list or a dict: what a masked array says in place of a number that it does not have.
        value = None
    if masked and isinstance(value, masked.MaskedArray):
        raise TypeError(
            "the result is a masked array, and its file would hold what is masked too; return what .filled(...) or "
            ".tolist() gives"
        )
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "raw", bytes(value)
    if pandas and isinstance(value, pandas.Series):
        return "csv", _table(value.to_frame(name="value" if value.name is None else value.name))
    if pandas and isinstance(value, pandas.DataFrame):
        return "csv", _table(value)
    if numpy and isinstance(value, numpy.ndarray):
        return "npy", _array(value)
    if figure and isinstance(value, figure.Figure):
        buffer = io.BytesIO()
        value.savefig(buffer, format="png")
        return "png", buffer.getvalue()
    return "json", json.dumps(_plain(value), ensure_ascii=False, allow_nan=False).encode("utf-8")


# The run


def _line_of(error):
    """The innermost line of the scientist's own source that was running."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _SOURCE:
            line = trace.tb_lineno
        trace = trace.tb_next
    if line is None and isinstance(error, SyntaxError) and error.filename == _SOURCE:
        line = error.lineno
    return line


def _fail(phase, error):
    _RESERVE.clear()
    line = _line_of(error)
    # What the code hoarded hangs on the frames that it left.
    traceback.clear_frames(error.__traceback__)
    try:
        traceback.print_exception(type(error), error, error.__traceback__)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        pass
    # Of the classes that this one derives from, the first that Python itself brings; the node checks it again.
    builtin = next((c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"), "Exception")
    _write_frame({"kind": "failure", "phase": phase, "line": line, "class": builtin})
    os._exit(1)


def _run():
    phase = "inputs"
    try:
        arguments = {}
        for argument in _JOB["arguments"]:
            if "asset" in argument:
                arguments[argument["name"]] = _read_input(_INPUTS[argument["asset"]], argument)
            else:
                arguments[argument["name"]] = argument["constant"]
        phase = "import"
        source = _JOB["source"]
        linecache.cache[_SOURCE] = (len(source), None, source.splitlines(True), _SOURCE)
        module = types.ModuleType("submission")
        sys.modules["submission"] = module
        exec(compile(source, _SOURCE, "exec", dont_inherit=True), module.__dict__)
        function = module.__dict__[_JOB["entry_point"]]
        phase = "call"
        value = function(**arguments)
        phase = "result"
        kind, payload = _encode(value)
        if len(payload) > _JOB["output_bytes"]:
            raise ValueError(f"the result has {len(payload)} bytes; at most {_JOB['output_bytes']} are allowed")
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        _fail(phase, error)
    _write_frame({"kind": kind}, payload)
    # No exit handlers, and no waiting for threads that the code left behind.
    os._exit(0)


_run()
