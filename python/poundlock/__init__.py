"""Study data that does not leave its vault: the scientist's side of Poundlock, for notebooks.

    import poundlock

    node = poundlock.sign_in("https://low.example.org", "sam@example.org")
    women = node.dataset("Pima women").asset("women")
    women.mock()                                      # a DataFrame of made-up rows, with the columns of the real one

    @poundlock.function(women=women, digits=2)
    def mean_glucose(women, digits):
        return women.groupby("type")["glu"].mean().round(digits).to_dict()

    mean_glucose.try_on_mocks()                       # here, on the mocks, as a node would run it
    request = node.project("Glucose").request(mean_glucose, reason="For our paper")
    request.state                                     # "pending" until the data owner has decided
    request.result()                                  # what they released of the run on the real data
"""

from .asking import Code, Project, Release, Request
from .catalogue import Asset, Dataset
from .function import Function, NotSelfContained, function
from .node import Node, sign_in
from .problem import Denied, NotFound, NotSignedIn, NotYet, PoundlockError, Problem, Unreachable, Withdrawn
from .signing import Key

__all__ = [
    "Asset",
    "Code",
    "Dataset",
    "Denied",
    "Function",
    "Key",
    "Node",
    "NotFound",
    "NotSelfContained",
    "NotSignedIn",
    "NotYet",
    "PoundlockError",
    "Problem",
    "Project",
    "Release",
    "Request",
    "Unreachable",
    "Withdrawn",
    "function",
    "sign_in",
]
