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
