//! JSON, RFC 8259.

use super::FormatError;
use super::sink::Sink;

const JSON: &str = "JSON";

/// Writes the value again, compactly. Of a name that stands twice in one object the last value counts. Whole numbers keep
/// 64 bits; others become IEEE 754 doubles.
pub(super) fn write_again(bytes: &[u8], sink: &mut Sink) -> Result<(), FormatError> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| FormatError::malformed(JSON, error))?;
    serde_json::to_writer(&mut *sink, &value).map_err(|error| sink.failed(error.into()))?;
    sink.write(b"\n")
}
