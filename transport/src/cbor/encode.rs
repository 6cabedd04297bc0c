//! Writes a value in the deterministic form.

use ciborium::Value;

use super::{CborError, MAX_DEPTH};

/// Appends a head: `major` 0 to 5 and its argument, in the shortest form.
pub(crate) fn write_head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    if let Ok(byte) = u8::try_from(argument) {
        if byte < 24 {
            out.push(major | byte);
        } else {
            out.extend([major | 24, byte]);
        }
    } else if let Ok(short) = u16::try_from(argument) {
        out.push(major | 25);
        out.extend(short.to_be_bytes());
    } else if let Ok(word) = u32::try_from(argument) {
        out.push(major | 26);
        out.extend(word.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend(argument.to_be_bytes());
    }
}

pub(super) fn write_value(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), CborError> {
    match value {
        Value::Integer(integer) => write_integer(i128::from(*integer), out),
        Value::Bytes(bytes) => {
            write_head(2, bytes.len() as u64, out);
            out.extend(bytes);
            Ok(())
        }
        Value::Text(text) => {
            write_head(3, text.len() as u64, out);
            out.extend(text.as_bytes());
            Ok(())
        }
        Value::Bool(false) => {
            out.push(0xf4);
            Ok(())
        }
        Value::Bool(true) => {
            out.push(0xf5);
            Ok(())
        }
        Value::Null => {
            out.push(0xf6);
            Ok(())
        }
        Value::Array(items) => {
            let depth = deeper(depth)?;
            write_head(4, items.len() as u64, out);
            items.iter().try_for_each(|item| write_value(item, depth, out))
        }
        Value::Map(entries) => write_map(entries, deeper(depth)?, out),
        Value::Float(_) => Err(CborError::Float),
        Value::Tag(..) => Err(CborError::Tag),
        _ => Err(CborError::Simple),
    }
}

fn deeper(depth: usize) -> Result<usize, CborError> {
    if depth >= MAX_DEPTH {
        Err(CborError::TooDeep)
    } else {
        Ok(depth + 1)
    }
}

fn write_integer(integer: i128, out: &mut Vec<u8>) -> Result<(), CborError> {
    // A `Value` integer lies in -2^64 ..= 2^64 - 1, exactly what the two major types hold.
    let (major, argument) = if integer < 0 {
        (1, -1 - integer)
    } else {
        (0, integer)
    };
    let argument = u64::try_from(argument).map_err(|_| CborError::Tag)?;
    write_head(major, argument, out);
    Ok(())
}

fn write_map(entries: &[(Value, Value)], depth: usize, out: &mut Vec<u8>) -> Result<(), CborError> {
    let mut encoded = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        if !matches!(key, Value::Integer(_) | Value::Text(_) | Value::Bytes(_)) {
            return Err(CborError::KeyType);
        }
        let mut key_bytes = Vec::new();
        write_value(key, depth, &mut key_bytes)?;
        let mut value_bytes = Vec::new();
        write_value(value, depth, &mut value_bytes)?;
        encoded.push((key_bytes, value_bytes));
    }
    encoded.sort_unstable();
    if encoded.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(CborError::DuplicateKey);
    }
    write_head(5, entries.len() as u64, out);
    for (key, value) in encoded {
        out.extend(key);
        out.extend(value);
    }
    Ok(())
}
