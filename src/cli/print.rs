//! Printing for people and for programs. Whatever a node says is escaped before it reaches a terminal ([`super::plain`]).

use std::io::{self, Write};

use serde_json::Value;

use super::failure::Failure;
pub use super::plain::{plain, prose};

/// How a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    /// JSON, for programs.
    pub json: bool,
}

impl Out {
    /// Prints a value: as JSON, or as what `human` makes of it.
    ///
    /// # Errors
    /// Nobody reads the output.
    pub fn show(&self, value: &Value, human: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
        if self.json {
            self.line(&value.to_string())
        } else {
            self.line(human(value).trim_end())
        }
    }

    /// Prints a line that is safe already.
    ///
    /// # Errors
    /// Nobody reads the output.
    pub fn line(&self, line: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .or_else(|error| match error.kind() {
                // Whoever reads it has read enough.
                io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(Failure::failed(format!("the output cannot be written: {error}"))),
            })
    }

    /// Prints a remark that is no result: not with `--json`.
    pub fn remark(&self, remark: &str) {
        if !self.json {
            eprintln!("{}", prose(remark));
        }
    }
}

/// A field of an answer as one line of plain text; nothing for what is not there.
pub fn field(value: &Value, name: &str) -> String {
    of(&value[name])
}

/// A value as one line of plain text.
pub fn of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(of).collect::<Vec<_>>().join(", "),
        other => plain(&other.to_string()),
    }
}

/// Rows under headings, in columns as wide as they need to be.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return "(none)".to_owned();
    }
    let mut widths: Vec<_> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<_> = cells
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut headings.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// A list of objects as a table of some of their fields.
pub fn listing(list: &Value, columns: &[(&str, &str)]) -> String {
    let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    let rows: Vec<Vec<String>> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| columns.iter().map(|(_, name)| field(item, name)).collect())
        .collect();
    let mut text = table(&headings, &rows);
    if !list["next"].is_null() {
        text.push_str("\n(there is more: use --all)");
    }
    text
}

/// Names and values, one a line; empty values are left out.
pub fn facts(facts: &[(&str, String)]) -> String {
    let shown: Vec<_> = facts.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = shown
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<_> = shown
        .iter()
        .map(|(name, value)| format!("{name:<width$}  {value}"))
        .collect();
    lines.join("\n")
}

/// A number of bytes, in words.
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_one_line_of_plain_text() {
        assert_eq!(of(&json!(["é", "\u{200b}"])), "é, \\u{200b}");
    }

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let list =
            json!({"items": [{"name": "Pima", "n": 3}, {"name": "Lungs and more", "n": null}], "next": null});
        let text = listing(&list, &[("NAME", "name"), ("N", "n")]);
        assert_eq!(text, "NAME            N\nPima            3\nLungs and more");
        assert_eq!(table(&["A"], &[]), "(none)");
    }
}
