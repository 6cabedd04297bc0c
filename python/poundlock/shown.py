"""How things look in a notebook: what others wrote is escaped, and nothing of it becomes markup."""

import html


class Shown:
    """Something with a `_row`: what to show of it, by its headings."""

    def __repr__(self):
        fields = ", ".join(f"{heading}={value!r}" for heading, value in self._row().items())
        return f"{type(self).__name__}({fields})"

    def _repr_html_(self):
        return _table([self])


class Listing(list):
    """A list that a notebook shows as a table."""

    def _repr_html_(self):
        return _table(self)


def _table(items):
    if not items:
        return "<p>none</p>"
    rows = [item._row() for item in items]
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in rows[0])
    lines = ("".join(f"<td>{html.escape(str(value))}</td>" for value in row.values()) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
