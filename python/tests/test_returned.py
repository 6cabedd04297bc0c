"""That what a node would refuse as a result is refused where the function is tried."""

import ast
import enum
import io
import json
import math
import pathlib
import sys
import unittest

import numpy as np
import pandas as pd

import poundlock
from poundlock import returned

HARNESS = pathlib.Path(__file__).parents[2] / "src/runtime/python/harness.py"


class Size(int, enum.Enum):
    BIG = 3


def nested(depth):
    value = 1
    for _level in range(depth):
        value = [value]
    return value


TABLE = pd.DataFrame({"a": [1, 1, 2], "b": [1.5, 3, 5], "when": pd.to_datetime(["2020-01-01", None, "2021-01-01"])})
LEVELS = pd.MultiIndex.from_tuples

TAKEN = [
    *(None, True, -3, 2**64 - 1, 0.1, math.inf, "größer", b"raw", [1, (2, [3])], {"z": 1, 5: True, Size.BIG: Size.BIG}),
    *(nested(100), np.int8(3), np.float64("nan"), {"a": np.eye(2), np.int64(7): pd.NA}, pd.NaT, np.ma.masked, np.array(["x"])),
    *(np.arange(6.0).reshape(2, 3).T, np.array(1 + 2j), TABLE, TABLE.describe(), TABLE.groupby("a").b.agg(["min", "max"])),
    *(TABLE.groupby("a").agg({"b": ["min", "max"]}), TABLE["b"], pd.DataFrame([]), pd.DataFrame({"a": [[1, None], {"k": "ß"}]})),
]
REFUSED = [
    ({1, 2}, "the result holds a set; a function may return"),
    (TABLE["when"].max(), "the result holds a Timestamp"),
    (TABLE.groupby(["a", "b"]).size().to_dict(), "a key of a dict is of type tuple; keys may be"),
    ({1.5: "x"}, "a key of a dict is of type float"),
    (2**70, "an int of a result must fit in 64 bits; return it as a str"),
    ([-(2**63) - 1], "an int of a result must fit in 64 bits"),
    (nested(101), "a result may be nested 100 deep, not deeper"),
    ({1: "one", "1": "two"}, "two keys of a dict are the same once they are written as text"),
    (np.ma.masked_less([120, 3, 55, 1], 5), "masked array"),
    (np.array([{"a": 1}], dtype=object), "the result is an array of object"),
    (np.array(["2020-01-01"], dtype="datetime64[D]"), "the result is an array of datetime64"),
    ([np.array([object()])], "the result holds a ndarray"),
    (pd.DataFrame([[1, 2]], columns=LEVELS([("a", "b_c"), ("a_b", "c")])), "two columns of the result have one name"),
    (pd.DataFrame({"a": [{1, 2}]}), "the result holds a set"),
    ("\ud800", "surrogates not allowed"),
    (object(), "the result holds a object"),
]
if np.dtype(np.longdouble).itemsize > 8:
    REFUSED += [
        (np.longdouble(1), "convert it to float64"),
        (np.array([1], np.longdouble), "convert it to float64 or complex128"),
        (np.array([1], np.clongdouble), "convert it to float64 or complex128"),
    ]


def functions_of(tree):
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, ast.FunctionDef)}


def node_encode():
    """The function of a node that writes results, with what it calls, taken out of the program that runs code there."""
    tree = ast.parse(HARNESS.read_text(encoding="utf-8"))
    names = {"io": io, "json": json, "math": math, "sys": sys}
    kept = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.Assign))]
    exec(compile(ast.Module(kept, []), str(HARNESS), "exec", dont_inherit=True), names)
    return names["_encode"]


class AsOnANode(unittest.TestCase):
    def verdict(self, encode, value):
        try:
            return encode(value)
        except Exception as error:
            return str(error)

    def test_both_give_every_value_the_same_verdict_and_message(self):
        encode = node_encode()
        for value in [*TAKEN, *(value for value, _why in REFUSED)]:
            with self.subTest(repr(value)[:80]):
                self.assertEqual(self.verdict(returned._encode, value), self.verdict(encode, value))

    def test_both_are_written_the_same(self):
        node = functions_of(ast.parse(HARNESS.read_text(encoding="utf-8")))
        own = functions_of(ast.parse(pathlib.Path(returned.__file__).read_text(encoding="utf-8")))
        own = {name: text for name, text in own.items() if name.startswith("_")}
        self.assertIn("_encode", own)
        self.assertEqual(own, {name: node.get(name) for name in own})

    def test_what_a_node_refuses_is_refused_where_it_is_tried(self):
        for value, why in REFUSED:
            with self.subTest(why), self.assertRaisesRegex(poundlock.PoundlockError, f"a node would refuse .*{why}"):
                returned.written(value)
        for value in TAKEN:
            with self.subTest(repr(value)[:80]):
                returned.written(value)

        @poundlock.function(numbers=[1, 2, 2])
        def distinct(numbers):
            return set(numbers)

        with self.assertRaisesRegex(poundlock.PoundlockError, "the result holds a set"):
            distinct.try_on_mocks()

    def test_what_is_tried_is_what_arrives(self):
        described = TABLE[["a", "b"]].describe()
        self.assertEqual(returned.as_it_arrives(described).loc["mean", "b"], described.loc["mean", "b"])
        pd.testing.assert_frame_equal(returned.as_it_arrives(described), described, check_index_type=False)
        moved = TABLE[["a", "b"]].iloc[1:].assign(id=["007", "010"], kept=[True, False])
        pd.testing.assert_frame_equal(returned.as_it_arrives(moved), moved, check_dtype=False)
        pd.testing.assert_frame_equal(returned.as_it_arrives(pd.Series([1, 2])), pd.DataFrame({"value": [1, 2]}))
        stacked = TABLE[["a", "b"]].stack()
        self.assertEqual(returned.as_it_arrives(stacked)["value"].to_dict(), stacked.to_dict())
        for value, arrived in (
            ({0: (1, 2), True: math.nan}, {"0": [1, 2], "True": "NaN"}),
            (b"raw", b"raw"),
            (np.eye(2, dtype="float32"), np.eye(2, dtype="float32")),
        ):
            got = returned.as_it_arrives(value)
            with self.subTest(repr(value)):
                self.assertIs(type(got), type(arrived))
                np.testing.assert_equal(got, arrived)

        @poundlock.function(size=3)
        def counted(size):
            return {size: (size, None)}

        self.assertEqual(counted.try_on_mocks(), {"3": [3, None]})
        self.assertEqual(counted(3), {3: (3, None)})


if __name__ == "__main__":
    unittest.main()
