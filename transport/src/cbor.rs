//! The one encoding of a CBOR item that bundles accept: RFC 8949 §4.2.1 "core deterministic encoding".
//!
//! On top of the RFC, bundles refuse floats, tags, `undefined` and unassigned simple values, keys that are not
//! integers, text or byte strings, and nesting deeper than [`MAX_DEPTH`]. What is left has exactly one encoding per
//! value, so two nodes that agree on a value agree on its bytes and on its hash.
//!
//! [`from_deterministic_slice`] decodes, encodes again and compares, so a field that the type does not know, an
//! absent field that would be written, or any second spelling of a value is refused.

mod check;
mod encode;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use check::check_item;
pub(crate) use check::{Head, read_head};
pub(crate) use encode::write_head;

/// How deep arrays and maps may nest; a bare integer has depth 0, an array of integers depth 1.
pub const MAX_DEPTH: usize = 16;

/// Why bytes are not an acceptable CBOR item, or a value cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end inside an item.
    #[error("the CBOR item is cut short")]
    Truncated,
    /// Bytes follow the item.
    #[error("bytes follow the CBOR item")]
    TrailingBytes,
    /// A length or an integer is written longer than needed.
    #[error("a CBOR length or integer is not in its shortest form")]
    NotShortest,
    /// An indefinite-length item.
    #[error("a CBOR item has indefinite length")]
    Indefinite,
    /// Map keys that are not in ascending order of their encodings.
    #[error("CBOR map keys are not in order")]
    KeysOutOfOrder,
    /// A map key that occurs twice.
    #[error("a CBOR map key occurs twice")]
    DuplicateKey,
    /// A map key that is neither integer, text nor bytes.
    #[error("a CBOR map key is neither an integer, text nor bytes")]
    KeyType,
    /// A floating-point number.
    #[error("floating-point numbers are not allowed in bundles")]
    Float,
    /// A tag.
    #[error("CBOR tags are not allowed in bundles")]
    Tag,
    /// A simple value other than false, true and null, or a reserved head.
    #[error("a CBOR simple value other than false, true or null")]
    Simple,
    /// Text that is not UTF-8.
    #[error("CBOR text is not valid UTF-8")]
    NotUtf8,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("CBOR nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// The bytes are well formed, but do not fit the type: a field is missing, unknown or of another type.
    #[error("the CBOR item is not what was expected: {0}")]
    Unexpected(String),
    /// Decoding and encoding again gave other bytes.
    #[error("the CBOR item is not in the form that this version would write")]
    NotTheOneForm,
}

/// Encodes `value` in its one deterministic form.
///
/// # Errors
/// When the value holds what bundles refuse (a float, a map key twice, nesting too deep).
pub fn to_deterministic_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CborError> {
    let value = ciborium::Value::serialized(value).map_err(|e| CborError::Unexpected(e.to_string()))?;
    let mut out = Vec::new();
    encode::write_value(&value, 0, &mut out)?;
    Ok(out)
}

/// Decodes exactly one item from `bytes`, and refuses every encoding but the one that
/// [`to_deterministic_vec`] gives.
///
/// `T` must serialise all that it deserialises: `#[serde(skip)]` and defaults for absent fields make a value that
/// encodes differently, and that is refused.
///
/// # Errors
/// See [`CborError`]; nothing but the bytes decides.
pub fn from_deterministic_slice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CborError> {
    // First, since it also bounds depth and every length before the decoder sees them.
    if check_item(bytes)? != bytes.len() {
        return Err(CborError::TrailingBytes);
    }
    let value: T = ciborium::de::from_reader_with_recursion_limit(bytes, 4 * MAX_DEPTH)
        .map_err(|e| CborError::Unexpected(e.to_string()))?;
    if to_deterministic_vec(&value)? != bytes {
        return Err(CborError::NotTheOneForm);
    }
    Ok(value)
}
