//! What data looks like: columns and types, or element type and shape.

use maud::{Markup, html};

use super::facts::facts;
use super::list::table;
use super::text::reveal;
use crate::domain::schema::Schema;

/// Columns and types, or element type and shape.
pub fn schema(schema: &Schema) -> Markup {
    match schema {
        Schema::Table { columns, .. } => table(
            "Columns",
            &["Column", "Type"],
            columns.iter().map(|column| {
                vec![
                    html! { code { (reveal(&column.name)) } },
                    html! { (column.dtype) },
                ]
            }),
        ),
        Schema::Tensor { dtype, shape } => html! {
            div.card { (facts([("Elements", html! { code { (dtype) } }), ("Shape", html! { (shape_words(shape)) })])) }
        },
    }
}

/// The lengths of an array, in words.
pub fn shape_words(shape: &[u64]) -> String {
    let lengths: Vec<_> = shape.iter().map(ToString::to_string).collect();
    if lengths.is_empty() {
        "a single number".to_owned()
    } else {
        lengths.join(" × ")
    }
}
