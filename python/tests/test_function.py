import collections
import dataclasses
import functools
import math
import os.path
import sys
import unittest
import xml.etree.ElementTree
from collections import OrderedDict as Ordered

import numpy as np
import own_module
from own_module import tripled

import poundlock

LIMIT = 5
TABLE = np.zeros(3)


class Counter:
    """A class of the notebook."""

    def count(self, values):
        return len(values) + LIMIT


@functools.lru_cache
def doubled(value):
    return 2 * value


def source_of(function):
    return poundlock.function(**dict.fromkeys(function.__code__.co_varnames[: function.__code__.co_argcount], 1))(
        function
    ).source


class Source(unittest.TestCase):
    def test_what_a_function_uses_goes_along(self):
        @poundlock.function(values=[1, 2, 3])
        def counted(values):
            return Ordered(
                count=Counter().count(values), root=math.sqrt(doubled(LIMIT)), mean=float(np.mean(values)), three=tripled(1)
            )

        self.assertEqual(
            counted.source,
            """\
from collections import OrderedDict as Ordered
from functools import lru_cache
import math
import numpy as np


FACTOR = 3
LIMIT = 5


class Counter:
    \"\"\"A class of the notebook.\"\"\"

    def count(self, values):
        return len(values) + LIMIT


@functools.lru_cache
def doubled(value):
    return 2 * value


def tripled(value):
    return FACTOR * value


def counted(values):
    return Ordered(
        count=Counter().count(values), root=math.sqrt(doubled(LIMIT)), mean=float(np.mean(values)), three=tripled(1)
    )
""".replace("from functools import lru_cache", "import functools"),
        )
        self.assertEqual(counted.try_on_mocks(), counted([1, 2, 3]))
        self.assertEqual(counted.try_on_mocks(), {"count": 8, "root": math.sqrt(10), "mean": 2.0, "three": 3})

    def test_modules_are_imported_as_they_are_named(self):
        def parsed(text):
            return xml.etree.ElementTree.fromstring(text).tag, os.path.basename(text)

        self.assertIn("import os\nimport os.path\nimport xml\nimport xml.etree\nimport xml.etree.ElementTree", source_of(parsed))

    def test_annotations_and_defaults_count(self):
        def told(values: np.ndarray, most: int = LIMIT) -> "collections.Counter":
            return values[:most]

        bound = poundlock.function(values=[1], most=1)(told)
        self.assertTrue(bound.source.startswith("import numpy as np\n\n\nLIMIT = 5\n\n\ndef told("), bound.source)

    def test_functions_may_call_each_other_in_a_circle(self):
        self.assertEqual(poundlock.function(number=7)(is_even).try_on_mocks(), False)

    def test_a_class_of_a_notebook_is_found_in_its_cell(self):
        newest = "x = 1\n@dataclasses.dataclass\nclass Pair:\n    first: int = 1\n"
        cells = ["", newest.replace("= 1", "= 0"), newest, "!"]
        main = sys.modules["__main__"]
        main.In, main.dataclasses = cells, dataclasses
        exec(compile(newest, "<cell>", "exec", dont_inherit=True), main.__dict__)
        Pair = main.Pair
        for name in ("In", "dataclasses", "Pair", "x"):
            self.addCleanup(delattr, main, name)

        def paired(number):
            return Pair.first + number

        bound = poundlock.function(number=1)(paired)
        written = "import dataclasses\n\n\n@dataclasses.dataclass\nclass Pair:\n    first: int = 1\n\n\ndef paired"
        self.assertIn(written, bound.source)

    def test_what_a_function_inside_another_captures_goes_along(self):
        offset = 40

        @poundlock.function(number=2)
        def moved(number):
            return number + offset

        self.assertEqual(moved.source, "offset = 40\n\n\ndef moved(number):\n    return number + offset\n")

    def test_data_of_the_notebook_does_not_go_along(self):
        def leaking(values):
            return TABLE.sum() + values

        with self.assertRaisesRegex(poundlock.NotSelfContained, "uses TABLE, a ndarray of this notebook"):
            source_of(leaking)

        def asking(values):
            return own_module.tripled(values)

        with self.assertRaisesRegex(poundlock.NotSelfContained, "from own_module import"):
            source_of(asking)

        def wrong(values):
            return undefined_name + values  # noqa: F821

        with self.assertRaisesRegex(poundlock.NotSelfContained, "undefined_name, which is not defined"):
            source_of(wrong)
        long = "x" * 20_000

        def hoarding(values):
            return long

        with self.assertRaisesRegex(poundlock.NotSelfContained, "uses long"):
            source_of(hoarding)

    def test_a_lambda_has_no_source_of_its_own(self):
        with self.assertRaises(poundlock.NotSelfContained):
            poundlock.function(values=1)(lambda values: values)

    def test_each_parameter_is_bound_once(self):
        def plain(first, second=2):
            return first

        for inputs in ({"first": 1}, {"first": 1, "second": 2, "third": 3}, {"first": 1, "second": object()}):
            with self.assertRaises(TypeError):
                poundlock.function(**inputs)(plain)
        for odd in (float("nan"), float("inf"), (1, 2), {1: 2}, {"a": {1}}):
            with self.assertRaises(TypeError):
                poundlock.function(first=odd, second=1)(plain)

        def taking_all(*values):
            return values

        with self.assertRaises(TypeError):
            poundlock.function(values=1)(taking_all)

    def test_a_masked_array_is_refused_here_as_on_a_node(self):
        @poundlock.function(least=5)
        def without_small_cells(least):
            return np.ma.masked_less([120, 3, 55, 1], least)

        with self.assertRaisesRegex(poundlock.PoundlockError, "masked"):
            without_small_cells.try_on_mocks()

    def test_it_stays_callable_and_does_not_change_its_inputs(self):
        inputs = [3, 1, 2]

        @poundlock.function(values=inputs)
        def ordered(values):
            """Sorts."""
            values.sort()
            return values

        self.assertEqual(ordered.try_on_mocks(), [1, 2, 3])
        self.assertEqual(inputs, [3, 1, 2])
        self.assertEqual(ordered([2, 1]), [1, 2])
        self.assertEqual(ordered.__doc__, "Sorts.")


def is_even(number):
    return number == 0 or is_odd(number - 1)


def is_odd(number):
    return number != 0 and is_even(number - 1)


if __name__ == "__main__":
    unittest.main()
