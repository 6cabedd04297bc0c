import http.server
import json
import socket
import threading
import unittest
import unittest.mock

import poundlock
from poundlock.connection import Connection


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with what the test has laid out, one answer after the other, and keeps what was asked."""

    laid_out, asked = [], []

    def do_GET(self):
        self.asked.append((self.path, self.headers.get("Authorization")))
        status, headers, body = self.laid_out.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


def document(value):
    return json.dumps(value).encode()


class Calls(unittest.TestCase):
    def setUp(self):
        server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        Answers.laid_out, Answers.asked = [], []
        self.address = f"http://127.0.0.1:{server.server_port}"
        self.connection = Connection(self.address, "secret")

    def lay_out(self, *answers):
        Answers.laid_out = list(answers)

    def test_a_secret_goes_nowhere_in_the_clear(self):
        for address in ("http://low.example.org", "low.example.org", "ftp://localhost", "https://sam:pass@low.example.org"):
            with self.assertRaises(ValueError):
                Connection(address, "secret")
        Connection("https://low.example.org", "secret")

    def test_a_token_follows_no_redirect(self):
        self.lay_out((302, {"Location": self.address + "/elsewhere"}, b""))
        with self.assertRaisesRegex(poundlock.Unreachable, "answered 302"):
            self.connection.get("/users/me")
        self.assertEqual(Answers.asked, [("/api/v1/users/me", "Bearer secret")])

    def test_a_session_goes_on_with_the_token_that_it_gets(self):
        self.connection.renews = True
        self.lay_out((200, {"Poundlock-Token": "next"}, b""), (200, {}, b""))
        self.connection.get("/first")
        self.connection.get("/second")
        self.assertEqual(Answers.asked, [("/api/v1/first", "Bearer secret"), ("/api/v1/second", "Bearer next")])

    def test_a_list_is_read_to_its_end(self):
        self.lay_out(
            (200, {}, document({"items": [1, 2], "next": "a b&c"})), (200, {}, document({"items": [3], "next": None}))
        )
        self.assertEqual(list(self.connection.items("/codes", tag=None, search="x y")), [1, 2, 3])
        self.assertEqual(Answers.asked[1][0], "/api/v1/codes?cursor=a+b%26c&search=x+y")

    def test_a_busy_node_is_asked_again_when_it_says_so(self):
        busy = {"type": "urn:poundlock:problem:too_many_requests", "detail": "later", "retry_after": 0}
        self.lay_out((429, {}, document(busy)), (200, {}, document({"id": 1})))
        self.assertEqual(self.connection.get("/node"), {"id": 1})
        self.lay_out((429, {}, document({**busy, "type": "urn:poundlock:problem:throttled"})))
        with self.assertRaises(poundlock.Problem):
            self.connection.get("/node")

    def test_refusals_are_told_apart(self):
        for status, word, kind in (
            (401, "not_signed_in", poundlock.NotSignedIn),
            (404, "not_found", poundlock.NotFound),
            (409, "denied", poundlock.Denied),
            (409, "withdrawn", poundlock.Withdrawn),
            (412, "changed", poundlock.Problem),
        ):
            self.lay_out((status, {}, document({"type": f"urn:poundlock:problem:{word}", "detail": "why", "reason": "so"})))
            with self.assertRaisesRegex(kind, "^why$") as raised:
                self.connection.get("/node")
            self.assertEqual((raised.exception.status, raised.exception.word), (status, word))
        self.lay_out((502, {}, b"<html>"))
        with self.assertRaisesRegex(poundlock.Unreachable, "is it a Poundlock node"):
            self.connection.get("/node")

    def test_an_answer_that_breaks_off_is_no_answer(self):
        self.lay_out((200, {"Content-Length": "10"}, b"half"))
        with self.assertRaises(poundlock.Unreachable):
            self.connection.content("/assets/1/mock")

        for headers, body in (
            ({"Content-Length": "10"}, b'{"a": 1'),
            ({"Transfer-Encoding": "chunked"}, b"7\r\n{"),
            ({}, b"<html>"),
            ({}, b"\xff"),
        ):
            self.lay_out((200, headers, body))
            with self.subTest(body), self.assertRaises(poundlock.Unreachable):
                self.connection.get("/node")
        self.lay_out((200, {"Transfer-Encoding": "chunked"}, b"7\r\n{"))
        with self.assertRaises(poundlock.Unreachable):
            self.connection.content("/assets/1/mock")
        self.lay_out((409, {"Content-Length": "10"}, b"{"))
        with self.assertRaises(poundlock.Unreachable):
            self.connection.get("/node")

    def test_an_answer_that_stalls_is_no_answer(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)

        def stall():
            caller, _address = server.accept()
            with caller:
                caller.recv(65536)
                caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
                caller.recv(1)

        threading.Thread(target=stall, daemon=True).start()
        with unittest.mock.patch("poundlock.connection._PATIENCE", 0.2):
            with self.assertRaisesRegex(poundlock.Unreachable, "broke off"):
                Connection(f"http://127.0.0.1:{server.getsockname()[1]}").get("/node")

    def test_a_pause_that_is_none_does_not_stop_the_next_try(self):
        for odd in (None, "soon", -1):
            busy = {"type": "urn:poundlock:problem:too_many_requests", "retry_after": odd}
            self.lay_out((429, {}, document(busy)), (200, {}, document({"id": 1})))
            with unittest.mock.patch("time.sleep") as slept:
                self.assertEqual(self.connection.get("/node"), {"id": 1})
            self.assertIn(slept.call_args[0][0], (0, 1))

    def test_what_a_node_says_is_no_markup(self):
        from poundlock.catalogue import Dataset
        from poundlock.shown import Listing

        evil = {"id": "1", "name": "<script>alert(1)</script>", "description": "a\u202eb", "citation": "", "tags": ["<b>"]}
        dataset = Dataset(self.connection, evil)
        for shown in (dataset._repr_html_(), Listing([dataset])._repr_html_()):
            self.assertNotIn("<script", shown)
            self.assertNotIn("<b>", shown)
        self.assertIn("\\u202e", repr(dataset))
        self.assertEqual(Listing()._repr_html_(), "<p>none</p>")


if __name__ == "__main__":
    unittest.main()
