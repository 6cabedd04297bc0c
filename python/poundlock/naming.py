"""Things by their names: an id, or a name where only one thing has it, without regard to case."""

import uuid

from .problem import PoundlockError


def is_id(named):
    try:
        uuid.UUID(named)
    except ValueError:
        return False
    return True


def one(what, named, items):
    """The one of `items` that bears the name."""
    found = [item for item in items if item["name"].casefold() == named.casefold()]
    if not found:
        raise PoundlockError(f"there is no {what} {named!r} that you may see")
    if len(found) > 1:
        ids = ", ".join(item["id"] for item in found)
        raise PoundlockError(f"{named!r} is the name of {len(found)} {what}s; use the id: {ids}")
    return found[0]
