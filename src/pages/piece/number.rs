//! Numbers in words.

/// A number of bytes in the unit that says it best.
pub fn bytes(number: u64) -> String {
    let tenths = |unit: u64, name: &str| format!("{}.{} {name}", number / unit, number % unit / (unit / 10));
    match number {
        1 => "1 byte".to_owned(),
        0..1_000 => format!("{number} bytes"),
        1_000..1_000_000 => tenths(1_000, "kB"),
        1_000_000..1_000_000_000 => tenths(1_000_000, "MB"),
        _ => tenths(1_000_000_000, "GB"),
    }
}

/// So many of something. Of most words the plural ends in an s.
pub fn count(number: usize, what: &str) -> String {
    let plural = match what {
        _ if number == 1 => "",
        what if what.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{number} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_unit_that_fits() {
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_950), "1.9 kB");
        assert_eq!(bytes(64 << 20), "67.1 MB");
        assert_eq!([count(1, "row"), count(2, "batch")], ["1 row", "2 batches"]);
    }
}
