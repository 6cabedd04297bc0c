//! A window of an array.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{Dtype, Header, Scalar, bits, malformed};
use crate::runtime::format::FormatError;
use crate::runtime::format::glance::{Cell, Glance, Window, down_and_across};

/// Looks at an array.
pub fn glance(mut file: &File, window: Window) -> Result<Glance, FormatError> {
    let (header, start) = Header::read(&mut file)?;
    let length = file
        .metadata()
        .map_err(FormatError::io("reading the array"))?
        .len();
    if header.data_length()?.checked_add(start) != Some(length) {
        return Err(malformed("it holds more or fewer elements than its shape says"));
    }
    let (outer, across) = down_and_across(&header.shape);
    let down: u64 = if across == 0 { 0 } else { outer.iter().product() };
    let from_column = u64::try_from(window.from_column).unwrap_or(u64::MAX).min(across);
    let to_column = from_column.saturating_add(window.columns as u64).min(across);
    let to_row = window.from.saturating_add(window.rows as u64).min(down);
    let mut rows = Vec::new();
    for row in window.from..to_row {
        let place = place_of(row, outer);
        let cells = (from_column..to_column).map(|column| {
            let element = header.element(&place, column);
            let size = header.dtype.item_size();
            let mut bytes = vec![0; size];
            file.read_exact_at(&mut bytes, start + element * size as u64)
                .map_err(FormatError::io("reading the array"))?;
            header.dtype.settle(&mut bytes)?;
            Ok(header.dtype.cell(&bytes))
        });
        rows.push((name_of(&place), cells.collect::<Result<Vec<_>, FormatError>>()?));
    }
    Ok(Glance::Array {
        dtype: header.dtype.told(),
        shape: header.shape,
        rows,
        more: to_row < down,
    })
}

/// The place of a row along the dimensions that lead down, of its number, which runs as in C.
fn place_of(row: u64, outer: &[u64]) -> Vec<u64> {
    let mut rest = row;
    let mut place: Vec<u64> = outer
        .iter()
        .rev()
        .map(|length| {
            let here = rest % length.max(&1);
            rest /= length.max(&1);
            here
        })
        .collect();
    place.reverse();
    place
}

fn name_of(place: &[u64]) -> String {
    let numbers: Vec<_> = place.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

impl Header {
    /// Which element of the file stands at a place. In an array of one dimension, or of none, the column says nothing.
    fn element(&self, place: &[u64], column: u64) -> u64 {
        let mut indices: Vec<_> = place.iter().chain([&column]).zip(&self.shape).collect();
        if self.fortran_order {
            indices.reverse();
        }
        // The shape's product fits into 64 bits, as has been checked.
        indices
            .into_iter()
            .fold(0, |at, (index, length)| at * length + index)
    }
}

impl Dtype {
    /// An element as people read it. Its bytes are little-endian.
    fn cell(&self, bytes: &[u8]) -> Cell {
        let scalars = bytes.chunks_exact(self.width);
        let text = match self.scalar {
            Scalar::Boolean => if bits(bytes) == 0 { "False" } else { "True" }.to_owned(),
            Scalar::Integer if self.code.starts_with('u') => bits(bytes).to_string(),
            Scalar::Integer => signed(bits(bytes), self.width).to_string(),
            Scalar::Float => {
                let parts: Vec<_> = scalars.map(float).collect();
                match &parts[..] {
                    [real, imaginary] if imaginary.starts_with('-') => format!("{real}{imaginary}j"),
                    [real, imaginary] => format!("{real}+{imaginary}j"),
                    parts => parts.concat(),
                }
            }
            Scalar::Character => {
                let letters = scalars.filter_map(|scalar| char::from_u32(u32::try_from(bits(scalar)).ok()?));
                letters.collect::<String>().trim_end_matches('\0').to_owned()
            }
            Scalar::Byte => {
                let filled = bytes
                    .iter()
                    .rposition(|byte| *byte != 0)
                    .map_or(0, |last| last + 1);
                bytes.get(..filled).unwrap_or_default().escape_ascii().to_string()
            }
        };
        Cell::new(&text)
    }
}

fn signed(bits: u64, width: usize) -> i64 {
    let unused = 64 - 8 * u32::try_from(width.clamp(1, 8)).unwrap_or(8);
    (bits << unused).cast_signed() >> unused
}

/// A float in the fewest digits that give the same bits again.
fn float(scalar: &[u8]) -> String {
    match *scalar {
        [a, b] => half(u16::from_le_bytes([a, b])).to_string(),
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).to_string(),
        _ => f64::from_bits(bits(scalar)).to_string(),
    }
}

