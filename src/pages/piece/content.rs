//! What stands in a file, seen through a window: a table as a table, an image as an image, text with what cannot be seen in
//! it shown, and the way to the parts that the window leaves out.

use maud::{Markup, html};

use super::icon::Icon;
use super::status::{Tone, badge};
use super::text::exact;
use crate::api::Problem;
use crate::pages::fields::Fields;
use crate::runtime::format::{Cell, Glance, Window, down_and_across};

/// Rows of one window.
const ROWS: usize = 50;
/// Columns of one window.
const COLUMNS: usize = 30;

/// The window that an address asks for: `from` and `from_column`, both from 0.
///
/// # Errors
/// One of them is no number.
pub fn window(query: &Fields) -> Result<Window, Problem> {
    let number = |name: &str| match query.given(name) {
        Some(_) => query.parsed::<u64>(name, "a whole number"),
        None => Ok(0),
    };
    Ok(Window {
        from: number("from")?,
        rows: ROWS,
        from_column: usize::try_from(number("from_column")?).unwrap_or(usize::MAX),
        columns: COLUMNS,
    })
}

/// Whether nothing of a file lies outside of what is seen through a window that begins where the file does.
pub fn all_of_it(seen: &Glance, window: Window) -> bool {
    let whole = |rows: &mut dyn Iterator<Item = &Vec<Cell>>| rows.flatten().all(|cell| cell.left_out == 0);
    match seen {
        Glance::Table {
            columns_in_all,
            rows,
            more,
            ..
        } => !more && *columns_in_all <= window.columns && whole(&mut rows.iter()),
        Glance::Array {
            shape, rows, more, ..
        } => {
            let (_, across) = down_and_across(shape);
            !more && across <= window.columns as u64 && whole(&mut rows.iter().map(|(_, cells)| cells))
        }
        Glance::Text { next, .. } | Glance::Bytes { next, .. } => next.is_none(),
        Glance::Picture => true,
    }
}

/// What is seen through the window. `path` and `query` lead to this page; `picture` is the address of an image's own bytes.
pub fn content(
    label: &str,
    seen: &Glance,
    window: Window,
    path: &str,
    query: &Fields,
    picture: &str,
) -> Markup {
    match seen {
        Glance::Table {
            columns,
            columns_in_all,
            rows,
            more,
        } => {
            let heads: Vec<_> = columns.iter().map(|name| html! { (exact(name)) }).collect();
            let rows: Vec<_> = (window.from..)
                .map(|row| (row + 1).to_string())
                .zip(rows)
                .collect();
            html! {
                (values(label, "Row", &heads, &rows))
                (moves(path, query, window, rows.len(), *more, *columns_in_all))
            }
        }
        Glance::Array {
            dtype,
            shape,
            rows,
            more,
        } => {
            let lengths: Vec<_> = shape.iter().map(ToString::to_string).collect();
            let (_, across) = down_and_across(shape);
            let across = usize::try_from(across).unwrap_or(usize::MAX);
            let shown = across.saturating_sub(window.from_column).min(window.columns);
            let heads: Vec<_> = (window.from_column..window.from_column + shown)
                .map(|column| html! { @if shape.len() > 1 { (column) } @else { "Value" } })
                .collect();
            let rows: Vec<_> = rows.iter().map(|(name, cells)| (name.clone(), cells)).collect();
            html! {
                p.soft { "An array of " code { (dtype) } ", " (if lengths.is_empty() { "a single number".to_owned() } else { lengths.join(" × ") }) ". Places are counted from 0, as NumPy does." }
                (values(label, "Place", &heads, &rows))
                (moves(path, query, window, rows.len(), *more, across))
            }
        }
        Glance::Text { text, next } => html! {
            div.scroll.tall role="region" aria-label=(label) tabindex="0" { pre.exact { (exact(text)) } }
            (pieces(path, query, window.from, *next))
        },
        Glance::Picture => html! {
            div.scroll role="region" aria-label=(label) tabindex="0" { img.picture src=(picture) alt=(format!("{label}, drawn by the code")); }
        },
        Glance::Bytes { bytes, next } => html! {
            p { (badge(Tone::Warning, Icon::Warning, "not reviewable")) " These are bytes of no known format: nobody can tell by looking what they hold." }
            div.scroll.tall role="region" aria-label=(label) tabindex="0" { pre.exact { (dump(bytes, window.from)) } }
            (pieces(path, query, window.from, *next))
        },
    }
}

fn values(label: &str, corner: &str, heads: &[Markup], rows: &[(String, &Vec<Cell>)]) -> Markup {
    html! {
        div.scroll.tall role="region" aria-label=(label) tabindex="0" {
            table.values {
                thead { tr { th scope="col" { (corner) } @for head in heads { th scope="col" { (head) } } } }
                tbody {
                    @for (name, cells) in rows {
                        tr {
                            th scope="row" { (name) }
                            @for cell in *cells { td { (value(cell)) } }
                        }
                    }
                    @if rows.is_empty() { tr { td colspan=(heads.len() + 1) { "There are no rows." } } }
                }
            }
        }
    }
}

