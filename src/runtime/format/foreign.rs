//! Readers of other crates that are known to panic on some files that are not what they seem (apache/arrow-rs#9742): a panic refuses
//! the file.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::FormatError;

/// What is said of such a file.
pub(super) const CONTRADICTS: &str = "it contradicts itself, and cannot be understood";

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside of a reader whose panics are caught, for fuzzers: a node reads such files in another process.
pub fn is_reading() -> bool {
    READING.get()
}

/// Reads a file of the format `expected`. What `read` has written is unwound with it, and of no use to anybody.
///
/// # Errors
/// Those of `read`; and the file is malformed if it makes the reader panic.
pub(super) fn reading<T>(
    expected: &'static str,
    read: impl FnOnce() -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    let before = READING.replace(true);
    let read = catch_unwind(AssertUnwindSafe(read));
    READING.set(before);
    read.unwrap_or_else(|_panic| Err(FormatError::malformed(expected, CONTRADICTS)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_refuses_the_file_and_only_within_the_reader() {
        let read = reading("a table", || -> Result<(), FormatError> {
            assert!(is_reading());
            panic!("a length that does not fit")
        });
        let told = read.unwrap_err().to_string();
        assert!(told.starts_with("not a table"), "{told}");
        assert!(!is_reading());
    }
}
