"""What is raised when a node refuses, or has no answer yet."""


class PoundlockError(Exception):
    """What goes wrong between you, a node and your code. Wrong arguments raise Python's own TypeError or ValueError."""


class Unreachable(PoundlockError):
    """The node does not answer, or what answers is no node."""


class Problem(PoundlockError):
    """The node refused. `word` says which kind of problem it is and stays the same; the text is for people."""

    def __init__(self, status, document):
        self.status = status
        #: The whole problem document, after RFC 9457.
        self.document = document
        self.word = str(document.get("type", "")).rpartition(":")[2]
        super().__init__(document.get("detail") or document.get("title") or f"the node answered {status}")


class NotSignedIn(Problem):
    """There is no session, or it is over: sign in again."""


class NotFound(Problem):
    """There is no such thing, or you may not know of it."""


class Denied(Problem):
    """The data owner has denied the request."""

    @property
    def reason(self):
        """Why."""
        return self.document.get("reason")


class Withdrawn(Problem):
    """The request was withdrawn."""


class NotYet(PoundlockError):
    """What was asked for has not been released: `state` says how far the request is, and `last_run` how its last run ended, if that
    is known."""

    def __init__(self, state, last_run=None, why=None):
        self.state = state
        #: "failed" or "succeeded"; None where nothing is known of a run.
        self.last_run = last_run
        failed = "no result has been released; its last run failed, and what was released of that is in the request's `releases`"
        why = why or (failed if last_run == "failed" else "no result has been released yet")
        super().__init__(f"{why}; the request is {state}")


_BY_WORD = {"denied": Denied, "withdrawn": Withdrawn}
_BY_STATUS = {401: NotSignedIn, 404: NotFound}


def problem(status, document):
    """The problem that a document describes, as what can be caught."""
    kind = Problem(status, document)
    return _BY_WORD.get(kind.word, _BY_STATUS.get(status, Problem))(status, document)
