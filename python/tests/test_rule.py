"""The rule for code, held against the same cases as a node's."""

import ast
import json
import pathlib
import re
import unittest

from poundlock import rule

ROOT = pathlib.Path(__file__).parents[2]


class Rule(unittest.TestCase):
    def test_it_refuses_what_a_node_refuses(self):
        for case in json.loads((ROOT / "fixtures/rule/cases.json").read_text(encoding="utf-8")):
            with self.subTest(case["what"]):
                try:
                    rule.check(ast.parse(case["source"]))
                except rule.NotSelfContained as refused:
                    self.assertTrue(case["refused"], refused)
                else:
                    self.assertFalse(case["refused"])

    def test_the_lists_are_those_of_a_node(self):
        for file, names in (
            ("rule", {"DECORATORS": rule.DECORATORS, "CALLED": rule._CALLED, "HOOKS": rule._HOOKS, "SAID": rule._SAID}),
            ("enumeration", {"METHODS": rule._METHODS, "READ": rule._READ, "BASES": rule._BASES, "GENERIC": rule._GENERIC, "DECORATORS": rule._OF_ENUMERATIONS}),
        ):
            text = (ROOT / f"src/domain/outline/{file}.rs").read_text(encoding="utf-8")
            for name, own in names.items():
                listed = re.search(rf"const {name}: \[&str; \d+\] = \[(.*?)\];", text, re.DOTALL)
                self.assertEqual(set(re.findall(r'"([^"]+)"', listed.group(1))), own, name)

    def test_what_is_literal_is_told_as_on_a_node(self):
        def read(path):
            body = ast.parse(path.read_text(encoding="utf-8")).body
            return {node.name: ast.dump(node) for node in body if isinstance(node, ast.FunctionDef)}

        own, node = read(pathlib.Path(rule.__file__)), read(ROOT / "src/runtime/python/outline.py")
        for name in ("_dotted", "_is_literal", "_is_type", "_names"):
            self.assertEqual(own[name], node[name])


if __name__ == "__main__":
    unittest.main()
