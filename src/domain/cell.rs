//! What the text in a cell of a CSV file says: nothing, a number, or something else. Read as pandas reads it by default.

/// What counts as a missing value: what pandas takes for one by default.
pub const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Whether a cell holds no value.
pub fn is_missing(text: &str) -> bool {
    MISSING.contains(&text)
}

/// The number that a cell holds, if it holds one. Space around it does not count.
pub fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// How many line ends stand before the first byte that is none: what the position of a CSV record must be moved by, since
/// the reader counts empty lines to the record after them.
pub fn line_ends(rest: impl IntoIterator<Item = u8>) -> u64 {
    rest.into_iter()
        .take_while(|byte| matches!(byte, b'\n' | b'\r'))
        .map(|byte| u64::from(byte == b'\n'))
        .sum()
}

/// Whether the first line of a CSV file names the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It does: the file is a table.
    Present,
    /// It does not: the line is the first of the values, and the file a tensor.
    Absent,
    /// It may be either, and a guess could turn somebody's values into column names that everybody sees.
    Unclear,
}

/// Tells whether the first line of a CSV file is a header.
///
/// The rule:
/// - a line of numbers and missing values, with at least one number, is no header;
/// - a line in which every cell holds a name, each another one, is a header. A name is anything but a number, a missing
///   value or space;
/// - any other line is unclear: numbers beside words may be years beside names, or the first patient.
pub fn header<'a>(first_line: impl IntoIterator<Item = &'a str>) -> Header {
    let (mut numbers, mut missing, mut names) = (0_usize, 0_usize, Vec::new());
    for cell in first_line {
        if is_missing(cell) || cell.trim().is_empty() {
            missing += 1;
        } else if number(cell).is_some() {
            numbers += 1;
        } else {
            names.push(cell.trim());
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    match (numbers, missing, count) {
        (1.., _, 0) => Header::Absent,
        (0, 0, 1..) if names.len() == count => Header::Present,
        _ => Header::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_a_header_and_numbers_are_none() {
        assert_eq!(header(["npreg", "glu", "bmi"]), Header::Present);
        assert_eq!(header(["x"]), Header::Present);
        assert_eq!(header(["5", "86", "30.2", "-1e3"]), Header::Absent);
        assert_eq!(
            header(["5", "", "NA", " 7 "]),
            Header::Absent,
            "values may be missing"
        );
    }

    #[test]
    fn what_could_be_somebodys_values_is_unclear() {
        let patient = ["5", "86", "68", "28", "30.2", "0.364", "24", "No"];
        assert_eq!(header(patient), Header::Unclear);
        assert_eq!(
            header(["country", "2019", "2020"]),
            Header::Unclear,
            "years beside names"
        );
        assert_eq!(
            header(["Yes", "Yes", "No"]),
            Header::Unclear,
            "a name stands once"
        );
        assert_eq!(
            header(["", "a", "b"]),
            Header::Unclear,
            "the index that pandas writes"
        );
        assert_eq!(header(["", "NA"]), Header::Unclear);
        assert_eq!(header([]), Header::Unclear);
    }

    proptest! {
        #[test]
        fn a_line_with_a_number_is_never_taken_for_a_header(mut cells in prop::collection::vec("[a-z]{0,4}", 0..6),
            number: f64, at: prop::sample::Index) {
            cells.insert(at.index(cells.len() + 1), number.to_string());
            prop_assert_ne!(header(cells.iter().map(String::as_str)), Header::Present);
        }

        #[test]
        fn a_line_with_a_word_is_never_taken_for_values(mut cells in prop::collection::vec("-?[0-9]{1,4}", 0..6),
            at: prop::sample::Index) {
            cells.insert(at.index(cells.len() + 1), "glucose".to_owned());
            prop_assert_ne!(header(cells.iter().map(String::as_str)), Header::Absent);
        }
    }
}
