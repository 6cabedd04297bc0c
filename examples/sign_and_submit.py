#!/usr/bin/env python3
"""Submits code and a request to a Poundlock node, signed with a key of your own. Made to be copied into a notebook.

    poundlock key new sam.key                  # or any Ed25519 key; the file is described in docs/SIGNATURES.md
    poundlock key register sam.key
    export POUNDLOCK_TOKEN=...                 # as POST /api/v1/sessions returned it
    python3 sign_and_submit.py submit https://low.example.org sam.key means.py \\
        --entry-point mean_glucose --asset women=ASSET-ID --project PROJECT-ID --reason "Who has how much"

    python3 sign_and_submit.py check fixtures/signatures/vectors.json      # whether this script signs as it should

Needs `pip install cryptography`, or another library for Ed25519: only `sign` and `public_key` use it. What is signed is
computed here, from your own file, and never taken from the node: a node that was broken into would have you sign what it
likes.
"""

import argparse
import hashlib
import json
import os
import pathlib
import stat
import sys
import urllib.error
import urllib.request
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def public_key(secret: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def sign(secret: bytes, statement: bytes) -> str:
    return Ed25519PrivateKey.from_private_bytes(secret).sign(statement).hex()


def fingerprint(verify_key: bytes) -> str:
    """What you read to the data owner, so that they know that the key is yours."""
    digest = hashlib.sha256(b"poundlock v1 verify key fingerprint\0" + verify_key).digest()
    groups = [int.from_bytes(digest[at : at + 4], "big") % 100_000 for at in range(0, 32, 4)]
    return " ".join(f"{group:05}" for group in groups)


def statement(context: str, parts: list) -> bytes:
    """A context, a NUL, and the parts, each behind its length in bytes as eight little-endian bytes."""
    signed = context.encode() + b"\0"
    for part in parts:
        part = part if isinstance(part, bytes) else part.encode()
        signed += len(part).to_bytes(8, "little") + part
    return signed


def key_statement(user: str, verify_key: bytes) -> bytes:
    return statement("poundlock v1 verify key", [user, verify_key.hex()])


def constant(value) -> str:
    """A constant as the node keeps it. Floats are written in more than one way, so pass them as text or as a ratio."""
    if any(isinstance(item, float) for item in walk(value)):
        raise ValueError("a constant that is signed holds no floating-point number here; pass it as text")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def walk(value):
    yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from walk(item)


def code_statement(author: str, code: dict) -> bytes:
    """`code` is the body of POST /codes."""
    parts = [author, code["name"].strip(), code["source"], code["entry_point"].strip()]
    for name, binding in sorted(code["input_policy"].items(), key=lambda item: item[0].encode()):
        parts.append(name)
        if "asset" in binding:
            parts.append(f"asset {binding['asset']}")
        else:
            parts.append(f"constant {constant(binding['constant'])}")
    output = code["output_policy"]
    parts.append(output if isinstance(output, str) else f"execute_count {output['execute_count']}")
    return statement("poundlock v1 signed code", parts)


def request_statement(request: dict, revision: int, signed_code: bytes) -> bytes:
    """`request` has the fields that GET /requests/{id} shows; `signed_code` is the statement of its code."""
    return statement(
        "poundlock v1 signed request",
        [
            request["id"],
            str(revision),
            request["requester"],
            request["project"],
            request["code"],
            signed_code,
            request["reason"].strip(),
            str(request["runs_wanted"]),
            "yes" if request["withdrawn"] else "no",
            request["predecessor"] or "",
        ],
    )


def load_secret(path: pathlib.Path) -> bytes:
    """The secret key in a file of `poundlock key new`."""
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        sys.exit(f"{path} may be read by others: run chmod 600 on it, and consider the key exposed")
    for line in path.read_text().splitlines():
        if line.startswith("signing-key = "):
            return bytes.fromhex(line.removeprefix("signing-key = "))
    sys.exit(f"{path} is no Poundlock signing key")


class Node:
    def __init__(self, address: str, token: str):
        self.address, self.token = address.rstrip("/"), token

    def call(self, method: str, path: str, body=None):
        asked = urllib.request.Request(f"{self.address}/api/v1{path}", method=method)
        asked.add_header("Authorization", f"Bearer {self.token}")
        if body is not None:
            asked.add_header("Content-Type", "application/json")
            asked.data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(asked) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            sys.exit(f"{method} {path}: {refused.code} {refused.read().decode()}")


def submit(arguments):
    secret = load_secret(arguments.key)
    node = Node(arguments.node, os.environ["POUNDLOCK_TOKEN"])
    me = node.call("GET", "/users/me")["id"]
    policy = {name: {"asset": asset} for name, asset in (bound.split("=", 1) for bound in arguments.asset)}
    code = {
        "name": arguments.name or arguments.source.stem,
        "source": arguments.source.read_text(),
        "entry_point": arguments.entry_point,
        "input_policy": policy,
        "output_policy": "single_execution",
    }
    signed_code = code_statement(me, code)
    submitted = node.call("POST", "/codes", code | {"signature": sign(secret, signed_code)})
    request = {
        # Its id is signed too, so you make it: at random, and never twice.
        "id": str(uuid.uuid4()),
        "requester": me,
        "project": arguments.project,
        "code": submitted["id"],
        "reason": arguments.reason,
        "runs_wanted": 1,
        "withdrawn": False,
        "predecessor": None,
    }
    signature = sign(secret, request_statement(request, 1, signed_code))
    asked = {name: request[name] for name in ("id", "project", "code", "reason")} | {"signature": signature}
    made = node.call("POST", "/requests", asked)
    print(json.dumps({"code": submitted["id"], "request": made["id"], "fingerprint": fingerprint(public_key(secret))}))


def check(arguments):
    """Compares what this script makes with the vectors of docs/SIGNATURES.md."""
    vectors = json.loads(arguments.vectors.read_text())
    secret = bytes.fromhex(vectors["secret_key"])
    key = public_key(secret)
    assert key.hex() == vectors["verify_key"]
    assert fingerprint(key) == vectors["fingerprint"]

    def same(vector, made):
        assert made.hex() == vector["statement"], f"{vector['what']}: another statement"
        assert sign(secret, made) == vector["signature"], f"{vector['what']}: another signature"

    same(vectors["key"], key_statement(vectors["key"]["user"], key))
    codes = {}
    for vector in vectors["codes"]:
        codes[vector["what"]] = code_statement(vector["author"], vector["code"])
        same(vector, codes[vector["what"]])
    for vector in vectors["requests"]:
        same(vector, request_statement(vector["request"], vector["revision"], codes[vector["code"]]))
    print(f"{1 + len(codes) + len(vectors['requests'])} statements and signatures are as they should be")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("submit", help="submit code and a request for it, both signed")
    verb.add_argument("node")
    verb.add_argument("key", type=pathlib.Path)
    verb.add_argument("source", type=pathlib.Path)
    verb.add_argument("--name")
    verb.add_argument("--entry-point", required=True)
    verb.add_argument("--asset", action="append", default=[], metavar="PARAMETER=ASSET-ID")
    verb.add_argument("--project", required=True)
    verb.add_argument("--reason", required=True)
    verb.set_defaults(run=submit)
    verb = verbs.add_parser("check", help="compare this script with the test vectors")
    verb.add_argument("vectors", type=pathlib.Path)
    verb.set_defaults(run=check)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
