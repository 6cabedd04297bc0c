//! Keys as bytes that sort as the keys do.
//!
//! Every encoding is self-delimiting, so that keys can be joined into tuples and a prefix of a tuple is a prefix of
//! its bytes.

use thiserror::Error;
use uuid::Uuid;

/// Longest text inside a key, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 320;

/// Ends a text. A zero byte inside a text is written as [`ZERO`], which sorts after the end and before the rest.
const END: [u8; 2] = [0, 0];
const ZERO: [u8; 2] = [0, 0xff];

/// Why bytes are not a key, or a key cannot be bytes.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    #[error("a key ends early")]
    Truncated,
    #[error("a key is followed by other bytes")]
    Trailing,
    #[error("a text in a key is not UTF-8 or not ended")]
    Text,
    #[error("a text in a key is longer than {MAX_TEXT_BYTES} bytes")]
    TooLong,
    #[error("a key holds a value that its type does not know")]
    Unknown,
}

/// A type whose values name records. `a < b` holds exactly if the bytes of `a` sort before those of `b`.
pub trait Key: Clone + Send + Sync + 'static {
    /// Appends the key's bytes.
    ///
    /// # Errors
    /// [`KeyError::TooLong`] for a text over its limit.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), KeyError>;

    /// Takes the key's bytes off the front of `input`.
    ///
    /// # Errors
    /// When the bytes are not what [`Self::encode`] makes.
    fn decode(input: &mut &[u8]) -> Result<Self, KeyError>;
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], KeyError> {
    let (taken, rest) = input.split_first_chunk().ok_or(KeyError::Truncated)?;
    *input = rest;
    Ok(*taken)
}

impl<const N: usize> Key for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), KeyError> {
        out.extend_from_slice(self);
        Ok(())
    }

    fn decode(input: &mut &[u8]) -> Result<Self, KeyError> {
        take(input)
    }
}

impl Key for Uuid {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), KeyError> {
        self.as_bytes().encode(out)
    }

    fn decode(input: &mut &[u8]) -> Result<Self, KeyError> {
        take(input).map(Self::from_bytes)
    }
}

/// Makes keys of newtypes whose one public field is a key: `newtype_keys!(UserId, ProjectId);`.
macro_rules! newtype_keys {
    ($($name:ty),+ $(,)?) => {$(
        impl $crate::store::key::Key for $name {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), $crate::store::key::KeyError> {
                $crate::store::key::Key::encode(&self.0, out)
            }

            fn decode(input: &mut &[u8]) -> Result<Self, $crate::store::key::KeyError> {
                $crate::store::key::Key::decode(input).map(Self)
            }
        }
    )+};
}
pub(crate) use newtype_keys;

macro_rules! unsigned_keys {
    ($($number:ty),+) => {$(
        impl Key for $number {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), KeyError> {
                self.to_be_bytes().encode(out)
            }

            fn decode(input: &mut &[u8]) -> Result<Self, KeyError> {
                take(input).map(Self::from_be_bytes)
            }
        }
    )+};
}

unsigned_keys!(u8, u16, u32, u64, u128);

impl Key for bool {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), KeyError> {
        u8::from(*self).encode(out)
    }

    fn decode(input: &mut &[u8]) -> Result<Self, KeyError> {
        match u8::decode(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(KeyError::Unknown),
        }
    }
}

impl Key for String {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), KeyError> {
        if self.len() > MAX_TEXT_BYTES {
            return Err(KeyError::TooLong);
        }
        for byte in self.bytes() {
            match byte {
                0 => out.extend_from_slice(&ZERO),
                other => out.push(other),
            }
        }
        out.extend_from_slice(&END);
        Ok(())
    }

    fn decode(input: &mut &[u8]) -> Result<Self, KeyError> {
        let mut text = Vec::new();
        loop {
            match **input {
                [0, 0, ref rest @ ..] => {
                    *input = rest;
                    return Self::from_utf8(text).map_err(|_not_text| KeyError::Text);
                }
                [0, 0xff, ref rest @ ..] => {
                    text.push(0);
                    *input = rest;
                }
                [0, ..] | [] => return Err(KeyError::Text),
                [byte, ref rest @ ..] => {
                    text.push(byte);
                    *input = rest;
                }
            }
            if text.len() > MAX_TEXT_BYTES {
                return Err(KeyError::TooLong);
            }
        }
    }
}

