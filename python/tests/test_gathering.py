"""That what is submitted computes what the scientist has tried, or is refused."""

import ast
import builtins
import importlib
import linecache
import os
import pathlib
import sys
import tempfile
import unittest

import poundlock


class Workshop(unittest.TestCase):
    """A notebook, and a folder for the scientist's own files."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        sys.path.insert(0, folder.name)
        self.addCleanup(sys.path.remove, folder.name)
        self.main = sys.modules["__main__"].__dict__
        before = dict(self.main)
        self.addCleanup(lambda: (self.main.clear(), self.main.update(before)))
        self.main.update(In=[""], poundlock=poundlock)

    def file(self, name, text):
        """Writes one of the scientist's own files and imports it."""
        path = self.folder / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        self.addCleanup(sys.modules.pop, name, None)
        return importlib.import_module(name)

    def cell(self, text, ran=None):
        """Runs a cell. `ran` is what ran of it, where a magic command stands above that."""
        self.main["In"].append(text)
        name = f"<cell {len(self.main['In'])}>"
        if ran is None:
            linecache.cache[name] = (len(text), None, text.splitlines(True), name)
            self.addCleanup(linecache.cache.pop, name)
        exec(compile(ran or text, name, "exec", dont_inherit=True), self.main)

    def bound(self, text, **inputs):
        """A function of a cell, with its inputs."""
        self.cell(text)
        return poundlock.function(**inputs)(self.main["asked"])

    def refused(self, function, why):
        for ask in (lambda: function.source, function.try_on_mocks):
            with self.assertRaisesRegex(poundlock.NotSelfContained, why):
                ask()


class Names(Workshop):
    def test_a_name_that_means_two_things_is_refused(self):
        self.file("own_logs", "from math import log\n\nLIMIT = 10\n\ndef bits(x):\n    return log(x) * LIMIT\n")
        self.cell("from own_logs import bits")
        for line, name in (("from math import log10 as log", "log"), ("LIMIT = 5", "LIMIT"), ("LIMIT = 10.0", "LIMIT")):
            self.cell(line)
            asked = self.bound(f"def asked(x):\n    return {name}, bits(x)\n", x=100)
            self.refused(asked, rf"^{name} is one thing in (asked \(this notebook\)|bits \(own_logs\)) and another in")
        # The same thing twice is no harm, and neither are equal constants.
        self.cell("from math import log\nLIMIT = 10")
        asked = self.bound("def asked(x):\n    return log(x), LIMIT, bits(x)\n", x=100)
        self.assertEqual(asked.try_on_mocks(), list(asked(100)))

    def test_a_built_in_name_is_a_meaning_too(self):
        self.file("own_sums", "from math import fsum as sum\n\ndef total(values):\n    return sum(values)\n")
        self.cell("from own_sums import total")
        asked = self.bound("def asked(values):\n    return sum([values]), total([values])\n", values=1)
        self.refused(asked, "sum is one thing in asked .* and another in total")

    def test_a_module_and_what_is_in_it_may_share_a_name_but_not_in_one_source(self):
        self.file("own_dates", "import datetime\n\ndef year(day):\n    return datetime.date(day, 1, 1).year\n")
        self.cell("from datetime import datetime\nfrom own_dates import year")
        asked = self.bound("def asked(day):\n    return datetime(day, 1, 1).year, year(day)\n", day=2000)
        self.refused(asked, "datetime is one thing")

    def test_what_is_captured_is_not_taken_for_what_is_global(self):
        self.cell("k = 5\ndef adder(k):\n    def add(x): return x + k\n    return add\nadd = adder(2)")
        self.refused(self.bound("def asked(x):\n    return add(x) + k\n", x=1), "k is one thing")
        self.assertEqual(self.bound("def asked(x):\n    return add(x)\n", x=1).try_on_mocks(), 3)
        text = "class Adder:\n    def add(self, x): return x + k\n"
        self.cell("def made(k):\n    " + text.replace("\n", "\n    ") + "return Adder\nAdder = made(2)")
        self.main["In"].append(text)
        asked = self.bound("def asked(x):\n    return Adder().add(x) + k\n", x=1)
        self.refused(asked, "k is one thing")


class Text(Workshop):
    def test_only_what_python_takes_for_an_end_of_a_line_is_one(self):
        for odd in ("\x0c", "\x85", "\u2028", "\x1c"):
            text = f'def asked(x):\n    """Large ones.{odd}"""\n    if x < 10: # {odd}  suppress\n        x = 0\n    return {{"n": x}}\n'
            asked = poundlock.function(x=3)(self.file(f"own_{ord(odd)}", text).asked)
            with self.subTest(odd):
                self.assertEqual(asked.source, text)
                self.assertEqual((asked(3), asked.try_on_mocks()), ({"n": 0}, {"n": 0}))

    def test_texts_of_an_indented_function_stay_as_they_are(self):
        def asked(x):
            """Counts,
            and more."""
            text = f"""a
            {x}"""
    # A comment further out.
            return text

        self.assertEqual(poundlock.function(x=1)(asked).try_on_mocks(), "a\n            1")


