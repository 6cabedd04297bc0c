"""What a function returned, written as a node writes it.

A node turns what a function returns into bytes, and refuses what it has no bytes for, by the functions below: they are those of
`src/runtime/python/harness.py`, word for word, and a test holds both against each other. Whoever tries a function is told
at once what a node would say after days.
"""

import io
import json
import math
import sys

from . import formats
from .problem import PoundlockError

_ALLOWED = (
    "a function may return None, bool, int, float, str, bytes, lists, tuples and dicts of those, a NumPy array of numbers, "
    "booleans or strings, a pandas DataFrame or Series, or a matplotlib Figure"
)
_DEPTH_MAX = 100


def written(value):
    """The format that a node writes a value in, and the bytes."""
    try:
        return _encode(value)
    except Exception as error:
        raise PoundlockError(f"a node would refuse what the function returned: {error}") from error


def as_it_arrives(value):
    """What somebody gets once a result of this value is released to them."""
    form, content = written(value)
    return formats.read_released(io.BytesIO(content), form)


def _module(name):
    """The module, if the code imported it: a value cannot be of a type whose module was never imported."""
    return sys.modules.get(name)


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