fn value(cell: &Cell) -> Markup {
    html! {
        @match &cell.text {
            Some(text) => (exact(text)),
            None => span.none { "missing" },
        }
        @if cell.left_out > 0 { span.badge data-tone="warning" { "and " (cell.left_out) " more characters" } }
    }
}

/// Where else in a table one can look, and what of it is seen now.
fn moves(path: &str, query: &Fields, window: Window, rows: usize, more: bool, columns: usize) -> Markup {
    let (first, last) = (window.from + 1, window.from + rows as u64);
    let (first_column, last_column) = (
        window.from_column + 1,
        window.from_column.saturating_add(window.columns).min(columns),
    );
    let to = |name: &str, place: u64| {
        let place = (place > 0).then(|| place.to_string());
        query.address(path, name, place.as_deref())
    };
    let back = window.from.saturating_sub(window.rows as u64);
    let back_column = window.from_column.saturating_sub(window.columns) as u64;
    html! {
        p.soft.seen {
            @if rows > 0 { "Rows " (first) " to " (last) @if !more { ", the last" } ", " }
            "columns " (first_column.min(columns)) " to " (last_column) " of " (columns) "."
        }
        @if window.from > 0 || more || window.from_column > 0 || last_column < columns {
            nav.pager aria-label="Parts of the table" {
                @if window.from > 0 { a.button.small href=(to("from", back)) { "Earlier rows" } }
                @if more { a.button.small href=(to("from", last)) { "Later rows" } }
                @if window.from_column > 0 { a.button.small href=(to("from_column", back_column)) { "Columns to the left" } }
                @if last_column < columns { a.button.small href=(to("from_column", last_column as u64)) { "Columns to the right" } }
            }
        }
    }
}

/// Where else in a text one can look.
fn pieces(path: &str, query: &Fields, from: u64, next: Option<u64>) -> Markup {
    html! {
        @if from > 0 || next.is_some() {
            nav.pager aria-label="Parts of the text" {
                @if from > 0 { a.button.small href=(query.address(path, "from", None)) { "From the beginning" } }
                @if let Some(next) = next { a.button.small href=(query.address(path, "from", Some(&next.to_string()))) { "What follows" } }
            }
        }
    }
}

/// Bytes as hexadecimal numbers, sixteen to a line.
fn dump(bytes: &[u8], from: u64) -> String {
    use std::fmt::Write as _;
    let mut dump = String::new();
    for (at, line) in bytes.chunks(16).enumerate() {
        let place = from + 16 * at as u64;
        let numbers: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let _infallible = writeln!(dump, "{place:08x}  {}", numbers.join(" "));
    }
    dump
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_not_taken_for_all_of_it() {
        let at = Window {
            from: 0,
            rows: 12,
            from_column: 0,
            columns: 12,
        };
        let table = |columns_in_all: usize, more: bool, left_out: u64| Glance::Table {
            columns: vec!["a".to_owned()],
            columns_in_all,
            rows: vec![vec![Cell {
                text: Some("x".to_owned()),
                left_out: left_out.try_into().unwrap(),
            }]],
            more,
        };
        for (seen, whole) in [
            (table(12, false, 0), true),
            (table(12, true, 0), false),
            (table(13, false, 0), false),
            (table(1, false, 7), false),
            (Glance::Picture, true),
        ] {
            assert_eq!(all_of_it(&seen, at), whole, "{seen:?}");
        }
        let array = |shape: &[u64], more: bool| Glance::Array {
            dtype: "float64".to_owned(),
            shape: shape.to_vec(),
            rows: Vec::new(),
            more,
        };
        assert!(
            [&[][..], &[3, 12], &[13]]
                .iter()
                .all(|shape| all_of_it(&array(shape, false), at))
        );
        assert!(!all_of_it(&array(&[3, 13], false), at) && !all_of_it(&array(&[30, 2], true), at));
        let text = |next: Option<u64>| Glance::Text {
            text: String::new(),
            next,
        };
        assert!(all_of_it(&text(None), at) && !all_of_it(&text(Some(65_536)), at));
    }

    #[test]
    fn what_a_window_leaves_out_is_said_and_led_to() {
        let seen = Glance::Table {
            columns: vec!["<a>".to_owned()],
            columns_in_all: 40,
            rows: vec![vec![Cell::missing()], vec![Cell::new("x\u{200B}")]],
            more: true,
        };
        let query = Fields::of([("from", "50")]);
        let at = window(&query).unwrap();
        let shown = content("Result", &seen, at, "/r", &query, "").into_string();
        assert!(
            shown.contains("Rows 51 to 52") && shown.contains("of 40"),
            "{shown}"
        );
        assert!(shown.contains("href=\"/r?from=52\""), "{shown}");
        assert!(shown.contains("from_column=30"), "{shown}");
        assert!(shown.contains("missing") && shown.contains("U+200B") && shown.contains("&lt;a&gt;"));
        assert!(window(&Fields::of([("from", "x")])).is_err());
    }
}
