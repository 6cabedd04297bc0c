//! What changed between two revisions of an object, for a person to read: attribute by attribute, source code as a text diff.

use serde::Serialize;
use serde_json::Value;

use crate::domain::object::Body;

/// One attribute that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// What it was; `null` where there was nothing.
    pub before: Value,
    /// What it is.
    pub after: Value,
    /// For source code and other long text: a unified diff with three lines of context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_diff: Option<String>,
}

/// Compares two bodies of one object; `before` is `None` for a new one. `hide_code` leaves the source out. Signatures are left
/// out too: nobody compares their digits; how each stands is computed and shown apart.
pub fn difference(before: Option<&Body>, after: &Body, hide_code: bool) -> Vec<Attribute> {
    let (before, after) = (before.map(attributes).unwrap_or_default(), attributes(after));
    let mut names: Vec<_> = after.keys().chain(before.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| !(hide_code && name == "source") && name != "signature")
        .filter_map(|name| {
            let was = before.get(&name).cloned().unwrap_or(Value::Null);
            let is = after.get(&name).cloned().unwrap_or(Value::Null);
            (was != is).then(|| Attribute {
                text_diff: text_diff(&was, &is),
                name,
                before: was,
                after: is,
            })
        })
        .collect()
}

fn attributes(body: &Body) -> serde_json::Map<String, Value> {
    // A body is externally tagged: one entry, whose value holds the attributes.
    match serde_json::to_value(body) {
        Ok(Value::Object(tagged)) => match tagged.into_iter().next() {
            Some((_, Value::Object(attributes))) => attributes,
            _ => serde_json::Map::new(),
        },
        _ => serde_json::Map::new(),
    }
}

fn text_diff(before: &Value, after: &Value) -> Option<String> {
    let (before, after) = (before.as_str().unwrap_or_default(), after.as_str()?);
    if !after.contains('\n') && !before.contains('\n') {
        return None;
    }
    let diff = similar::TextDiff::from_lines(before, after);
    Some(diff.unified_diff().context_radius(3).to_string())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::code::Code;
    use crate::domain::id::UserId;
    use crate::domain::policy::{InputPolicy, OutputPolicy};

    fn code(source: &str) -> Body {
        let input = InputPolicy::exact_match([].into()).unwrap();
        let author = UserId(Uuid::from_u128(1));
        Body::Code(Code::new("mean", author, source, "f", input, OutputPolicy::SingleExecution).unwrap())
    }

    #[test]
    fn source_is_compared_line_by_line() {
        let (old, new) = (code("def f():\n    return 1\n"), code("def f():\n    return 2\n"));
        let changes = difference(Some(&old), &new, false);
        let names: Vec<_> = changes.iter().map(|change| change.name.as_str()).collect();
        assert_eq!(names, ["hash", "source"]);
        let diff = changes[1].text_diff.as_deref().unwrap();
        assert!(diff.contains("-    return 1") && diff.contains("+    return 2"));
        assert!(
            difference(Some(&old), &new, true)
                .iter()
                .all(|change| change.name != "source")
        );
        assert!(difference(Some(&old), &old, false).is_empty());
    }
}
