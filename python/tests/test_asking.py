"""What is asked of a node that answers what the test has laid out."""

import email.message
import io
import unittest
import unittest.mock

import poundlock
from poundlock.asking import Code, Desk, Request
from poundlock.problem import problem


class Answers:
    """A connection: what is got, and the content of releases by their id."""

    def __init__(self, documents, contents=()):
        self.documents, self.contents = documents, dict(contents)

    def get(self, path, **_query):
        return self.documents[path]

    def content(self, path, body=None):
        headers = email.message.Message()
        headers["Content-Type"] = "text/plain"
        return io.BytesIO(self.contents[path.split("/")[2]]), 200, headers


def of_run(id, on, created_at, **more):
    return {"id": id, "on": on, "created_at": created_at, **more}


def asked(jobs, releases):
    document = {"id": "r", "status": {"state": "approved"}, "jobs": jobs, "releases": releases}
    contents = {release["id"]: f"log {release['id']}".encode() for release in releases}
    return Request(Desk(Answers({"/requests/r": document}, contents), "me"), document)


class Releases(unittest.TestCase):
    def test_the_newest_is_last_by_the_date_of_the_release_though_all_came_at_once(self):
        came = "2026-03-09T08:00:00Z"
        releases = [
            of_run("b", "2026-03-02", came, part="log", job="2"),
            of_run("c", "2026-03-02", "2026-03-09T08:00:00.5Z", part="result", job="2"),
            of_run("a", "2026-03-01", came, part="log", job="1"),
        ]
        jobs = [of_run("2", "2026-03-02", came), of_run("1", "2026-03-01", came)]
        request = asked(jobs, releases)
        self.assertEqual([release.id for release in request.releases], ["a", "b", "c"])
        self.assertEqual(request.log(), "log b")

    def test_the_log_is_that_of_the_newest_run_or_none(self):
        came = "2026-03-09T08:00:00Z"
        jobs = [of_run("2", "2026-03-02", came), of_run("1", "2026-03-01", came)]
        first = of_run("a", "2026-03-03", came, part="log", job="1")
        for releases in ([], [first], [first, of_run("b", "2026-03-03", came, part="result", job="2")]):
            with self.assertRaises(poundlock.NotYet) as raised:
                asked(jobs, releases).log()
            self.assertEqual(raised.exception.state, "approved")
        second = of_run("b", "2026-03-02", came, part="log", job="2")
        self.assertEqual(asked(jobs, [second, first]).log(), "log b")
        with self.assertRaisesRegex(poundlock.NotYet, "^no log has been released yet; the request is approved$"):
            asked([], []).log()

    def test_of_a_run_that_printed_nothing_it_is_not_said_that_nothing_was_released(self):
        came = "2026-03-09T08:00:00Z"
        result = of_run("a", "2026-03-02", came, part="result", job="1")
        for verdicts, last_run in ((["succeeded"], "succeeded"), (["failed"], "failed"), (["failed", "succeeded"], "succeeded")):
            jobs = [of_run(str(at), "2026-03-02", came, verdict=verdict) for at, verdict in enumerate(verdicts, 1)]
            with self.assertRaisesRegex(poundlock.NotYet, "^its last run printed nothing, or its log was not released") as raised:
                asked(jobs, [result]).log()
            self.assertEqual(raised.exception.last_run, last_run)


class Calling(unittest.TestCase):
    def test_who_waits_for_a_result_is_told_that_the_last_run_failed(self):
        answer = {"request": "r", "status": {"state": "approved"}}
        # Its log may have been released.
        failed = "^no result has been released; its last run failed, .*; the request is approved$"
        for last_run, text in (("failed", failed), (None, "^no result has been released yet; the request is approved$")):
            desk = unittest.mock.Mock(spec=Desk)
            desk.content.return_value = ({**answer, **({"last_run": last_run} if last_run else {})}, 202)
            code = Code(desk, {"id": "c", "name": "n", "source": "", "author": "me", "created_at": "2026-03-09T08:00:00Z"})
            with self.assertRaisesRegex(poundlock.NotYet, text) as raised:
                code.call()
            self.assertEqual(raised.exception.last_run, last_run)


class Signing(unittest.TestCase):
    def test_a_code_of_the_second_factor_is_asked_for_where_it_is_needed(self):
        sent = []

        def put(path, body):
            sent.append(body["code"])
            if body["code"] is None:
                raise problem(401, {"type": "urn:poundlock:problem:second_factor_needed"})
            if body["code"] == "000000":
                raise problem(401, {"type": "urn:poundlock:problem:second_factor_refused"})

        node = poundlock.Node.__new__(poundlock.Node)
        node.me = {"id": "me"}
        node._connection = unittest.mock.Mock(put=put)
        node._desk = Desk(node._connection, "me")
        key = poundlock.Key(bytes(32))
        with unittest.mock.patch("getpass.getpass", return_value="123456") as asked_for:
            node.register_key(key, password="secret")
            self.assertEqual(asked_for.call_count, 1)
            with self.assertRaises(poundlock.NotSignedIn):
                node.register_key(key, password="secret", code="000000")
            self.assertEqual(asked_for.call_count, 1)
        self.assertEqual(sent, [None, "123456", "000000"])
        self.assertIs(node._desk.key, key)


class Names(unittest.TestCase):
    def test_an_asset_is_named_with_its_dataset(self):
        node = poundlock.Node.__new__(poundlock.Node)
        with self.assertRaisesRegex(poundlock.PoundlockError, "give the asset 'women' with its dataset"):
            node.asset("women")


if __name__ == "__main__":
    unittest.main()
