"""What a scientist asks for, and what comes of it: projects, code, requests, releases."""

import uuid

from . import formats, signing
from .function import Function
from .naming import is_id
from .problem import NotYet, PoundlockError
from .shown import Listing, Shown


class Desk:
    """The one who asks: a connection, with the id that the node knows them by and the key that they sign with, if any."""

    def __init__(self, connection, user):
        self.connection = connection
        self.user = user
        self.key = None

    def submit(self, function, runs):
        """Submits a function; it may run `runs` times on the private data."""
        if not isinstance(function, Function):
            named = getattr(function, "__name__", None) or repr(function)
            raise TypeError(f"{named} has no inputs: decorate it with @poundlock.function, which binds each parameter")
        body = {
            "name": function.name,
            "source": function.source,
            "entry_point": function.name,
            "input_policy": function.input_policy,
            "output_policy": _output_policy(runs),
        }
        statement = signing.code(self.user, body) if self.key else None
        signature = {"signature": self.key.sign(statement)} if self.key else {}
        return Code(self, self.connection.post("/codes", {**body, **signature}), statement)

    def request(self, project, code, reason, predecessor):
        """Asks that code be run."""
        body = {"project": project, "code": code.id, "reason": reason, "predecessor": predecessor}
        if self.key:
            # The id is signed too, so it is made here.
            body["id"] = str(uuid.uuid4())
            first = {**body, "requester": self.user, "runs_wanted": 1, "withdrawn": False}
            body["signature"] = self.key.sign(signing.request(first, 1, code.statement()))
        return Request(self, self.connection.post("/requests", body), code)

    def content(self, path, body=None):
        """What a node hands out, as what a scientist works with; with status and headers."""
        file, status, headers = self.connection.content(path, body)
        with file:
            media = headers.get_content_type()
            if media == "application/octet-stream":
                name = headers.get_filename("")
                return formats.read_released(file, "npy" if name.endswith(".npy") else "raw"), status
            return formats.read_released(file, formats.BY_MEDIA_TYPE.get(media, "raw")), status


class Project(Shown):
    """The frame of a collaboration; requests are made inside one."""

    def __init__(self, desk, document):
        self._desk = desk
        self.document = document
        self.id = document["id"]
        self.name = document["name"]
        self.description = document["description"]

    def _row(self):
        started = "yes" if self.document["started"] else "no"
        return {"name": self.name, "description": self.description, "started": started, "id": self.id}

    def request(self, what, reason, runs=None, takes_up=None):
        """Asks that a function, or code that was submitted before, be run on the private data.

        `runs` says how often a function may run, once if nothing is given; code that was submitted has that settled. `takes_up` is an
        earlier request that this one takes up again, or its id.
        """
        predecessor = _id_of(takes_up)
        if isinstance(what, Code):
            settled = what.document["output_policy"]
            if runs is not None and settled != _output_policy(runs):
                times = 1 if settled == "single_execution" else settled["execute_count"]
                raise ValueError(
                    f"{what.name} was submitted to run {times} time{'' if times == 1 else 's'}, and that stays so: submit the "
                    f"function anew with runs={runs}"
                )
            code = what
        else:
            code = self._desk.submit(what, 1 if runs is None else runs)
        return self._desk.request(self.id, code, reason, predecessor)

    @property
    def requests(self):
        """The requests in it that you may see, newest first."""
        return listed(self._desk, project=self.id)


class Code(Shown):
    """Source that was submitted, with its inputs. It never changes."""

    def __init__(self, desk, document, statement=None):
        self._desk = desk
        self.document = document
        self.id = document["id"]
        self.name = document["name"]
        self.source = document["source"]
        self._statement = statement

    def _row(self):
        return {"name": self.name, "submitted": self.document["created_at"], "id": self.id}

    def call(self, **arguments):
        """The newest result that was released. Nothing runs by it, so nothing that is bound takes an argument.

        Raises `NotYet` while there is none, and `Denied` with the reason.
        """
        for name in arguments:
            if binding := self.document["input_policy"].get(name):
                [(kind, value)] = binding.items()
                raise TypeError(f"{name} is bound to the {kind} {value!r}, so an argument changes nothing")
        answer, status = self._desk.content(f"/codes/{self.id}/call", {"arguments": arguments})
        if status == 202:
            raise NotYet(answer["status"]["state"], answer.get("last_run"))
        return answer

    def statement(self):
        """What is signed of it: as it was submitted here, else as the node shows it, if your key has signed that."""
        if self._statement is None:
            statement = signing.code(self.document["author"], self.document)
            _check_own(self._desk.key, self.document, statement, "code")
            self._statement = statement
        return self._statement