class Unchanged(Workshop):
    def test_a_class_that_ran_below_a_magic_command_is_not_taken_for_an_older_one(self):
        self.cell("class Model:\n    def scale(self, x): return x * 1\n")
        asked = self.bound("def asked(x):\n    return Model().scale(x)\n", x=1)
        self.assertEqual(asked.try_on_mocks(), 1)
        newer = "class Model:\n    def scale(self, x): return x * 1000\n"
        self.cell(f"get_ipython().run_cell_magic('time', '', {newer!r})\n", ran=newer)
        self.assertEqual(asked(1), 1000)
        self.refused(asked, "Model is not what its source says")

    def test_a_class_whose_newer_cell_failed_is_the_older_one(self):
        self.cell("class Model:\n    scale = 1\n")
        with self.assertRaises(NameError):
            self.cell("class Model:\n    scale = 2\n    boom\n")
        asked = self.bound("def asked(x):\n    return x * Model.scale\n", x=1)
        self.assertIn("scale = 1", asked.source)

    def test_a_file_that_was_edited_after_the_import_is_refused(self):
        before = "STEP = 1\n\ndef shift(x, by=2):\n    return x + 1 + by\n"
        for after in (before.replace("x + 1", "x + 5000"), before.replace("by=2", "by=3"), before.replace("+ by", "- by")):
            module = self.file("own_shift", before)
            self.cell("from own_shift import shift")
            asked = self.bound("def asked(x):\n    return shift(x)\n", x=1)
            self.assertEqual(asked.try_on_mocks(), 4)
            (self.folder / "own_shift.py").write_text(after)
            os.utime(module.__file__, (1, 1))
            with self.subTest(after):
                self.refused(asked, "shift is not what its source says")
            sys.modules.pop("own_shift")

    def test_a_class_that_was_changed_after_it_was_defined_is_refused(self):
        cell = "class Base:\n    pass\n\nclass Model(Base):\n    limit = 5\n    def scale(self, x, by=2): return x * by * self.limit\n"
        asked = "def asked(x):\n    return Model().scale(x)\n"
        for change in (
            "Model.limit = 6",
            "Model.other = 6",
            "Model.scale = lambda self, x: x",
            "def scaled(self, x): return x\nModel.scaled = scaled",
            "class Base:\n    pass\n",
        ):
            self.cell(cell)
            bound = self.bound(asked, x=1)
            self.assertEqual(bound.try_on_mocks(), 10)
            self.cell(change)
            with self.subTest(change):
                self.refused(bound, "Model is not what its source says")

    def test_ordinary_classes_are_what_their_source_says(self):
        self.cell(
            "import dataclasses, enum, functools, math, typing\n"
            "LIMIT = 3\n"
            "@dataclasses.dataclass(frozen=True)\nclass Point:\n    x: float\n    y: float = 2.5\n"
            "    def sum(self): return self.x + self.y\n"
            "class Group(str, enum.Enum):\n    CASES = 'cases'\n"
            "class Size(enum.IntEnum):\n    SMALL = 1\n"
            "class Pair(typing.NamedTuple):\n    left: int\n    right: int = 4\n"
            "@functools.total_ordering\nclass Grade:\n"
            "    '''A grade.\n    '''\n    __slots__ = ('_value',)\n    best = -1\n"
            "    def __init__(self, value): self._value = value\n"
            "    def __lt__(self, other): return self._value < other._value\n"
            "    def __eq__(self, other): return self._value == other._value\n"
            "    @property\n    def value(self): return math.floor(self._value)\n"
            "    @value.setter\n    def value(self, new): self._value = new\n"
            "    @staticmethod\n    def of(value=best): return Grade(value)\n"
            "    @classmethod\n    def top(cls, *, by=LIMIT): return cls(by)\n"
            "    @functools.lru_cache\n    def __hidden(self): return super().__repr__\n"
        )
        asked = self.bound(
            "def asked(x):\n    grade = Grade.top()\n    grade.value = 7.5\n"
            "    return [Point(x).sum(), Group.CASES.value, Size.SMALL + 0, Pair(x).right, grade.value, Grade.of().value, "
            "grade > Grade(1)]\n",
            x=1,
        )
        self.assertEqual(asked.try_on_mocks(), [3.5, "cases", 1, 4, 7, -1, True])

    def test_how_imports_stand_beside_a_definition_makes_no_difference(self):
        text = "import math\n\ndef asked(x):\n    return math.floor(x)\n"
        self.assertEqual(poundlock.function(x=1.5)(self.file("own_floor", text).asked).try_on_mocks(), 1)
        self.assertEqual(self.bound(text, x=1.5).try_on_mocks(), 1)
        # A notebook compiles each statement by itself, and lets `await` stand outside of functions.
        for name, cell in (("<apart>", text), ("<awaiting>", text + "[await one for one in ()]\n")):
            self.main.pop("math")
            linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)
            self.addCleanup(linecache.cache.pop, name)
            for node in ast.parse(text).body:
                exec(compile(ast.Module([node], []), name, "exec", dont_inherit=True), self.main)
            self.assertEqual(poundlock.function(x=1.5)(self.main["asked"]).try_on_mocks(), 1)

    def test_a_wrapper_that_the_source_does_not_show_is_refused(self):
        self.cell("import functools\ndef twice(f):\n    @functools.wraps(f)\n    def inner(x): return 2 * f(x)\n    return inner")
        self.cell("def helper(x): return x\nhelper = twice(helper)")
        self.refused(self.bound("def asked(x):\n    return helper(x)\n", x=1), "helper is wrapped in something")


