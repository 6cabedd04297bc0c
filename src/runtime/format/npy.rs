//! NumPy's array file, NEP 1: a magic string, a version, a header that is a Python dict, and the elements. Only numbers,
//! booleans and strings: never objects, which are pickles, and no structures.

mod glance;
mod sequence;
mod slices;

use std::io::{self, Read, Write};

use arrow::array::ArrowPrimitiveType;
use arrow::datatypes::Float16Type;

pub(super) use glance::glance;
pub(super) use sequence::shared_elements;
pub(super) use slices::each_slice;

use super::FormatError;
use super::sink::Sink;
use crate::domain::mock::{Element, TensorPlan};
use crate::domain::schema::Schema;

const NPY: &str = "an NPY file";
const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// NumPy's own limit on the number of dimensions is 64 since 2.0, and was 32.
const DIMENSIONS_MAX: usize = 64;
const HEADER_MAX: usize = 64 << 10;
/// Elements are written in pieces of this many bytes: a multiple of every scalar's width.
const PIECE: usize = 64 << 10;

fn malformed(problem: impl std::fmt::Display) -> FormatError {
    FormatError::malformed(NPY, problem)
}

/// What the scalars are that elements are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scalar {
    Boolean,
    Integer,
    Float,
    /// A code point of four bytes.
    Character,
    /// A byte of a byte string.
    Byte,
}

/// The type of the elements.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dtype {
    scalar: Scalar,
    /// Bytes of one scalar: what is reversed where the byte order is.
    width: usize,
    /// Scalars of one element: two of a complex number, as many as characters of a string.
    count: usize,
    big_endian: bool,
    /// NumPy's code, without the byte order: `f8`.
    code: String,
}

impl Dtype {
    fn parse(text: &str) -> Result<Self, FormatError> {
        let refused = || {
            malformed(format!(
                "elements of type {text:?} are not taken; convert them to numbers, booleans or strings (allowed are b1, \
                 i1 to i8, u1 to u8, f2 to f8, c8, c16, U and S)"
            ))
        };
        let (order, code) = text.split_at_checked(1).ok_or_else(refused)?;
        let (kind, size) = code.split_at_checked(1).ok_or_else(refused)?;
        let size: usize = size
            .parse()
            .ok()
            .filter(|size| *size > 0 && *size <= 1 << 20)
            .ok_or_else(refused)?;
        let (scalar, width, count) = match (kind, size) {
            ("b", 1) => (Scalar::Boolean, 1, 1),
            ("i" | "u", 1 | 2 | 4 | 8) => (Scalar::Integer, size, 1),
            ("f", 2 | 4 | 8) => (Scalar::Float, size, 1),
            ("c", 8 | 16) => (Scalar::Float, size / 2, 2),
            ("U", _) => (Scalar::Character, 4, size),
            ("S", _) => (Scalar::Byte, 1, size),
            _ => return Err(refused()),
        };
        let big_endian = match order {
            "<" => false,
            ">" => true,
            "|" if width == 1 => false,
            _ => return Err(refused()),
        };
        Ok(Self {
            scalar,
            width,
            count,
            big_endian,
            code: code.to_owned(),
        })
    }

    /// The type as a header writes it, in little-endian order.
    fn descr(&self) -> String {
        format!("{}{}", if self.width == 1 { '|' } else { '<' }, self.code)
    }

    fn item_size(&self) -> usize {
        self.width * self.count
    }

    /// The type as the file tells it: of strings also how many characters each has room for.
    fn told(&self) -> String {
        match self.scalar {
            Scalar::Character | Scalar::Byte => format!("{} of {}", self.name(), self.count),
            Scalar::Boolean | Scalar::Integer | Scalar::Float => self.name(),
        }
    }

