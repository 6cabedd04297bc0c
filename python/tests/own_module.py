"""A file of the scientist's own, which no node has."""

FACTOR = 3


def tripled(value):
    return FACTOR * value