class AsOnANode(Workshop):
    def test_what_a_notebook_adds_to_python_is_refused(self):
        builtins.display = lambda value: None
        self.addCleanup(delattr, builtins, "display")
        self.refused(self.bound("def asked(x):\n    display(x)\n", x=1), "uses display, which a notebook adds")
        asked = self.bound("def asked(x):\n    return len(open.__name__), NotImplemented is None\n", x=1)
        self.assertEqual(asked.try_on_mocks(), [4, False])

    def test_submodules_of_a_module_under_another_name_are_imported(self):
        self.cell("import xml as markup\nimport xml.etree.ElementTree")
        asked = self.bound("def asked(x):\n    return markup.etree.ElementTree.fromstring(x).tag\n", x="<a/>")
        self.assertEqual(asked.source.splitlines()[:3], ["import xml as markup", "import xml.etree", "import xml.etree.ElementTree"])
        self.cell("def xml(x):\n    return x\n")
        asked = self.bound("def asked(x):\n    return markup.etree.ElementTree, xml(x)\n", x="<a/>")
        self.refused(asked, "xml is one thing")

    def test_annotations_that_are_texts_work(self):
        self.file("own_tree", "from __future__ import annotations\n\nclass Tree:\n    def child(self) -> Tree:\n        return Tree()\n")
        self.cell("import dataclasses\nfrom own_tree import Tree\n@dataclasses.dataclass\nclass Row:\n    size: 'int'\n")
        asked = self.bound("def asked(x):\n    return Row(x).size, type(Tree().child()).__name__\n", x=1)
        self.assertEqual(asked.try_on_mocks(), [1, "Tree"])
        self.assertNotIn("submission", sys.modules)

    def test_a_base_stands_before_what_derives_from_it(self):
        self.cell("class Base:\n    def child(self): return Leaf()\n\nclass Leaf(Base):\n    pass\n")
        asked = self.bound("def asked(x):\n    return isinstance(Base().child(), Leaf)\n", x=1)
        self.assertTrue(asked.try_on_mocks())

    def test_what_a_node_would_refuse_is_refused_before(self):
        self.cell(
            "import functools\ndef plus(k):\n    def outer(f):\n        @functools.wraps(f)\n        def inner(x): return f(x) + k\n"
            "        return inner\n    return outer\n"
        )
        self.cell("@plus(7)\ndef helper(x): return x\n")
        self.refused(self.bound("def asked(x):\n    return helper(x)\n", x=1), "refuses the decorator @plus of helper")
        self.cell("LIMIT = 3\nclass Model:\n    LIMIT = LIMIT\n")
        self.refused(self.bound("def asked(x):\n    return Model.LIMIT\n", x=1), "refuses 'LIMIT = LIMIT' in the class Model")


class Constants(Workshop):
    def test_sets_go_along_the_same_each_time(self):
        self.cell("CODES = {'b', 'a', 'c'}\nNESTED = {'x': {1}}\n")
        asked = self.bound("def asked(x):\n    return sorted(CODES), sorted(NESTED['x'])\n", x=1)
        self.assertTrue(asked.source.startswith("CODES = {'a', 'b', 'c'}\nNESTED = {'x': {1}}\n"), asked.source)
        self.assertEqual(asked.try_on_mocks(), [["a", "b", "c"], [1]])
        self.cell("EMPTY = set()")
        self.refused(self.bound("def asked(x):\n    return EMPTY\n", x=1), "uses EMPTY, a set")

    def test_what_modules_give_is_imported(self):
        self.cell("from typing import List, Optional, Any\nfrom numpy import sqrt\n")
        asked = self.bound("def asked(x: Optional[int]) -> List[Any]:\n    return [float(sqrt(x))]\n", x=4)
        self.assertEqual(asked.try_on_mocks(), [2.0])
        self.assertIn("from typing import List\n", asked.source)

    def test_integers_that_a_node_would_round_are_refused(self):
        self.cell("def asked(x):\n    return x\n")
        for value in (2**64, -(2**63) - 1):
            with self.assertRaisesRegex(TypeError, "pass it as text"):
                poundlock.function(x=value)(self.main["asked"])
            with self.assertRaisesRegex(TypeError, "64 bits"):
                poundlock.function(x=[{"n": value}])(self.main["asked"])
        for value in (2**64 - 1, -(2**63), True):
            self.assertEqual(poundlock.function(x=value)(self.main["asked"]).try_on_mocks(), value)


if __name__ == "__main__":
    unittest.main()