/// IEEE 754 binary16: a sign, five bits of exponent, ten of fraction.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * (-24_f32).exp2(),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => {
            #[expect(clippy::cast_precision_loss, reason = "an exponent from -14 to 15 is exact")]
            let scale = ((exponent - 15) as f32).exp2();
            (1.0 + fraction / 1024.0) * scale
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    fn seen(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<(String, Vec<String>)> {
        let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
        let length = u16::try_from(text.len()).unwrap().to_le_bytes();
        let mut file = tempfile::tempfile().unwrap();
        let bytes = [
            super::super::MAGIC.as_slice(),
            &[1, 0],
            &length,
            text.as_bytes(),
            data,
        ]
        .concat();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        let window = Window {
            from: 0,
            rows: 9,
            from_column: 0,
            columns: 9,
        };
        let Glance::Array { rows, .. } = glance(&file, window).unwrap() else {
            panic!("no array");
        };
        let plain = |row: Vec<Cell>| row.into_iter().map(|cell| cell.text.unwrap()).collect();
        rows.into_iter().map(|(name, row)| (name, plain(row))).collect()
    }

    #[test]
    fn both_orders_show_the_same_array() {
        let expected = [("0", ["1", "2", "3"]), ("1", ["4", "5", "-6"])];
        let expected = expected.map(|(name, row)| (name.to_owned(), row.map(str::to_owned).to_vec()));
        assert_eq!(seen("|i1", "False", "2, 3", &[1, 2, 3, 4, 5, 250]), expected);
        assert_eq!(seen("|i1", "True", "2, 3", &[1, 4, 2, 5, 3, 250]), expected);
    }

    #[test]
    fn deeper_arrays_are_named_by_their_place() {
        let names: Vec<_> = seen("|u1", "False", "2, 2, 1", &[0, 1, 2, 3])
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["0, 0", "0, 1", "1, 0", "1, 1"]);
        assert!(seen("|u1", "False", "0, 3", &[]).is_empty());
        assert_eq!(seen("|u1", "False", "", &[7])[0].1, ["7"]);
    }

    #[test]
    fn a_list_is_read_downwards() {
        for order in ["False", "True"] {
            let rows = seen("|u1", order, "3,", &[5, 6, 7]);
            let expected = [("0", "5"), ("1", "6"), ("2", "7")];
            assert_eq!(
                rows,
                expected.map(|(name, cell)| (name.to_owned(), vec![cell.to_owned()]))
            );
        }
        assert!(seen("|u1", "False", "0,", &[]).is_empty());
    }

    #[test]
    fn every_kind_of_element_is_readable() {
        let one = |descr: &str, data: &[u8]| seen(descr, "False", "1,", data)[0].1[0].clone();
        assert_eq!(one("<f8", &0.1_f64.to_le_bytes()), "0.1");
        assert_eq!(one(">f4", &(-2.5_f32).to_be_bytes()), "-2.5");
        assert_eq!(one("<f2", &0x3c00_u16.to_le_bytes()), "1");
        assert_eq!(one("<f2", &0x0001_u16.to_le_bytes()), "0.000000059604645");
        assert_eq!(
            one(
                "<c16",
                &[1.0_f64.to_le_bytes(), (-2.0_f64).to_le_bytes()].concat()
            ),
            "1-2j"
        );
        assert_eq!(one("|b1", &[1]), "True");
        assert_eq!(one("<u8", &u64::MAX.to_le_bytes()), u64::MAX.to_string());
        assert_eq!(one("<U3", b"h\0\0\0i\0\0\0\0\0\0\0"), "hi");
        assert_eq!(one("|S4", b"a\xff\0\0"), "a\\xff");
    }
}
