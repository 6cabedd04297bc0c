"""Bytes of mocks and results as what a scientist works with. None of these formats can execute anything."""

import json
import re

from .problem import PoundlockError

#: The media types under which a node hands these formats out.
BY_MEDIA_TYPE = {
    "application/json": "json",
    "text/csv": "csv",
    "text/plain": "text",
    "image/png": "png",
    "application/vnd.apache.parquet": "parquet",
    "application/vnd.apache.arrow.file": "arrow",
}

# What pandas takes for a missing value by default.
_MISSING = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"]
    + ["NULL", "NaN", "None", "n/a", "nan", "null"]
)
# A whole number as Python writes it, and a large one of 32 bits as NumPy does.
_WHOLE = re.compile("0|-?[1-9][0-9]*")
_LARGE = re.compile(r"-?[1-9](\.[0-9]*[1-9])?e\+[0-9]{2}")


class Picture(bytes):
    """A PNG file, which a notebook shows."""

    def _repr_png_(self):
        return bytes(self)

    def __repr__(self):
        return f"<a picture of {len(self)} bytes; save it with pathlib.Path(…).write_bytes(…)>"


def read(file, form):
    """What a file holds: a DataFrame for a table, an array for NPY, a `Picture` for PNG, text, what JSON says, or bytes.

    A table arrives as the code on a node gets it: `pandas.read_csv` and `pandas.read_parquet` with nothing set.
    """
    if form == "csv":
        import pandas

        return pandas.read_csv(file)
    if form in ("parquet", "arrow"):
        return _columnar(file, form)
    if form == "npy":
        import numpy

        return numpy.load(file, allow_pickle=False)
    content = file.read()
    if form == "json":
        return json.loads(content)
    if form == "text":
        return content.decode("utf-8", errors="replace")
    return Picture(content) if form == "png" else content


def read_released(file, form):
    """What was released. It is read as `read` does, but a table comes back as it was written, and nothing in it is guessed.

    A column is numbers, or True and False, only where every value that is there is written as Python and pandas write it: `7` and
    `0.5`, never `007` or `1E5`. Among these, words such as NA are missing values, as pandas takes them. Every other column is text,
    and in it only an empty cell is missing. A node writes an index without a name under an empty heading: it is the index again.
    """
    if form != "csv":
        return read(file, form)
    import pandas

    cells = pandas.read_csv(file, header=None, dtype=str, keep_default_na=False)
    names = cells.iloc[0].tolist()
    columns = [_column(cells[place].iloc[1:].reset_index(drop=True)) for place in cells.columns]
    table = pandas.concat(columns, axis=1)
    table.columns = names
    levels = next((place for place, name in enumerate(names) if name), len(names))
    if not levels:
        return table
    table = table.iloc[:, levels:]
    index = pandas.Index(columns[0]) if levels == 1 else pandas.MultiIndex.from_arrays(columns[:levels])
    table.index = index.set_names([None] * levels)
    return table


def _column(texts):
    """A column of a table, from its texts."""
    import pandas

    is_there = ~texts.isin(_MISSING)
    present = texts[is_there].tolist()
    kind, values = float, _numbers(present, len(present) < len(texts))
    if present and set(present) <= {"True", "False"}:
        kind, values = object, [text == "True" for text in present]
    if values is None or texts.empty or (not present and (texts != "").any()):
        return texts.mask(texts == "")
    if is_there.all():
        return pandas.Series(values)
    column = pandas.Series(float("nan"), index=texts.index, dtype=kind)
    column[is_there] = values
    return column


def _numbers(texts, some_are_missing):
    """The numbers that texts are, if each is written as Python writes it, and a column holds each to its last digit; else None."""
    numbers = list(map(_number, texts))
    if None in numbers:
        return None
    whole = [number for number in numbers if isinstance(number, int)]
    if some_are_missing or len(whole) < len(numbers):
        # A column of these is one of floating-point numbers.
        return numbers if all(int(float(number)) == number for number in whole) else None
    ranges = ((-(2**63), 2**63), (0, 2**64))
    return numbers if any(all(least <= number < end for number in whole) for least, end in ranges) else None


def _number(text):
    if _WHOLE.fullmatch(text):
        # No column holds more digits than these.
        return int(text) if len(text) <= 20 else None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if repr(number) == text or _LARGE.fullmatch(text) else None


def _columnar(file, form):
    try:
        import pyarrow.feather
        import pyarrow.parquet
    except ImportError:
        raise PoundlockError(f"this is {form}, which needs pyarrow: pip install 'poundlock[parquet]'") from None
    if form == "arrow":
        return pyarrow.feather.read_table(file).to_pandas()
    import pandas

    return pandas.read_parquet(file)
