//! Assets as tables show them.

use serde_json::Value;

use crate::cli::print;

/// Assets with their mocks, and with their private data where the node tells of it.
pub(in crate::cli) fn asset_table(assets: &Value) -> String {
    let assets = assets.as_array().map(Vec::as_slice).unwrap_or_default();
    let tells = assets.iter().any(|asset| asset.get("private").is_some());
    let mut text = String::new();
    let rows: Vec<_> = assets
        .iter()
        .map(|asset| {
            text.push_str(&shared_rows(asset));
            let mut row = vec![print::field(asset, "id"), print::field(asset, "name")];
            row.extend(tells.then(|| look_in_short(&asset["private"])));
            row.push(look_in_short(&asset["mock"]));
            row
        })
        .collect();
    let head: &[&str] = if tells {
        &["ID", "NAME", "PRIVATE DATA", "MOCK"]
    } else {
        &["ID", "NAME", "MOCK"]
    };
    format!("{}{text}", print::table(head, &rows))
}

/// A warning where rows of a mock stand in the private data.
pub(in crate::cli) fn shared_rows(asset: &Value) -> String {
    match asset["mock_shares_rows"].as_u64().unwrap_or_default() {
        0 => String::new(),
        shared => format!(
            "\nWARNING: {shared} row(s) of the mock of {} stand in the private data. Is the mock real data?",
            print::field(asset, "name")
        ),
    }
}

/// A mock or private data as lists of assets tell of it, in a line.
pub(in crate::cli) fn look_in_short(look: &Value) -> String {
    if look.is_null() {
        return "none".to_owned();
    }
    let lengths = look["shape"].as_array().into_iter().flatten();
    let lengths: Vec<_> = lengths.map(print::of).collect();
    let shape = match (look["dtype"].as_str(), lengths.as_slice()) {
        (Some("table"), [rows, columns]) => format!("{rows} rows × {columns} columns"),
        _ => format!("{} of {}", print::field(look, "dtype"), lengths.join(" × ")),
    };
    format!("{}, {shape}", print::field(look, "format"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_said_of_private_data_that_the_node_does_not_tell_of() {
        let mock = json!({"format": "csv", "dtype": "table", "shape": [7, 3]});
        let told = json!([{"id": "1", "name": "women", "private": null, "mock": mock}]);
        let text = asset_table(&told);
        assert!(text.contains("PRIVATE DATA") && text.contains("none"), "{text}");
        let text = asset_table(&json!([{"id": "1", "name": "women", "mock": mock}]));
        assert!(!text.contains("PRIVATE") && !text.contains("none"), "{text}");
        assert!(text.contains("csv, 7 rows"), "{text}");
    }
}
