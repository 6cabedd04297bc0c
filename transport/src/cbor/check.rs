//! Walks the bytes of one item and refuses every form but the deterministic one.

use super::{CborError, MAX_DEPTH};

/// The first byte of an item with its argument, RFC 8949 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// 0 unsigned, 1 negative, 2 bytes, 3 text, 4 array, 5 map, 7 simple. Tags never come out of [`read_head`].
    pub(crate) major: u8,
    /// The integer, the length, or the simple value.
    pub(crate) argument: u64,
    /// Bytes that the head took: 1 to 9.
    pub(crate) size: usize,
}

/// Reads one head, refusing longer-than-needed, indefinite and disallowed ones.
pub(crate) fn read_head(bytes: &[u8]) -> Result<Head, CborError> {
    let first = *bytes.first().ok_or(CborError::Truncated)?;
    let (major, low) = (first >> 5, first & 0x1f);
    if major == 7 {
        return match low {
            20..=22 => Ok(Head {
                major,
                argument: u64::from(low),
                size: 1,
            }),
            25..=27 => Err(CborError::Float),
            31 => Err(CborError::Indefinite),
            _ => Err(CborError::Simple),
        };
    }
    if major == 6 {
        return Err(CborError::Tag);
    }
    let (argument, size, least) = match low {
        0..=23 => (u64::from(low), 1, 0),
        24 => (big_endian::<1>(bytes)?, 2, 24),
        25 => (big_endian::<2>(bytes)?, 3, 1 << 8),
        26 => (big_endian::<4>(bytes)?, 5, 1 << 16),
        27 => (big_endian::<8>(bytes)?, 9, 1 << 32),
        31 => return Err(CborError::Indefinite),
        _ => return Err(CborError::Simple),
    };
    if argument < least {
        return Err(CborError::NotShortest);
    }
    Ok(Head {
        major,
        argument,
        size,
    })
}

fn big_endian<const N: usize>(bytes: &[u8]) -> Result<u64, CborError> {
    let argument = bytes.get(1..=N).ok_or(CborError::Truncated)?;
    Ok(argument
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// Checks the item at the start of `bytes` and returns its length. Takes time linear in that length, whatever the
/// item claims.
///
/// # Errors
/// [`CborError::Truncated`] when `bytes` ends before the item does; any other when no continuation could mend it.
pub fn check_item(bytes: &[u8]) -> Result<usize, CborError> {
    check_at(bytes, 0)
}

fn check_at(bytes: &[u8], depth: usize) -> Result<usize, CborError> {
    let head = read_head(bytes)?;
    match head.major {
        0 | 1 | 7 => Ok(head.size),
        2 | 3 => check_string(bytes, head),
        4 => {
            let mut at = head.size;
            for _ in 0..head.argument {
                at += check_nested(bytes, at, depth)?;
            }
            bounded(at, depth)
        }
        _ => check_map(bytes, head, depth),
    }
}

/// An empty container is as deep as a full one.
fn bounded(at: usize, depth: usize) -> Result<usize, CborError> {
    if depth >= MAX_DEPTH {
        Err(CborError::TooDeep)
    } else {
        Ok(at)
    }
}

fn check_nested(bytes: &[u8], at: usize, depth: usize) -> Result<usize, CborError> {
    if depth >= MAX_DEPTH {
        return Err(CborError::TooDeep);
    }
    check_at(bytes.get(at..).ok_or(CborError::Truncated)?, depth + 1)
}

fn check_string(bytes: &[u8], head: Head) -> Result<usize, CborError> {
    let length = usize::try_from(head.argument).map_err(|_| CborError::Truncated)?;
    let end = head.size.checked_add(length).ok_or(CborError::Truncated)?;
    let content = bytes.get(head.size..end).ok_or(CborError::Truncated)?;
    if head.major == 3 && std::str::from_utf8(content).is_err() {
        return Err(CborError::NotUtf8);
    }
    Ok(end)
}

fn check_map(bytes: &[u8], head: Head, depth: usize) -> Result<usize, CborError> {
    let mut at = head.size;
    let mut previous: Option<&[u8]> = None;
    for _ in 0..head.argument {
        let rest = bytes.get(at..).ok_or(CborError::Truncated)?;
        if read_head(rest)?.major > 3 {
            return Err(CborError::KeyType);
        }
        let key_length = check_nested(bytes, at, depth)?;
        let key = &rest[..key_length];
        match previous {
            Some(before) if before == key => return Err(CborError::DuplicateKey),
            Some(before) if before > key => return Err(CborError::KeysOutOfOrder),
            _ => previous = Some(key),
        }
        at += key_length;
        at += check_nested(bytes, at, depth)?;
    }
    bounded(at, depth)
}
