"""What a scientist does in a notebook once results are there. Arguments: the node, the password, the file of the
key, and the requests by name."""

import json
import sys

import pandas

import poundlock

address, password, key_file, asked = sys.argv[1:]

with poundlock.sign_in(address, "sam@example.org", password) as node:
    node.sign_with(poundlock.Key.load(key_file))
    requests = {name: node.request(id) for name, id in json.loads(asked).items()}

    result = requests["by_diagnosis"].result()
    assert {group: round(of["mean"], 9) for group, of in result.items()} == {"No": 113.106060606, "Yes": 145.058823529}
    assert requests["by_diagnosis"].log() == "größer: only the owner reads this, until they release it\n"
    assert [release.part for release in requests["by_diagnosis"].releases] == ["result", "log"]

    table = requests["table"].result()
    assert isinstance(table, pandas.DataFrame) and list(table.columns) == ["type", "glu"]
    try:
        requests["table"].log()
    except poundlock.NotYet as missing:
        assert missing.state == "approved"

    try:
        requests["oldest"].result()
    except poundlock.Denied as denied:
        assert denied.reason == "one person is not a statistic"
    assert requests["oldest"].denial == "one person is not a statistic"

    again = requests["by_diagnosis"].run_again()
    assert again.document["runs_wanted"] == 2 and again.document["signed"]["state"] == "valid", again.document["signed"]

    # Nothing that the node changed under the signature is signed on top of.
    altered = node.request(requests["table"].id)
    altered.refresh = lambda: altered
    altered.document = {**altered.document, "reason": "For somebody else's paper"}
    try:
        altered.withdraw()
    except poundlock.PoundlockError as refused:
        assert "has not signed" in str(refused)
    else:
        raise AssertionError("signed what the node made up")
    print("collected")
