"""What a scientist signs, after docs/SIGNATURES.md.

Statements are computed here, from your own function, and never taken from the node: a node that was broken into would have
you sign what it likes. Keys and signatures need the package cryptography.
"""

import hashlib
import json
import os
import pathlib
import secrets
import stat

from .problem import PoundlockError

_FIRST_LINE = "# poundlock signing key 1: whoever has this file can sign as its owner"


def _ed25519():
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise PoundlockError("signing needs cryptography: pip install 'poundlock[signing]'") from None
    return ed25519


class Key:
    """A secret signing key, in a file that only its owner can read. `poundlock key new` writes the same file."""

    def __init__(self, secret):
        self._key = _ed25519().Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    def __repr__(self):
        return f"Key({self.fingerprint})"

    @classmethod
    def new(cls, path):
        """Makes a key and writes its file. One that is there already is never replaced."""
        secret = secrets.token_bytes(32)
        key = cls(secret)
        text = f"{_FIRST_LINE}\nverify-key = {key.public.hex()}\nsigning-key = {secret.hex()}\n"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        return key

    @classmethod
    def load(cls, path):
        """Reads a key's file. One that others may read is refused."""
        path = pathlib.Path(path)
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PoundlockError(f"{path} may be read by others: run chmod 600 on it, and consider the key exposed")
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
        if len(lines) == 3 and lines[0] == _FIRST_LINE and lines[2].startswith("signing-key = "):
            try:
                key = cls(bytes.fromhex(lines[2].removeprefix("signing-key = ")))
            except ValueError:
                key = None
            if key and lines[1] == f"verify-key = {key.public.hex()}":
                return key
        raise PoundlockError(f"{path} is no Poundlock signing key")

    @property
    def fingerprint(self):
        """What you read to the data owner, so that they know that the key is yours."""
        digest = hashlib.sha256(b"poundlock v1 verify key fingerprint\0" + self.public).digest()
        groups = (int.from_bytes(digest[at : at + 4], "big") % 100_000 for at in range(0, 32, 4))
        return " ".join(f"{group:05}" for group in groups)

    def sign(self, statement):
        """The signature on a statement, in hexadecimal digits."""
        return self._key.sign(statement).hex()


def _statement(context, parts):
    """A context, a NUL, and the parts, each behind its length in bytes as eight little-endian bytes."""
    signed = context.encode() + b"\0"
    for part in parts:
        part = part if isinstance(part, bytes) else part.encode("utf-8")
        signed += len(part).to_bytes(8, "little") + part
    return signed


def key_claim(user, public):
    """That a key is a person's."""
    return _statement("poundlock v1 verify key", [user, public.hex()])


def code(author, body):
    """Code; `body` is that of `POST /codes`."""
    parts = [author, body["name"].strip(), body["source"], body["entry_point"].strip()]
    for name, binding in sorted(body["input_policy"].items(), key=lambda item: item[0].encode()):
        bound = f"asset {binding['asset']}" if "asset" in binding else f"constant {_constant(binding['constant'])}"
        parts += [name, bound]
    output = body["output_policy"]
    parts.append(output if isinstance(output, str) else f"execute_count {output['execute_count']}")
    return _statement("poundlock v1 signed code", parts)


def request(document, revision, signed_code):
    """A revision of a request; `document` has the fields that `GET /requests/{id}` shows."""
    return _statement(
        "poundlock v1 signed request",
        [
            document["id"],
            str(revision),
            document["requester"],
            document["project"],
            document["code"],
            signed_code,
            document["reason"].strip(),
            str(document["runs_wanted"]),
            "yes" if document["withdrawn"] else "no",
            document["predecessor"] or "",
        ],
    )


def _constant(value):
    """A constant as the node keeps it. There is more than one way to write a float, so these cannot be signed."""
    if _has_float(value):
        raise ValueError("a constant that is signed holds no floating-point number; pass it as text or as a ratio")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _has_float(value):
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    return any(map(_has_float, value)) if isinstance(value, list) else isinstance(value, float)
