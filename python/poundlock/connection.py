"""One node's REST API: how it is called, how its lists go on, how it refuses."""

import http.client
import json
import ssl
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from .problem import Unreachable, problem

# Seconds in which a node must begin to answer.
_PATIENCE = 60
# Seconds that are waited, at most, when the node says that it has had too many requests of this person.
_PAUSE_MAX = 60
# Bytes of an answer that are read at a time.
_PIECE = 1024 * 1024


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes to the node that it came from and nowhere else."""

    def redirect_request(self, *_arguments):
        return None


class Connection:
    """Calls one node. `ca_file` names the only authorities that are believed, where no public one vouches for the node.

    A password and a token go over TLS only, or to a node on this very machine.
    """

    def __init__(self, address, token=None, ca_file=None):
        parts = urllib.parse.urlsplit(address)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError(f"{address}: give the node's address as https://…")
        if parts.username or parts.query or parts.fragment:
            raise ValueError(f"{address}: give the node's address alone")
        self.address = address.rstrip("/")
        self._token = token
        #: Whether the session's token is known here alone, so that another may take its place.
        self.renews = False
        handlers = [_NoRedirects(), urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file))]
        if local:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def use(self, token):
        """Sends this token from now on, or none."""
        self._token = token

    def get(self, path, **query):
        return self._json("GET", path, query=query)

    def post(self, path, body):
        return self._json("POST", path, body)

    def put(self, path, body):
        return self._json("PUT", path, body)

    def delete(self, path):
        return self._json("DELETE", path)

    def items(self, path, **query):
        """All of a list, page after page."""
        cursor = None
        while True:
            page = self.get(path, cursor=cursor, **query)
            yield from page["items"]
            cursor = page.get("next")
            if cursor is None:
                return

    def content(self, path, body=None):
        """Bytes and their headers. The bytes are a file without a name, which is gone when it is closed."""
        with self._exchange("GET" if body is None else "POST", path, body) as answer:
            file = tempfile.TemporaryFile()
            try:
                while piece := self._read(answer, _PIECE):
                    file.write(piece)
                if answer.headers.get("Content-Length", str(file.tell())) != str(file.tell()):
                    raise Unreachable(self._broken_off())
            except BaseException:
                file.close()
                raise
            file.seek(0)
            return file, answer.status, answer.headers

    def _json(self, method, path, body=None, query=None):
        with self._exchange(method, path, body, query) as answer:
            text = self._read(answer)
        try:
            return json.loads(text) if text else None
        except ValueError as error:
            raise Unreachable(f"{self.address} answered something that is no JSON; is it a Poundlock node?") from error

    def _read(self, answer, most=None):
        """Bytes of an answer: so many at most, or all."""
        try:
            return answer.read(most)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(self._broken_off()) from error

    def _broken_off(self):
        return f"{self.address} broke off an answer; ask again"

    def _exchange(self, method, path, body=None, query=None):
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        address = f"{self.address}/api/v1{path}" + (f"?{urllib.parse.urlencode(asked)}" if asked else "")
        request = urllib.request.Request(address, method=method)
        request.add_header("User-Agent", "poundlock-python/0.1.0")
        if self._token is not None:
            request.add_header("Authorization", f"Bearer {self._token}")
            if self.renews:
                request.add_header("Poundlock-Renews", "yes")
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
        while True:
            try:
                answer = self._opener.open(request, timeout=_PATIENCE)
                # The session has another token where its person has shown their password again.
                self._token = answer.headers.get("Poundlock-Token", self._token)
                return answer
            except urllib.error.HTTPError as refusal:
                with refusal:
                    refused = self._refused(refusal)
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                raise Unreachable(f"the node at {self.address} cannot be reached: {reason}") from error
            # Nothing of a request that is turned away for that has been done, so it can be sent again.
            if refused.word != "too_many_requests" or self._token is None:
                raise refused
            time.sleep(_pause(refused.document.get("retry_after")))

    def _refused(self, refusal):
        try:
            document = json.loads(refusal.read())
        except (OSError, http.client.HTTPException, ValueError):
            document = None
        if not isinstance(document, dict):
            raise Unreachable(f"{self.address} answered {refusal.code}; is it a Poundlock node?")
        return problem(refusal.code, document)


def _pause(asked):
    """The seconds to wait, where a node asks for so many."""
    return min(max(asked, 0), _PAUSE_MAX) if isinstance(asked, (int, float)) else 1


def part(text):
    """A part of an address, escaped so that it stays one."""
    return urllib.parse.quote(text, safe="")
