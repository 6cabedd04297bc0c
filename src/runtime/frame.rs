//! The answer that comes out of a sandbox: the magic `PLR1`, the length of a header in four bytes, the header as JSON,
//! the length of a payload in eight bytes, the payload, and then the end. Lengths are little-endian.
//!
//! Every byte of it may have been written by the code under review.

use serde::Deserialize;

use super::job::{ExceptionClass, Phase};
use crate::domain::release::OutputFormat;

const MAGIC: &[u8; 4] = b"PLR1";
const HEADER_MAX: usize = 4 << 10;

/// A well-formed answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A value in one of the formats that code may return.
    Value(OutputFormat, &'a [u8]),
    /// The code raised.
    Failure {
        phase: Phase,
        line: Option<u32>,
        class: ExceptionClass,
    },
}

/// Why an answer is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("nothing was handed over")]
    Empty,
    #[error("what was handed over is malformed")]
    Malformed,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Header {
    Json {},
    Csv {},
    Npy {},
    Png {},
    Raw {},
    Failure {
        phase: Phase,
        line: Option<u32>,
        class: ExceptionClass,
    },
}

/// Reads an answer whole.
pub(crate) fn parse(bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
    if bytes.is_empty() {
        return Err(FrameError::Empty);
    }
    parts(bytes).ok_or(FrameError::Malformed)
}

fn parts(bytes: &[u8]) -> Option<Frame<'_>> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length))
        .ok()
        .filter(|length| *length <= HEADER_MAX)?;
    let (header, rest) = rest.split_at_checked(length)?;
    let (length, payload) = rest.split_first_chunk::<8>()?;
    if u64::from_le_bytes(*length) != payload.len() as u64 {
        return None;
    }
    let format = match serde_json::from_slice(header).ok()? {
        Header::Json {} => OutputFormat::Json,
        Header::Csv {} => OutputFormat::Csv,
        Header::Npy {} => OutputFormat::Npy,
        Header::Png {} => OutputFormat::Png,
        Header::Raw {} => OutputFormat::Raw,
        Header::Failure { phase, line, class } if payload.is_empty() => {
            return Some(Frame::Failure { phase, line, class });
        }
        Header::Failure { .. } => return None,
    };
    Some(Frame::Value(format, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: &str, payload: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend((payload.len() as u64).to_le_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn a_value_and_a_failure_are_told_apart() {
        assert_eq!(
            parse(&frame(r#"{"kind":"json"}"#, b"1")),
            Ok(Frame::Value(OutputFormat::Json, b"1"))
        );
        let failure = frame(
            r#"{"kind":"failure","phase":"call","line":7,"class":"KeyError"}"#,
            b"",
        );
        let class = ExceptionClass::of("KeyError");
        assert_eq!(
            parse(&failure),
            Ok(Frame::Failure {
                phase: Phase::Call,
                line: Some(7),
                class
            })
        );
    }

    #[test]
    fn every_shortening_and_every_byte_too_many_is_malformed() {
        let whole = frame(r#"{"kind":"csv"}"#, b"a,b\n");
        for end in 1..whole.len() {
            assert_eq!(parse(&whole[..end]), Err(FrameError::Malformed), "cut at {end}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(parse(&longer), Err(FrameError::Malformed));
        let twice = [whole.clone(), whole].concat();
        assert_eq!(parse(&twice), Err(FrameError::Malformed));
        assert_eq!(parse(b""), Err(FrameError::Empty));
    }

    #[test]
    fn headers_that_say_anything_else_are_malformed() {
        for header in [
            r#"{"kind":"pickle"}"#,
            r#"{"kind":"parquet"}"#,
            r#"{"kind":"json","more":1}"#,
            r#"{"kind":"failure","phase":"call","line":-1,"class":"KeyError"}"#,
            r#"{"kind":"failure","phase":"elsewhere","line":1,"class":"KeyError"}"#,
            r#"{"kind":"failure","phase":"call","line":1,"class":"KeyError","message":"secret"}"#,
            "[]",
            "",
        ] {
            assert_eq!(parse(&frame(header, b"")), Err(FrameError::Malformed), "{header}");
        }
        let failure = r#"{"kind":"failure","phase":"call","line":1,"class":"KeyError"}"#;
        assert_eq!(parse(&frame(failure, b"more")), Err(FrameError::Malformed));
        assert_eq!(
            parse(&frame(&format!("{}{{}}", " ".repeat(HEADER_MAX)), b"")),
            Err(FrameError::Malformed)
        );
    }
}
