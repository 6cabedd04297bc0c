//! Whole numbers of JSON that this program cannot hold. JSON sets no bound to a number and Python has none, but here a whole number has
//! 64 bits, and a longer one would silently become the nearest floating-point number.

use std::fmt;

/// Digits of a number that are repeated.
const SHOWN: usize = 40;

/// A whole number that has more than 64 bits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Beyond64Bits(String);

impl fmt::Display for Beyond64Bits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number) = self;
        let more = if number.len() > SHOWN { "…" } else { "" };
        let shown: String = number.chars().take(SHOWN).collect();
        write!(
            out,
            "the whole number {shown}{more} has more than 64 bits and would lose digits; pass it as text"
        )
    }
}

/// Looks through JSON for a whole number that lies outside of -2^63..2^64. Of what is no JSON it says nothing.
///
/// # Errors
/// The first such number.
pub fn check(json: &[u8]) -> Result<(), Beyond64Bits> {
    let mut rest = json;
    while let Some((first, behind)) = rest.split_first() {
        rest = match first {
            b'"' => behind_text(behind),
            b'-' | b'0'..=b'9' => {
                let belongs = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let length = rest.iter().position(|byte| !belongs(byte));
                let (number, behind) = rest.split_at(length.unwrap_or(rest.len()));
                fits(number)?;
                behind
            }
            _ => behind,
        };
    }
    Ok(())
}

/// What follows a text whose first quotation mark has been read.
fn behind_text(mut rest: &[u8]) -> &[u8] {
    loop {
        rest = match rest {
            [b'"', behind @ ..] => return behind,
            [b'\\', _, behind @ ..] | [_, behind @ ..] => behind,
            [] => return rest,
        };
    }
}

fn fits(number: &[u8]) -> Result<(), Beyond64Bits> {
    let Ok(number) = std::str::from_utf8(number) else {
        return Ok(());
    };
    let whole = !number.contains(['.', 'e', 'E']);
    if whole && number.parse::<i64>().is_err() && number.parse::<u64>().is_err() {
        return Err(Beyond64Bits(number.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_of_64_bits_and_every_other_number_fit() {
        for json in [
            "18446744073709551615",
            "-9223372036854775808",
            "-0",
            "[1, 2.5, 6.022e23, 1E400, 100000000000000000000.0]",
            r#"{"18446744073709551616": "18446744073709551616", "\"": "\\18446744073709551616"}"#,
            "",
            "\"open",
            "\"\\",
        ] {
            assert_eq!(check(json.as_bytes()), Ok(()), "{json}");
        }
    }

    #[test]
    fn longer_ones_are_named() {
        for (json, number) in [
            ("18446744073709551616", "18446744073709551616"),
            ("[1,-9223372036854775809]", "-9223372036854775809"),
            (
                r#"{"a\"": {"b": [true, 100000000000000000000 ]}}"#,
                "100000000000000000000",
            ),
        ] {
            let said = check(json.as_bytes()).unwrap_err().to_string();
            assert!(
                said.contains(number) && said.ends_with("pass it as text"),
                "{said}"
            );
        }
        assert!(
            check("7".repeat(100_000).as_bytes())
                .unwrap_err()
                .to_string()
                .len()
                < 150
        );
    }
}
