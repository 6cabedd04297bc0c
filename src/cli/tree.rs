//! Batches as a tree for people: projects and datasets, below them the requests, below those their jobs; in each the
//! objects with what has changed, and beside it what keeps a batch back.

use std::collections::BTreeMap;

use serde_json::Value;

use super::print;

/// One line, further lines that belong to it, and what stands below it.
#[derive(Debug, Default)]
struct Node {
    line: String,
    details: Vec<String>,
    below: Vec<Node>,
}

/// The batches of a preview or a review.
pub(super) fn batches(answer: &Value) -> String {
    let batches: Vec<&Value> = answer["batches"].as_array().into_iter().flatten().collect();
    if batches.is_empty() {
        return "(nothing)".to_owned();
    }
    let titles: BTreeMap<&str, String> = batches
        .iter()
        .map(|batch| (id(&batch["root"]), name_of(batch)))
        .collect();
    let parents: BTreeMap<&str, &str> = batches
        .iter()
        .filter_map(|batch| Some((id(&batch["root"]), parent(batch, &batches)?)))
        .collect();
    let mut text = String::new();
    for batch in batches
        .iter()
        .filter(|batch| !parents.contains_key(id(&batch["root"])))
    {
        if !text.is_empty() {
            text.push('\n');
        }
        draw(&branch(batch, &batches, &parents, &titles), &mut text);
    }
    text
}

fn id(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn name_of(batch: &Value) -> String {
    format!("{} {}", print::field(batch, "kind"), print::field(batch, "title"))
}

/// The batch under which this one is drawn: a job under its request, a request under its project. Always one of a higher
/// kind, so that the tree ends, whatever a sender wrote.
fn parent<'a>(batch: &Value, batches: &[&'a Value]) -> Option<&'a str> {
    let above = match batch["kind"].as_str()? {
        "job" => "request",
        "request" => "project",
        _ => return None,
    };
    let needs = batch["needs"].as_array()?;
    batches
        .iter()
        .find(|other| other["kind"] == above && needs.contains(&other["root"]))
        .map(|other| id(&other["root"]))
}

fn branch(
    batch: &Value,
    batches: &[&Value],
    parents: &BTreeMap<&str, &str>,
    titles: &BTreeMap<&str, String>,
) -> Node {
    let root = id(&batch["root"]);
    let mut line = format!("{}  ({})", name_of(batch), print::plain(root));
    for mark in marks(batch, titles) {
        line.push_str(&format!("  [{mark}]"));
    }
    let mut below: Vec<_> = batch["members"]
        .as_array()
        .into_iter()
        .flatten()
        .map(member)
        .collect();
    below.extend(
        batches
            .iter()
            .filter(|other| parents.get(id(&other["root"])) == Some(&root))
            .map(|other| branch(other, batches, parents, titles)),
    );
    let reviewed = &batch["reviewed"];
    let details = if reviewed.is_object() {
        vec![format!(
            "{} by {} at {}",
            print::field(reviewed, "act"),
            print::field(reviewed, "by_name"),
            print::field(reviewed, "at")
        )]
    } else {
        Vec::new()
    };
    Node { line, details, below }
}

/// What stands in a batch's way.
fn marks(batch: &Value, titles: &BTreeMap<&str, String>) -> Vec<String> {
    let called = |need: &Value| match titles.get(id(need)) {
        Some(title) => format!("{title} ({})", print::of(need)),
        None => print::of(need),
    };
    let mut marks = Vec::new();
    match &batch["kept_back"] {
        Value::Null => {}
        Value::String(why) if why == "held" => marks.push("held".to_owned()),
        Value::String(why) if why == "filtered" => marks.push("left out by the filters".to_owned()),
        why if !why["needs"].is_null() => {
            marks.push(format!(
                "kept back with {}, which it needs",
                called(&why["needs"])
            ));
        }
        why => marks.push(format!("kept back: {}", print::of(why))),
    }
    if batch["ignored"] == true {
        marks.push("ignored".to_owned());
    }
    let waits_for = batch["waits_for"].as_array().into_iter().flatten();
    marks.extend(waits_for.map(|need| format!("waits for {}, which has not arrived", called(need))));
    marks
}

fn member(member: &Value) -> Node {
    let change = match member["change"].as_str() {
        Some("forked") => "FORKED".to_owned(),
        Some("returned") => "given back".to_owned(),
        _ => print::field(member, "change"),
    };
    let deleted = if member["deleted"] == true {
        ", deleted"
    } else {
        ""
    };
    let line = format!(
        "{change}{deleted}: {} {}",
        print::field(member, "kind"),
        print::field(member, "title")
    );
    let is_new = matches!(member["change"].as_str(), Some("new" | "returned"));
    let changes = member["changes"].as_array().into_iter().flatten();
    let vouched = ["signed", "verify_key"].map(|name| print::field(&member[name], "says"));
    let mut details: Vec<_> = vouched.into_iter().filter(|says| !says.is_empty()).collect();
    details.extend(changes.flat_map(|change| attribute(change, is_new)));
    Node {
        line,
        details,
        below: Vec::new(),
    }
}

/// One attribute that differs: a unified diff where there is one, both values on a line each else.
fn attribute(change: &Value, is_new: bool) -> Vec<String> {
    let name = print::field(change, "name");
    if let Some(diff) = change["text_diff"].as_str() {
        let mut lines = vec![format!("{name}:")];
        // Not `lines()`: that would swallow a carriage return, which may hide what stands before it.
        let diff = diff.strip_suffix('\n').unwrap_or(diff);
        lines.extend(diff.split('\n').map(|line| format!("  {}", tabbed(line))));
        return lines;
    }
    let (before, after) = (&change["before"], &change["after"]);
    if is_new || before.is_null() {
        return if is_empty(after) {
            Vec::new()
        } else {
            vec![format!("{name}: {}", value(after))]
        };
    }
    vec![
        format!("{name}:"),
        format!("  - {}", value(before)),
        format!("  + {}", value(after)),
    ]
}

/// A line of source; tabs stay.
fn tabbed(line: &str) -> String {
    line.split('\t').map(print::plain).collect::<Vec<_>>().join("\t")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// A value as a reviewer reads it: text in quotes, so that its ends show.
fn value(value: &Value) -> String {
    print::plain(&value.to_string())
}

fn draw(node: &Node, text: &mut String) {
    text.push_str(&node.line);
    text.push('\n');
    draw_below(node, "", text);
}

fn draw_below(node: &Node, prefix: &str, text: &mut String) {
    let rail = if node.below.is_empty() { "  " } else { "│ " };
    for detail in &node.details {
        text.push_str(&format!("{prefix}{rail}  {detail}\n"));
    }
    for (index, child) in node.below.iter().enumerate() {
        let last = index + 1 == node.below.len();
        let (branch, rail) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        text.push_str(&format!("{prefix}{branch}{}\n", child.line));
        draw_below(child, &format!("{prefix}{rail}"), text);
    }
}

#[cfg(test)]
mod tests;
