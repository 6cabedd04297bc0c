use serde_json::json;

use super::*;

fn sample() -> Value {
    json!({"batches": [
        {"root": "p", "kind": "project", "title": "Diabetes", "needs": [], "members": [
            {"kind": "project", "title": "Diabetes", "change": "new", "deleted": false, "changes": [
                {"name": "description", "before": null, "after": "Why glucose"},
                {"name": "members", "before": null, "after": []},
            ]},
            {"kind": "user", "title": "Sam", "change": "same", "deleted": false},
        ]},
        {"root": "j", "kind": "job", "title": "job", "needs": ["r"], "members": [
            {"kind": "job", "title": "job", "change": "forked", "deleted": true, "changes": []},
        ], "ignored": true},
        {"root": "r", "kind": "request", "title": "means", "needs": ["d", "p"], "waits_for": ["d"], "members": [
            {"kind": "code", "title": "means", "change": "modified", "deleted": false, "changes": [
                {"name": "name", "before": "mean", "after": "means"},
                {"name": "source", "before": "x", "after": "y", "text_diff": "@@ -1 +1 @@\n-\tx\r\n+y\u{1b}[2J\n"},
            ]},
        ]},
        {"root": "o", "kind": "request", "title": "other", "needs": ["q"], "members": [],
            "kept_back": {"needs": "p"}, "reviewed": {"act": "ignored", "by_name": "Olga", "at": "now"}},
    ]})
}

#[test]
fn jobs_hang_below_their_requests_and_those_below_their_projects() {
    let expected = "\
project Diabetes  (p)
├─ new: project Diabetes
│      description: \"Why glucose\"
├─ same: user Sam
└─ request means  (r)  [waits for d, which has not arrived]
   ├─ modified: code means
   │      name:
   │        - \"mean\"
   │        + \"means\"
   │      source:
   │        @@ -1 +1 @@
   │        -\tx\\u{d}
   │        +y\\u{1b}[2J
   └─ job job  (j)  [ignored]
      └─ FORKED, deleted: job job

request other  (o)  [kept back with project Diabetes (p), which it needs]
    ignored by Olga at now
";
    assert_eq!(batches(&sample()), expected);
}

#[test]
fn nothing_is_said_in_words() {
    assert_eq!(batches(&json!({"batches": []})), "(nothing)");
}

#[test]
fn batches_that_need_each_other_are_all_drawn_once() {
    let answer = json!({"batches": [
        {"root": "a", "kind": "request", "title": "a", "needs": ["b"], "members": []},
        {"root": "b", "kind": "request", "title": "b", "needs": ["a"], "members": []},
        {"root": "p", "kind": "project", "title": "p", "needs": ["a"], "members": []},
        {"root": "j", "kind": "job", "title": "j", "needs": ["j", "a"], "members": []},
    ]});
    let text = batches(&answer);
    assert_eq!(text.matches("(a)").count(), 1);
    assert_eq!(text.matches("(j)").count(), 1);
    assert_eq!(text.lines().filter(|line| !line.is_empty()).count(), 4);
}