class Request(Shown):
    """Asks the data owner for a run."""

    def __init__(self, desk, document, code=None):
        self._desk = desk
        self.id = document["id"]
        self.document = document
        self._code = code

    def _row(self):
        document = self.document
        return {
            "state": document["status"]["state"],
            "reason": document["reason"],
            "submitted": document["created_at"],
            "id": self.id,
        }

    def refresh(self):
        """Asks the node how things stand, and gives the request itself."""
        self.document = self._desk.connection.get(f"/requests/{self.id}")
        return self

    @property
    def state(self):
        """Now: pending, approved, denied or withdrawn."""
        return self.refresh().document["status"]["state"]

    @property
    def denial(self):
        """Why it was denied, if it was."""
        return self.refresh().document["status"].get("reason")

    @property
    def code(self):
        """The code that it asks to run."""
        if self._code is None:
            self._code = Code(self._desk, self.refresh().document["submitted_code"])
        return self._code

    @property
    def releases(self):
        """What has been released of its runs, the newest last."""
        released = sorted(self.refresh().document["releases"], key=_when)
        return Listing(Release(self._desk, release) for release in released)

    def result(self):
        """The newest result that was released of its code. Raises `NotYet` while there is none, and `Denied` with the reason."""
        return self.code.call()

    def log(self):
        """What its newest run printed, where that was released. Raises `NotYet` otherwise: an earlier run's is in `releases`.

        What is not released may not be there at all: of a run that printed nothing there is no log.
        """
        released = self.releases
        jobs = self.document["jobs"]
        newest = max(map(_when, jobs), default=None)
        # Of runs of one day that came in one bundle, nobody here can tell which was the last.
        last = {job["id"] for job in jobs if _when(job) == newest}
        logs = [release for release in released if release.part == "log" and release.document["job"] in last]
        if not logs:
            verdicts = {job.get("verdict") for job in jobs if job["id"] in last}
            last_run = next((verdict for verdict in ("succeeded", "failed") if verdict in verdicts), None)
            untold = "its last run printed nothing, or its log was not released: nobody here can tell which"
            raise NotYet(self.document["status"]["state"], last_run, untold if jobs else "no log has been released yet")
        return logs[-1].content()

    def withdraw(self):
        """Takes it back."""
        return self._revise("withdrawal", lambda document: {"withdrawn": True})

    def run_again(self):
        """Asks for one more run, which needs a decision of its own."""
        return self._revise("runs-wanted", lambda document: {"runs_wanted": document["runs_wanted"] + 1})

    def _revise(self, verb, change):
        body = {}
        if self._desk.key:
            document = self.refresh().document
            code = self.code.statement()
            number = document["revision"]["number"]
            _check_own(self._desk.key, document, signing.request(document, number, code), "request")
            changed = {**document, **change(document)}
            body["signature"] = self._desk.key.sign(signing.request(changed, number + 1, code))
        self.document = self._desk.connection.post(f"/requests/{self.id}/{verb}", body)
        return self


class Release(Shown):
    """Something that the data owner has let out, for the bytes that they saw."""

    def __init__(self, desk, document):
        self._desk = desk
        self.document = document
        self.id = document["id"]
        #: result, log or failure_report
        self.part = document["part"]

    def _row(self):
        document = self.document
        return {
            "part": self.part,
            "format": document["format"],
            "bytes": document["length"],
            "released by": document["by_name"],
            "on": document["on"],
            "id": self.id,
        }

    def content(self):
        """What was released: a DataFrame, an array, a picture, text, what JSON says, or bytes."""
        return self._desk.content(f"/releases/{self.id}/content")[0]


def _when(document):
    """When something happened where the data is, by its date, and when it came here: a bundle brings all at one moment."""
    # Times end in Z, which would sort behind a fraction of the same second.
    return document["on"], document["created_at"].rstrip("Z")


def _output_policy(runs):
    """That code may run so often, as a node takes it."""
    return "single_execution" if runs == 1 else {"execute_count": runs}


def _id_of(request):
    """The id of a request that is given as such or by its id; None where there is none."""
    if request is None or isinstance(request, Request):
        return request and request.id
    if isinstance(request, str) and is_id(request):
        return request
    raise TypeError(f"takes_up is {request!r}: give a request, or its id")


def listed(desk, **which):
    """The requests for runs that one may see, newest first."""
    found = desk.connection.items("/requests", subject="run", **which)
    return Listing(Request(desk, document) for document in found)


def _check_own(key, document, statement, what):
    """Nothing that a node shows is signed on top of unless one's own signature holds on it.

    Ed25519 signs the same statement with the same bytes, so one's own signature is known by making it again.
    """
    shown = document.get("signature")
    if shown is None or shown["bytes"] != key.sign(statement):
        raise PoundlockError(f"your key has not signed this {what} as the node shows it, so nothing is signed on top of it")
