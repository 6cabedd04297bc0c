//! How a request is told to a person: in short, and whole, with all that there is to know before a decision.

use serde_json::Value;

use super::state_of;
use crate::cli::{code, print};

pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// `approved`, or `denied: why`.
pub(super) fn verdict(verdict: &Value) -> String {
    match verdict {
        Value::Object(denied) => {
            let reason = denied.get("deny").map(|deny| print::field(deny, "reason"));
            format!("denied: {}", reason.unwrap_or_default())
        }
        approved if approved == "approve" => "approved".to_owned(),
        other => print::of(other),
    }
}

/// What is to be seen: `mock of women (0198…)`.
pub(super) fn object_in_short(object: &Value) -> String {
    let kind = print::field(object, "type").replace('_', " ");
    match object["title"].as_str() {
        Some(title) => format!(
            "{kind} of {} ({})",
            print::plain(title),
            print::field(object, "id")
        ),
        None => format!("{kind} of {}", print::field(object, "id")),
    }
}

/// Who decided: a person, or a rule of the node.
fn maker(decision: &Value) -> String {
    let name = print::field(decision, "by_name");
    if decision["by_rule"].is_string() {
        format!("the rule {name}")
    } else {
        name
    }
}

fn until(decision: &Value) -> String {
    match print::field(decision, "until") {
        until if until.is_empty() => until,
        until => format!("until {until}"),
    }
}

pub(super) fn facts(request: &Value) -> String {
    let named = |name: &str| match (print::field(request, name), print::field(&request["names"], name)) {
        (id, name) if name.is_empty() => id,
        (id, name) => format!("{name} ({id})"),
    };
    let mut facts = ["id", "project", "code", "requester", "predecessor"]
        .map(|name| (name, named(name)))
        .to_vec();
    let object = &request["object"];
    if object.is_object() {
        facts.push(("asks to see", object_in_short(object)));
        facts.push(("tags", print::field(object, "tags")));
    }
    if request["requester_left"] == true {
        facts.push((
            "note",
            "the requester's account was deleted: nobody can have what is released".to_owned(),
        ));
    }
    facts.push(("state", state_of(request)));
    facts.push(("denied because", print::field(&request["status"], "reason")));
    facts.push(("signature", print::field(&request["signed"], "says")));
    if request["runs_wanted"].as_u64().unwrap_or_default() > 1 {
        facts.push(("runs wanted", print::field(request, "runs_wanted")));
    }
    let progress = &request["progress"];
    if progress.is_object() {
        facts.push(("here since", print::field(progress, "submitted")));
        facts.push(("carried in bundle", print::field(progress, "carried_in")));
        facts.push(("received", print::field(progress, "received")));
        facts.push(("decided on", print::field(progress, "decided_on")));
        facts.push(("released", print::field(progress, "released")));
    }
    let reason = request["reason"].as_str().unwrap_or_default();
    format!("{}\n\n{}", print::facts(&facts), print::prose(reason))
}

/// All that there is to know before a decision.
pub(super) fn whole(request: &Value, hide_code: bool) -> String {
    let mut text = facts(request);
    let submitted = &request["submitted_code"];
    if submitted.is_object() {
        text.push_str(&format!("\n\nCODE\n{}", code::facts(submitted)));
        if !hide_code {
            let source = submitted["source"].as_str().unwrap_or_default();
            text.push_str(&format!("\n\n{}", print::prose(source).trim_end()));
        }
    }
    let rows = |name: &str, row: &dyn Fn(&Value) -> Vec<String>| {
        let items = request[name].as_array().into_iter().flatten();
        items.map(row).collect::<Vec<_>>()
    };
    let sections = [
        (
            "DECISIONS",
            rows("decisions", &|decision| {
                vec![
                    print::field(decision, "on"),
                    maker(decision),
                    verdict(&decision["verdict"]),
                    until(decision),
                ]
            }),
        ),
        (
            "JOBS",
            rows("jobs", &|job| {
                ["on", "id", "verdict"]
                    .map(|name| print::field(job, name))
                    .to_vec()
            }),
        ),
        (
            "RELEASES",
            rows("releases", &|release| {
                let length = release["length"].as_u64().map(print::bytes).unwrap_or_default();
                vec![
                    print::field(release, "on"),
                    print::field(release, "id"),
                    print::field(release, "part"),
                    print::field(release, "format"),
                    length,
                    print::field(release, "by_name"),
                ]
            }),
        ),
    ];
    for (heading, rows) in sections {
        if !rows.is_empty() {
            let blank = vec![""; rows.iter().map(Vec::len).max().unwrap_or_default()];
            text.push_str(&format!("\n\n{heading}{}", print::table(&blank, &rows)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_told_with_all_that_belongs_to_it() {
        let request = json!({
            "id": "r", "project": "p", "names": {"project": "Pima"}, "reason": "why\u{1b}[1m", "status": {"state": "denied", "reason": "too small"},
            "progress": {"submitted": "now", "carried_in": [1, 2], "received": true, "decided_on": "2026-01-01", "released": false},
            "submitted_code": {"id": "c", "source": "def f():\n\treturn 1\r\n"},
            "decisions": [{"on": "2026-01-01", "by_name": "Olga", "verdict": {"deny": {"reason": "too small"}}}],
            "jobs": [], "releases": [{"id": "x", "part": "result", "format": "json", "length": 3}],
        });
        let text = whole(&request, false);
        for expected in [
            "project            Pima (p)",
            "state              denied",
            "carried in bundle  1, 2",
            "why\\u{1b}[1m",
            "def f():\n\treturn 1\\u{d}",
            "Olga  denied: too small",
            "result  json",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(!text.contains("JOBS"), "{text}");
        assert!(!whole(&request, true).contains("def f"));
    }

    #[test]
    fn a_request_to_see_tells_what_and_who_decided() {
        let request = json!({
            "id": "r", "reason": "to begin", "status": {"state": "approved"},
            "object": {"type": "private_data", "id": "a", "title": "women", "tags": ["health", "open"]},
            "decisions": [{"on": "2026-01-01", "by_name": "teaching", "by_rule": "x", "verdict": "approve",
                "until": "2026-02-01T00:00:00Z"}],
        });
        let text = whole(&request, false);
        for expected in [
            "asks to see  private data of women (a)",
            "tags         health, open",
            "the rule teaching  approved  until 2026-02-01T00:00:00Z",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(!text.contains("CODE"), "{text}");
    }

    #[test]
    fn a_verdict_is_a_sentence() {
        assert_eq!(sentence(&verdict(&json!("approve"))), "Approved");
        assert_eq!(verdict(&json!({"deny": {"reason": "no"}})), "denied: no");
    }
}
