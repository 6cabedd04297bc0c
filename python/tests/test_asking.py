"""What is asked of a node that answers what the test has laid out."""

import email.message
import io
import unittest
import unittest.mock

import poundlock
from poundlock.asking import Code, Desk, Project, Request
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


def submitted(desk, policy="single_execution", **inputs):
    bound = {name: {"constant": value} for name, value in inputs.items()}
    return Code(
        desk,
        {"id": "c", "name": "n", "source": "", "author": "me", "created_at": "2026-03-09T08:00:00Z"}
        | {"input_policy": bound, "output_policy": policy},
    )


def plain(x):
    return x


class Requesting(unittest.TestCase):
    def setUp(self):
        self.sent = []
        self.desk = Desk(unittest.mock.Mock(post=self.post), "me")
        self.project = Project(self.desk, {"id": "p", "name": "P", "description": ""})

    def post(self, path, body):
        self.sent.append((path, body))
        return {"id": path.strip("/"), "name": "n", "source": "", "status": {"state": "pending"}}

    def test_a_plain_function_is_told_how_it_gets_its_inputs(self):
        node = poundlock.Node.__new__(poundlock.Node)
        node._desk = self.desk
        for ask in (lambda what: self.project.request(what, "why"), node.submit):
            with self.assertRaisesRegex(TypeError, "^plain has no inputs: decorate it with @poundlock.function"):
                ask(plain)
            with self.assertRaisesRegex(TypeError, "decorate it with @poundlock.function"):
                ask("an id")
        self.assertEqual(self.sent, [])

    def test_an_earlier_request_is_taken_up_by_its_id_too(self):
        earlier = "0198c0aa-0000-7000-8000-000000000002"
        for takes_up in (earlier, Request(self.desk, {"id": earlier})):
            self.project.request(submitted(self.desk), "why", takes_up=takes_up)
            self.assertEqual(self.sent.pop()[1]["predecessor"], earlier)
        for odd in ("the first", 5):
            with self.assertRaisesRegex(TypeError, "takes_up is .*: give a request, or its id"):
                self.project.request(submitted(self.desk), "why", takes_up=odd)
        self.assertEqual(self.sent, [])

    def test_how_often_code_may_run_is_settled_once_it_is_submitted(self):
        for policy, times, fits in (("single_execution", "1 time", 1), ({"execute_count": 2}, "2 times", 2)):
            code = submitted(self.desk, policy)
            with self.assertRaisesRegex(ValueError, f"n was submitted to run {times}, and that stays so"):
                self.project.request(code, "why", runs=3)
            self.assertEqual(self.sent, [])
            for runs in (None, fits):
                self.project.request(code, "why", runs=runs)
                self.assertEqual(self.sent.pop()[0], "/requests")
        bound = poundlock.function(x=1)(plain)
        for runs, policy in ((None, "single_execution"), (3, {"execute_count": 3})):
            self.project.request(bound, "why", runs=runs)
            self.assertEqual(self.sent[0][1]["output_policy"], policy)
            self.sent.clear()


class Calling(unittest.TestCase):
    def test_an_argument_that_would_change_nothing_is_refused(self):
        desk = unittest.mock.Mock(spec=Desk)
        with self.assertRaisesRegex(TypeError, "column is bound to the constant 'glu', so an argument changes nothing"):
            submitted(desk, column="glu").call(column="bp")
        desk.content.assert_not_called()

    def test_who_waits_for_a_result_is_told_that_the_last_run_failed(self):
        answer = {"request": "r", "status": {"state": "approved"}}
        # Its log may have been released.
        failed = "^no result has been released; its last run failed, .*; the request is approved$"
        for last_run, text in (("failed", failed), (None, "^no result has been released yet; the request is approved$")):
            desk = unittest.mock.Mock(spec=Desk)
            desk.content.return_value = ({**answer, **({"last_run": last_run} if last_run else {})}, 202)
            with self.assertRaisesRegex(poundlock.NotYet, text) as raised:
                submitted(desk).call()
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