/// The one key of a table that holds one record.
impl Key for () {
    fn encode(&self, _out: &mut Vec<u8>) -> Result<(), KeyError> {
        Ok(())
    }

    fn decode(_input: &mut &[u8]) -> Result<Self, KeyError> {
        Ok(())
    }
}

macro_rules! tuple_keys {
    ($($part:ident . $index:tt),+) => {
        impl<$($part: Key),+> Key for ($($part,)+) {
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), KeyError> {
                $(self.$index.encode(out)?;)+
                Ok(())
            }

            fn decode(input: &mut &[u8]) -> Result<Self, KeyError> {
                Ok(($($part::decode(input)?,)+))
            }
        }
    };
}

tuple_keys!(A.0, B.1);
tuple_keys!(A.0, B.1, C.2);
tuple_keys!(A.0, B.1, C.2, D.3);

/// Decodes a key that must take up all of `input`.
///
/// # Errors
/// As [`Key::decode`], and [`KeyError::Trailing`] if bytes are left.
pub fn decode_whole<K: Key>(mut input: &[u8]) -> Result<K, KeyError> {
    let key = K::decode(&mut input)?;
    if input.is_empty() {
        Ok(key)
    } else {
        Err(KeyError::Trailing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Everything = (String, u64, [u8; 16], String);

    fn bytes<K: Key>(key: &K) -> Vec<u8> {
        let mut out = Vec::new();
        key.encode(&mut out).unwrap();
        out
    }

    /// Texts in which zero bytes, high bytes and shared prefixes are common.
    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('ÿ'), any::<char>()],
            0..6,
        )
        .prop_map(|chars| chars.into_iter().collect())
    }

    fn everything() -> impl Strategy<Value = Everything> {
        (
            text(),
            prop_oneof![0..3u64, any::<u64>()],
            any::<[u8; 16]>(),
            text(),
        )
    }

    proptest! {
        #[test]
        fn keys_sort_as_their_bytes_do(left in everything(), right in everything()) {
            prop_assert_eq!(left.cmp(&right), bytes(&left).cmp(&bytes(&right)));
        }

        #[test]
        fn keys_come_back(key in everything()) {
            prop_assert_eq!(decode_whole::<Everything>(&bytes(&key)), Ok(key));
        }

        #[test]
        fn arbitrary_bytes_decode_to_one_key_or_none(input in proptest::collection::vec(0..3u8, 0..80)) {
            if let Ok(key) = decode_whole::<(String, u16, bool)>(&input) {
                prop_assert_eq!(bytes(&key), input);
            }
        }
    }

    #[test]
    fn a_part_of_a_tuple_is_a_prefix_of_it() {
        let id = Uuid::from_bytes([7; 16]);
        assert!(bytes(&("user".to_owned(), id, 3u64)).starts_with(&bytes(&("user".to_owned(), id))));
    }

    #[test]
    fn a_text_of_another_length_is_no_prefix() {
        assert!(!bytes(&"users".to_owned()).starts_with(&bytes(&"user".to_owned())));
    }

    #[test]
    fn a_long_text_is_refused_both_ways() {
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        assert_eq!(long.encode(&mut Vec::new()), Err(KeyError::TooLong));
        let mut raw = long.into_bytes();
        raw.extend_from_slice(&END);
        assert_eq!(decode_whole::<String>(&raw), Err(KeyError::TooLong));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert_eq!(decode_whole::<u8>(&[1, 2]), Err(KeyError::Trailing));
    }
}