    /// NumPy's name of the type.
    fn name(&self) -> String {
        let bits = self.item_size() * 8;
        match (self.scalar, self.code.as_bytes().first()) {
            (Scalar::Boolean, _) => "bool".to_owned(),
            (Scalar::Integer, Some(b'u')) => format!("uint{bits}"),
            (Scalar::Integer, _) => format!("int{bits}"),
            (Scalar::Float, Some(b'c')) => format!("complex{bits}"),
            (Scalar::Float, _) => format!("float{bits}"),
            (Scalar::Character, _) => "str".to_owned(),
            (Scalar::Byte, _) => "bytes".to_owned(),
        }
    }

    /// A scalar, or a string, as its bytes; little-endian.
    fn encode(&self, element: &Element) -> Vec<u8> {
        match (element, self.width) {
            (Element::Boolean(value), _) => vec![u8::from(*value)],
            (Element::Integer(value), width) => value.to_le_bytes()[..width].to_vec(),
            (Element::Float(value), 2) => <Float16Type as ArrowPrimitiveType>::Native::from_f64(*value)
                .to_le_bytes()
                .to_vec(),
            #[expect(clippy::cast_possible_truncation, reason = "rounded to the nearest float32")]
            (Element::Float(value), 4) => (*value as f32).to_le_bytes().to_vec(),
            (Element::Float(value), _) => value.to_le_bytes().to_vec(),
            (Element::Letters(letters), 1) => letters.as_bytes().to_vec(),
            (Element::Letters(letters), _) => {
                letters.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()
            }
        }
    }

