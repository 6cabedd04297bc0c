"""A node, and the scientist who is signed in to it."""

import getpass

from . import signing
from .asking import Code, Desk, Project, Request, listed
from .catalogue import Asset, Dataset
from .connection import Connection, part
from .naming import is_id, one
from .problem import NotSignedIn, PoundlockError
from .shown import Listing


def sign_in(address, email, password=None, code=None, ca_file=None):
    """Signs in to a node; asks for the password, and for a code of the second factor, where they are not given.

    The session ends with `sign_out`, after an hour without use, or after twelve hours. `ca_file` names the authorities that
    vouch for the node, where no public one does.
    """
    connection = Connection(address, ca_file=ca_file)
    body = {"email": email, "password": getpass.getpass("Password: ") if password is None else password}
    session = _with_code(code, lambda code: connection.post("/sessions", {**body, "code": code}))
    node = Node(address, session["token"], ca_file)
    node._connection.renews = True
    return node


def _with_code(code, send):
    """Sends something; asks for a code of the second factor, where one is needed and none was given."""
    try:
        return send(code)
    except NotSignedIn as refused:
        if refused.word != "second_factor_needed" or code is not None:
            raise
    return send(getpass.getpass("Code of your second factor: "))


class Node:
    """A node as one person sees it. `token` is that of a session: `sign_in` gets one."""

    def __init__(self, address, token, ca_file=None):
        self._connection = Connection(address, token, ca_file)
        #: Who is signed in.
        self.me = self._connection.get("/users/me")
        self._desk = Desk(self._connection, self.me["id"])

    def __repr__(self):
        return f"Node({self._connection.address!r}, signed in as {self.me['name']!r})"

    def __enter__(self):
        return self

    def __exit__(self, *_raised):
        self.sign_out()

    def sign_out(self):
        """Ends the session."""
        self._connection.delete("/sessions/current")
        self._connection.use(None)

    def datasets(self, search=None, tag=None):
        """The catalogue, newest first: all of it, or what holds all the words of `search`, or bears a tag."""
        found = self._connection.items("/datasets", search=search, tag=tag)
        return Listing(Dataset(self._connection, document) for document in found)

    def dataset(self, named):
        """The dataset of this id or name."""
        if is_id(named):
            return Dataset(self._connection, self._connection.get(f"/datasets/{part(named)}"))
        return Dataset(self._connection, one("dataset", named, self._connection.items("/datasets", name=named)))

    def asset(self, named):
        """The asset of this id, or of a name like `Pima women/women`."""
        if is_id(named):
            return Asset(self._connection, self._connection.get(f"/assets/{part(named)}"))
        dataset, slash, asset = named.rpartition("/")
        if not slash:
            raise PoundlockError(f"give the asset {named!r} with its dataset, like 'Pima women/women', or by its id")
        return self.dataset(dataset).asset(asset)

    def projects(self):
        """The projects that you may see, newest first."""
        return Listing(Project(self._desk, document) for document in self._connection.items("/projects"))

    def project(self, named):
        """The project of this id or name."""
        if is_id(named):
            return Project(self._desk, self._connection.get(f"/projects/{part(named)}"))
        return Project(self._desk, one("project", named, self._connection.items("/projects")))

    def new_project(self, name, description="", members=()):
        """Makes and starts a project. Members are named by their id or e-mail address."""
        body = {"name": name, "description": description, "members": list(members)}
        made = self._connection.post("/projects", body)
        return Project(self._desk, self._connection.post(f"/projects/{made['id']}/start", {}))

    def submit(self, function, runs=1):
        """Submits a function without asking for a run of it yet; it may run `runs` times on the private data."""
        return self._desk.submit(function, runs)

    def codes(self):
        """The code that you may see, newest first."""
        return Listing(Code(self._desk, document) for document in self._connection.items("/codes"))

    def code(self, id):
        """The code of this id."""
        return Code(self._desk, self._connection.get(f"/codes/{part(id)}"))

    def requests(self, state=None):
        """The requests for runs that you may see, newest first; in one state, or in any."""
        return listed(self._desk, state=state)

    def request(self, id):
        """The request of this id."""
        return Request(self._desk, self._connection.get(f"/requests/{part(id)}"))

    def sign_with(self, key):
        """Signs code and requests with this `Key` from now on, or, with None, no more."""
        self._desk.key = key

    def register_key(self, key, password=None, code=None):
        """Tells the node the public half of a key, and signs with it from now on. The secret half stays in its file.

        Asks for the password, and for a code of the second factor, where they are not given.
        """
        body = {
            "key": key.public.hex(),
            "signature": key.sign(signing.key_claim(self.me["id"], key.public)),
            "password": getpass.getpass("Password: ") if password is None else password,
        }
        _with_code(code, lambda code: self._connection.put("/users/me/verify-key", {**body, "code": code}))
        self.sign_with(key)
