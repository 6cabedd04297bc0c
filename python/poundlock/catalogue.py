"""What there is to study: datasets and their assets, whose mocks anybody who may see them can have."""

import os
import tempfile

from . import formats
from .naming import one
from .problem import PoundlockError
from .shown import Listing, Shown


class Dataset(Shown):
    """A named set of assets."""

    def __init__(self, connection, document):
        self._connection = connection
        #: What the node says of it, as it is.
        self.document = document
        self.id = document["id"]
        self.name = document["name"]
        self.description = document["description"]
        self.citation = document["citation"]
        self.tags = document["tags"]

    def _row(self):
        return {"name": self.name, "description": self.description, "tags": ", ".join(self.tags), "id": self.id}

    @property
    def assets(self):
        """Its assets."""
        shown = self._connection.get(f"/datasets/{self.id}")
        return Listing(Asset(self._connection, asset) for asset in shown["assets"])

    def asset(self, name):
        """The asset of this name."""
        return Asset(self._connection, one("asset", name, [asset.document for asset in self.assets]))


class Asset(Shown):
    """A table or an array: private where it lies, with a mock that stands in for it everywhere else."""

    def __init__(self, connection, document):
        self._connection = connection
        self.document = document
        self.id = document["id"]
        self.name = document["name"]
        self.description = document["description"]

    def _row(self):
        mock = self.document["mock"]
        shape = _shape(mock["schema"]) if mock else "no mock"
        return {"name": self.name, "description": self.description, "mock": shape, "id": self.id}

    @property
    def schema(self):
        """Columns and types of the mock, or its element type and shape; None without a mock."""
        mock = self.document["mock"]
        return mock and mock["schema"]

    def mock(self):
        """The mock, as code on a node would get it: a DataFrame, or a NumPy array. Each call gives a fresh one."""
        with self._mock_file() as file:
            return formats.read(file, self.document["mock"]["format"])

    def download_mock(self, path):
        """Saves the mock's bytes in a file, which is there whole or not at all."""
        folder = os.path.dirname(os.path.abspath(path))
        with self._mock_file() as file, tempfile.NamedTemporaryFile(dir=folder, delete=False) as half:
            try:
                while piece := file.read(1024 * 1024):
                    half.write(piece)
                half.flush()
                os.fsync(half.fileno())
                os.replace(half.name, path)
            except BaseException:
                os.unlink(half.name)
                raise

    def _mock_file(self):
        if self.document["mock"] is None:
            raise PoundlockError(f"the asset {self.name!r} has no mock")
        file, _status, _headers = self._connection.content(f"/assets/{self.id}/mock")
        return file


def _shape(schema):
    if schema["kind"] == "table":
        columns = ", ".join(f"{column['name']}: {column['dtype']}" for column in schema["columns"])
        return f"{schema['rows']} rows of {columns}"
    return f"{schema['dtype']} {'×'.join(map(str, schema['shape']))}"
