"""What a scientist does in a notebook before the owner has seen anything. Arguments: the node, the password, a file for the key."""

import json
import sys

import pandas as pd

import poundlock

address, password, key_file = sys.argv[1:]

node = poundlock.sign_in(address, "sam@example.org", password)
node.register_key(poundlock.Key.new(key_file), password)

assert [dataset.name for dataset in node.datasets(search="diabetes")] == ["Pima women"]
women = node.dataset("pima women").asset("women")
assert women.id == node.asset("Pima women/women").id == node.asset(women.id).id
mock = women.mock()
assert list(mock.columns) == [column["name"] for column in women.schema["columns"]] and len(mock) == 50
assert "50 rows of npreg: int" in women._repr_html_()

GROUP = "type"


def summary(column: pd.Series) -> dict:
    return {"mean": column.mean(), "count": int(column.count())}


@poundlock.function(women=women, column="glu")
def by_diagnosis(women, column):
    print("größer: only the owner reads this, until they release it")
    return {group: summary(rows[column]) for group, rows in women.groupby(GROUP)}


@poundlock.function(women=women)
def table(women):
    return women.groupby(GROUP)[["glu"]].mean().reset_index()


@poundlock.function(women=women)
def oldest(women):
    return int(women["age"].max())


assert set(by_diagnosis.try_on_mocks()) == {"Yes", "No"}
assert by_diagnosis(mock, "glu") == by_diagnosis.try_on_mocks()

project = node.new_project("Glucose", "Who has how much")
asked = {
    function.name: project.request(function, " Für unsere Arbeit ", runs=runs)
    for function, runs in ((by_diagnosis, 2), (table, 1), (oldest, 1))
}
assert {request.state for request in asked.values()} == {"pending"}
assert len(project.requests) == len(node.requests("pending")) == len(node.codes()) == 3
try:
    asked["table"].result()
except poundlock.NotYet as early:
    assert early.state == "pending"
else:
    raise AssertionError("there is a result already")

taken_back = project.request(by_diagnosis, "by mistake").withdraw()
assert taken_back.state == "withdrawn"
try:
    node.dataset("Iris")
except poundlock.PoundlockError as error:
    assert str(error) == "there is no dataset 'Iris' that you may see"

node.sign_out()
try:
    node.projects()
except poundlock.NotSignedIn:
    print(json.dumps({name: request.id for name, request in asked.items()} | {"withdrawn": taken_back.id}))
