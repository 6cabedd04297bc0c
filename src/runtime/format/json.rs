//! JSON, RFC 8259.

use super::FormatError;
use super::sink::Sink;
use crate::domain::whole_number;

const JSON: &str = "JSON";

/// Writes the value again, compactly. Of a name that stands twice in one object the last value counts. Whole numbers keep
/// 64 bits, and longer ones are refused; others become IEEE 754 doubles.
pub(super) fn write_again(bytes: &[u8], sink: &mut Sink) -> Result<(), FormatError> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| FormatError::malformed(JSON, error))?;
    whole_number::check(bytes).map_err(|error| FormatError::malformed(JSON, error))?;
    serde_json::to_writer(&mut *sink, &value).map_err(|error| sink.failed(error.into()))?;
    sink.write(b"\n")
}

#[cfg(test)]
mod tests {
    use super::super::write_again;
    use crate::domain::release::OutputFormat;

    #[test]
    fn a_number_stays_or_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        let again = |json: &str| write_again(OutputFormat::Json, json.as_bytes(), &path, 1000);
        let refused = again("{\"id\": 18446744073709551616}").unwrap_err().to_string();
        assert!(refused.contains("18446744073709551616"), "{refused}");
        assert!(!path.try_exists().unwrap());
        again("[18446744073709551615, 1e30]").unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "[18446744073709551615,1e+30]\n"
        );
    }
}
