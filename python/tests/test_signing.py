import json
import os
import pathlib
import tempfile
import unittest

import poundlock
from poundlock import signing

VECTORS = pathlib.Path(__file__).parents[2] / "fixtures/signatures/vectors.json"


class Statements(unittest.TestCase):
    def test_the_worked_examples_come_out(self):
        vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
        key = poundlock.Key(bytes.fromhex(vectors["secret_key"]))
        self.assertEqual((key.public.hex(), key.fingerprint), (vectors["verify_key"], vectors["fingerprint"]))

        def same(vector, made):
            with self.subTest(vector["what"]):
                self.assertEqual((made.hex(), key.sign(made)), (vector["statement"], vector["signature"]))

        same(vectors["key"], signing.key_claim(vectors["key"]["user"], key.public))
        codes = {vector["what"]: signing.code(vector["author"], vector["code"]) for vector in vectors["codes"]}
        for vector in vectors["codes"]:
            same(vector, codes[vector["what"]])
        for vector in vectors["requests"]:
            same(vector, signing.request(vector["request"], vector["revision"], codes[vector["code"]]))
        self.assertEqual(len(codes) + len(vectors["requests"]), 6)

    def test_floats_are_not_signed(self):
        body = {
            "name": "half",
            "source": "",
            "entry_point": "half",
            "input_policy": {"share": {"constant": [1, {"a": 0.5}]}},
            "output_policy": "single_execution",
        }
        with self.assertRaises(ValueError):
            signing.code("me", body)


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "sam.key"

    def test_a_key_is_kept_in_a_file_for_its_owner_alone(self):
        made = poundlock.Key.new(self.path)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(poundlock.Key.load(self.path).public, made.public)
        with self.assertRaises(FileExistsError):
            poundlock.Key.new(self.path)
        self.assertNotIn(self.path.read_text().split()[-1], repr(made))

    def test_a_file_that_others_may_read_or_that_is_none_is_refused(self):
        poundlock.Key.new(self.path)
        text = self.path.read_text()
        os.chmod(self.path, 0o644)
        with self.assertRaisesRegex(poundlock.PoundlockError, "may be read by others"):
            poundlock.Key.load(self.path)
        os.chmod(self.path, 0o600)
        for wrong in ("", text.replace("signing key 1", "signing key 2"), text[:-3], text.replace("verify-key = ", "verify-key = 0")):
            self.path.write_text(wrong)
            with self.assertRaisesRegex(poundlock.PoundlockError, "is no Poundlock signing key"):
                poundlock.Key.load(self.path)


if __name__ == "__main__":
    unittest.main()
