"""Bytes of mocks and results as what a scientist works with. None of these formats can execute anything."""

import json

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
    """What was released. It is read as `read` does, but a table keeps its words.

    By default pandas takes words such as None and NA for missing values. Here they are missing only in columns of numbers or of
    True and False, where nothing else can be meant; everywhere else only an empty cell is.
    """
    if form != "csv":
        return read(file, form)
    import pandas

    by_default = pandas.read_csv(file)
    file.seek(0)
    table = pandas.read_csv(file, keep_default_na=False, na_values=[""])
    for name in table.columns:
        read_so = by_default[name].dropna()
        if len(read_so) and pandas.api.types.infer_dtype(read_so) not in ("string", "mixed"):
            table[name] = by_default[name]
    return table


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
