//! The small text files: `field = value`, one per line, in a fixed order.

use data_encoding::HEXLOWER;
use uuid::Uuid;

use super::IdentityError;

/// Larger than any text that this version writes.
pub(super) const MAX_TEXT_BYTES: usize = 4096;

/// Takes fields off a text in the order in which they must stand.
pub(super) struct Fields<'a> {
    lines: std::iter::Peekable<std::str::Lines<'a>>,
}

impl<'a> Fields<'a> {
    /// Checks the size and the first line, which says what the text is.
    pub(super) fn open(text: &'a str, first: &str, kind: &'static str) -> Result<Self, IdentityError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(IdentityError::TooLarge(MAX_TEXT_BYTES));
        }
        let mut lines = text.lines().peekable();
        if lines.next() != Some(first) {
            return Err(IdentityError::Kind(kind));
        }
        Ok(Self { lines })
    }

    pub(super) fn take(&mut self, field: &'static str) -> Result<&'a str, IdentityError> {
        self.take_optional(field).ok_or(IdentityError::Field(field))
    }

    /// The field's value if the next line holds it.
    pub(super) fn take_optional(&mut self, field: &'static str) -> Option<&'a str> {
        let value = self.lines.peek()?.strip_prefix(field)?.strip_prefix(" = ")?;
        self.lines.next();
        Some(value)
    }

    pub(super) fn take_uuid(&mut self, field: &'static str) -> Result<Uuid, IdentityError> {
        Uuid::try_parse(self.take(field)?).map_err(|_| IdentityError::Field(field))
    }

    pub(super) fn take_hex<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], IdentityError> {
        let text = self.take(field)?.as_bytes();
        // In place, so that no copy of a secret stays behind on the heap.
        let mut bytes = [0; N];
        if HEXLOWER.decode_len(text.len()) != Ok(N) || HEXLOWER.decode_mut(text, &mut bytes) != Ok(N) {
            return Err(IdentityError::Field(field));
        }
        Ok(bytes)
    }
}