    /// Puts scalars into the one form that they are written in, and refuses those that their type does not have.
    fn settle(&self, bytes: &mut [u8]) -> Result<(), FormatError> {
        self.level(bytes);
        for scalar in bytes.chunks_exact(self.width) {
            match self.scalar {
                Scalar::Boolean if scalar[0] > 1 => return Err(malformed("a boolean is neither 0 nor 1")),
                Scalar::Character => {
                    let code = <[u8; 4]>::try_from(scalar).map(u32::from_le_bytes).ok();
                    if code.and_then(char::from_u32).is_none() {
                        return Err(malformed("a string holds what is no character"));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes scalars little-endian, and NaN without payload bits.
    fn level(&self, bytes: &mut [u8]) {
        for scalar in bytes.chunks_exact_mut(self.width) {
            if self.big_endian {
                scalar.reverse();
            }
            if self.scalar == Scalar::Float && is_nan(scalar) {
                settle_nan(scalar);
            }
        }
    }
}

/// Bits of the exponent of IEEE 754 numbers, by width in bytes.
fn exponent(width: usize) -> (u64, u64) {
    match width {
        2 => (0x7c00, 0x03ff),
        4 => (0x7f80_0000, 0x007f_ffff),
        _ => (0x7ff0_0000_0000_0000, 0x000f_ffff_ffff_ffff),
    }
}

fn bits(scalar: &[u8]) -> u64 {
    scalar
        .iter()
        .rev()
        .fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

fn is_nan(scalar: &[u8]) -> bool {
    let (exponent, fraction) = exponent(scalar.len());
    let bits = bits(scalar);
    bits & exponent == exponent && bits & fraction != 0
}

/// The quiet NaN with nothing but its quiet bit.
fn settle_nan(scalar: &mut [u8]) {
    let (exponent, fraction) = exponent(scalar.len());
    let quiet = (exponent | (fraction + 1) >> 1).to_le_bytes();
    let width = scalar.len();
    scalar.copy_from_slice(&quiet[..width]);
}

/// What stands before the elements.
struct Header {
    dtype: Dtype,
    fortran_order: bool,
    shape: Vec<u64>,
}

impl Header {
    /// Reads a header, and the number of bytes that it took.
    fn read(source: &mut dyn Read) -> Result<(Self, u64), FormatError> {
        let mut start = [0; 8];
        fill(source, &mut start)?;
        if start[..6] != *MAGIC {
            return Err(malformed("it does not begin with NumPy's magic string"));
        }
        let mut length = [0; 4];
        let width = match start[6..] {
            [1, 0] => 2,
            [2 | 3, 0] => 4,
            _ => {
                return Err(malformed(format!(
                    "version {}.{} is not known",
                    start[6], start[7]
                )));
            }
        };
        fill(source, &mut length[..width])?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > HEADER_MAX {
            return Err(malformed(format!(
                "its header has {length} bytes; at most {HEADER_MAX} are taken"
            )));
        }
        let mut text = vec![0; length];
        fill(source, &mut text)?;
        let text = std::str::from_utf8(&text).map_err(malformed)?;
        Ok((Self::parse(text)?, (8 + width + length) as u64))
    }

    /// Parses the dict exactly as NumPy writes it. Anything else that Python would take for a dict is refused.
    fn parse(text: &str) -> Result<Self, FormatError> {
        let parsed = || {
            let rest = text.trim_end_matches([' ', '\n']).strip_prefix("{'descr': '")?;
            let (descr, rest) = rest.split_once("', 'fortran_order': ")?;
            let (fortran_order, rest) = rest.split_once(", 'shape': (")?;
            let (shape, rest) = rest.split_once(')')?;
            matches!(rest, ", }" | "}").then_some((descr, fortran_order, shape))
        };
        let (descr, fortran_order, shape) = parsed().ok_or_else(|| {
            malformed("its header is not one that NumPy writes for plain elements; objects and structures are not taken")
        })?;
        let fortran_order = match fortran_order {
            "True" => true,
            "False" => false,
            _ => return Err(malformed("fortran_order is neither True nor False")),
        };
        let lengths = shape
            .split(',')
            .map(str::trim)
            .filter(|length| !length.is_empty());
        let shape = lengths.map(|length| {
            length
                .parse::<u64>()
                .map_err(|_| malformed("its shape is no list of lengths"))
        });
        let shape: Vec<u64> = shape.collect::<Result<_, _>>()?;
        if shape.len() > DIMENSIONS_MAX {
            return Err(malformed(format!(
                "it has {} dimensions; at most {DIMENSIONS_MAX} are taken",
                shape.len()
            )));
        }
        Ok(Self {
            dtype: Dtype::parse(descr)?,
            fortran_order,
            shape,
        })
    }

    /// The number of bytes that the elements take.
    fn data_length(&self) -> Result<u64, FormatError> {
        let item = self.dtype.item_size() as u64;
        let lengths = self
            .shape
            .iter()
            .try_fold(item, |product, length| product.checked_mul(*length));
        lengths.ok_or_else(|| malformed("its shape is larger than any memory"))
    }

    /// The header in NumPy's own form, padded so that the elements begin at a multiple of 64 bytes.
    fn write(&self) -> Vec<u8> {
        Self::bytes(&self.dtype.descr(), self.fortran_order, &self.shape)
    }

    fn bytes(descr: &str, fortran_order: bool, lengths: &[u64]) -> Vec<u8> {
        let mut shape: String = lengths.iter().map(|length| format!("{length}, ")).collect();
        if shape.len() > 2 {
            shape.truncate(shape.len() - if lengths.len() == 1 { 1 } else { 2 });
        }
        let order = if fortran_order { "True" } else { "False" };
        let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}");
        let unpadded = 10 + text.len() + 1;
        text.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
        text.push('\n');
        // At most 64 lengths of 20 digits: far under what two bytes count.
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        [MAGIC.as_slice(), &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat()
    }
}

fn fill(source: &mut dyn Read, buffer: &mut [u8]) -> Result<(), FormatError> {
    source.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => malformed("it ends too early"),
        _ => FormatError::io("reading the array")(error),
    })
}

/// The header of an array in C order. `descr` is NumPy's, of the elements.
pub(super) fn header(descr: &str, shape: &[u64]) -> Vec<u8> {
    Header::bytes(descr, false, shape)
}

/// Writes a generated tensor.
pub(super) fn write_mock(plan: &TensorPlan, seed: u64, out: &mut dyn Write) -> Result<(), FormatError> {
    let failed = || FormatError::io("writing the mock");
    let letters = TensorPlan::LETTERS;
    let descr = match plan.dtype() {
        "bool" => "|b1".to_owned(),
        "int8" => "|i1".to_owned(),
        "uint8" => "|u1".to_owned(),
        "str" => format!("<U{letters}"),
        "bytes" => format!("|S{letters}"),
        number => {
            let digits = number.find(|c: char| c.is_ascii_digit()).unwrap_or(number.len());
            let (kind, bits) = number.split_at(digits);
            let bytes = bits.parse::<u32>().unwrap_or_default() / 8;
            format!("<{}{bytes}", &kind[..1])
        }
    };
    let dtype = Dtype::parse(&descr)?;
    out.write_all(&header(&descr, plan.shape())).map_err(failed())?;
    let mut out = io::BufWriter::new(out);
    for element in plan.elements(seed) {
        out.write_all(&dtype.encode(&element)).map_err(failed())?;
    }
    out.flush().map_err(failed())
}

/// Writes header and elements again, in the order that they are in, and little-endian.
pub(super) fn write_again(bytes: &[u8], sink: &mut Sink) -> Result<(), FormatError> {
    let mut source = bytes;
    let (header, _) = Header::read(&mut source)?;
    if header.data_length()? != source.len() as u64 {
        return Err(malformed("it holds more or fewer elements than its shape says"));
    }
    sink.write(&header.write())?;
    let mut piece = Vec::with_capacity(PIECE);
    for part in source.chunks(PIECE) {
        piece.clear();
        piece.extend_from_slice(part);
        header.dtype.settle(&mut piece)?;
        sink.write(&piece)?;
    }
    Ok(())
}

/// Reads the header, and compares what it says with the length of the file.
pub(super) fn inspect(
    source: &mut dyn Read,
    file_length: impl FnOnce() -> Result<u64, FormatError>,
) -> Result<Schema, FormatError> {
    let (header, header_length) = Header::read(source)?;
    if header.data_length()?.checked_add(header_length) != Some(file_length()?) {
        return Err(malformed("it holds more or fewer elements than its shape says"));
    }
    Ok(Schema::Tensor {
        dtype: header.dtype.name(),
        shape: header.shape,
    })
}

#[cfg(test)]
mod tests {
    use super::super::write_again as to_file;
    use super::*;
    use crate::domain::release::OutputFormat;

    fn file(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
        let length = u16::try_from(text.len()).unwrap().to_le_bytes();
        [MAGIC.as_slice(), &[1, 0], &length, text.as_bytes(), data].concat()
    }

    fn again(bytes: &[u8]) -> Result<Vec<u8>, FormatError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result");
        to_file(OutputFormat::Npy, bytes, &path, 1 << 20)?;
        Ok(std::fs::read(path).unwrap())
    }

    #[test]
    fn elements_keep_their_values_and_begin_aligned() {
        let data = [1.5f64, -2.0].map(f64::to_le_bytes).concat();
        let written = again(&file("<f8", "2,", &data)).unwrap();
        assert_eq!(written.len(), 64 * 2 + 16);
        assert!(written.ends_with(&data));
        assert_eq!(again(&written).unwrap(), written, "it is its own canonical form");
        assert!(written.starts_with(
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }"
        ));
    }

    #[test]
    fn big_endian_becomes_little_endian() {
        let written = again(&file(">i4", "1, 2", &[0, 0, 0, 7, 0, 0, 1, 0])).unwrap();
        assert!(written.ends_with(&[7, 0, 0, 0, 0, 1, 0, 0]));
        assert!(String::from_utf8_lossy(&written).contains("'<i4'"));
        assert!(String::from_utf8_lossy(&written).contains("(1, 2)"));
    }

    #[test]
    fn nothing_hides_in_the_payload_of_nan() {
        for (descr, nan, expected) in [
            (
                "<f8",
                0x7ff8_dead_beef_0001_u64.to_le_bytes().to_vec(),
                f64::NAN.to_le_bytes().to_vec(),
            ),
            (
                "<f4",
                0xffc0_1234_u32.to_le_bytes().to_vec(),
                f32::NAN.to_le_bytes().to_vec(),
            ),
            (
                "<f2",
                0x7e55_u16.to_le_bytes().to_vec(),
                0x7e00_u16.to_le_bytes().to_vec(),
            ),
        ] {
            assert!(
                again(&file(descr, "1,", &nan)).unwrap().ends_with(&expected),
                "{descr}"
            );
        }
        let infinity = f64::INFINITY.to_le_bytes();
        assert!(again(&file("<f8", "1,", &infinity)).unwrap().ends_with(&infinity));
    }

    #[test]
    fn objects_structures_and_lies_about_the_shape_are_refused() {
        for (descr, shape, data) in [
            ("|O", "1,", &b"\x80\x04."[..]),
            ("<M8[ns]", "1,", &[0; 8]),
            ("|V8", "1,", &[0; 8]),
            ("<f16", "1,", &[0; 16]),
            ("=f8", "1,", &[0; 8]),
            ("|U0", "1,", &[]),
            ("<f8", "2,", &[0; 8]),
            ("<f8", "1,", &[0; 9]),
            ("<f8", "18446744073709551615, 18446744073709551615", &[]),
            ("<f8", "-1,", &[]),
            ("|b1", "1,", &[2]),
            ("<U1", "1,", &[0, 0xd8, 0, 0]),
        ] {
            assert!(again(&file(descr, shape, data)).is_err(), "{descr} {shape}");
        }
        let structure = file("<f8", "1,", &[0; 8]).to_vec();
        let structure = String::from_utf8_lossy(&structure)
            .replace("'<f8'", "[('a', '<f8')]")
            .into_bytes();
        assert!(again(&structure).is_err());
        assert!(again(b"\x93NUMPY\x09\x00").is_err());
        assert!(again(&file("<f8", "1,", &[0; 8])[..40]).is_err());
    }

    #[test]
    fn a_scalar_array_and_an_empty_one_are_arrays_too() {
        assert!(String::from_utf8_lossy(&again(&file("<i8", "", &[1; 8])).unwrap()).contains("'shape': ()"));
        assert!(
            String::from_utf8_lossy(&again(&file("<i8", "0, 3", &[])).unwrap()).contains("'shape': (0, 3)")
        );
    }

    #[test]
    fn a_mock_has_the_type_that_it_was_planned_with() {
        for dtype in [
            "bool",
            "int8",
            "uint8",
            "int16",
            "uint64",
            "float16",
            "float32",
            "float64",
            "complex64",
            "complex128",
            "str",
            "bytes",
        ] {
            let plan = TensorPlan::new(dtype, &[9, 3], (None, None), 5).unwrap();
            let mut bytes = Vec::new();
            write_mock(&plan, 1, &mut bytes).unwrap();
            let expected = Schema::Tensor {
                dtype: dtype.to_owned(),
                shape: vec![5, 3],
            };
            assert_eq!(
                inspect(&mut bytes.as_slice(), || Ok(bytes.len() as u64)).unwrap(),
                expected
            );
            again(&bytes).unwrap();
        }
    }

    #[test]
    fn a_tensor_tells_its_type_and_shape() {
        let bytes = file("<c16", "2, 3", &[0; 96]);
        let schema = inspect(&mut bytes.as_slice(), || Ok(bytes.len() as u64)).unwrap();
        assert_eq!(
            schema,
            Schema::Tensor {
                dtype: "complex128".to_owned(),
                shape: vec![2, 3]
            }
        );
        assert!(inspect(&mut bytes.as_slice(), || Ok(bytes.len() as u64 - 1)).is_err());
    }
}
