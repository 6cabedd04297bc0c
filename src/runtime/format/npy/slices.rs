//! The slices of an array along its first dimension. Each is hashed in one form, however its file is written: elements in the order of
//! C, little-endian.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use blake3::Hasher;

use super::{Header, PIECE, fill, malformed};
use crate::runtime::format::FormatError;

/// Slices of an array in Fortran's order that are gathered at a time, each with a hasher of 2 KiB.
const AT_ONCE: u64 = 4096;
/// The most bytes that are read at a time, but for one element, which may be longer.
const READ_MAX: u64 = 256 << 10;
/// The most reads of an array whose elements lie apart: they take a minute or so.
const READS_MAX: u64 = 1 << 27;

/// Gives each slice as a hasher that began as `start` and has taken the slice. None of an array of one dimension, whose
/// slices are single numbers, and of one without elements.
pub fn each_slice(
    mut file: File,
    start: &Hasher,
    each: impl FnMut(Hasher) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let failed = || FormatError::io("reading the array");
    let (header, begins) = Header::read(&mut file)?;
    let length = header.data_length()?;
    // Of slices that hold nothing there can be more than anybody can count: their number costs no byte.
    if header.shape.len() < 2 || length == 0 {
        return Ok(());
    }
    let end = file.seek(SeekFrom::End(0)).map_err(failed())?;
    if begins.checked_add(length).is_none_or(|needed| needed > end) {
        return Err(malformed("it ends before its last element"));
    }
    if header.fortran_order {
        return Gathered::new(&file, &header, begins).each(start, each);
    }
    file.seek(SeekFrom::Start(begins)).map_err(failed())?;
    one_by_one(&mut BufReader::new(file), &header, start, each)
}

/// Slices that lie one behind the other.
fn one_by_one(
    source: &mut impl Read,
    header: &Header,
    start: &Hasher,
    mut each: impl FnMut(Hasher) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let slices = header.shape.first().copied().unwrap_or(0);
    let bytes = header.data_length()? / slices.max(1);
    let mut piece = vec![0; PIECE];
    for _ in 0..slices {
        let mut hasher = start.clone();
        let mut left = bytes;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let part = &mut piece[..length];
            fill(source, part)?;
            header.dtype.level(part);
            hasher.update(part);
            left -= length as u64;
        }
        each(hasher)?;
    }
    Ok(())
}

/// Slices whose elements lie apart: the first elements of all slices come first, then the second ones of all, and so on.
struct Gathered<'a> {
    file: &'a File,
    header: &'a Header,
    begins: u64,
    slices: u64,
    /// The lengths of a slice's own dimensions, but for those of length one, which place nothing.
    inner: Vec<u64>,
}

impl<'a> Gathered<'a> {
    fn new(file: &'a File, header: &'a Header, begins: u64) -> Self {
        let (slices, inner) = header.shape.split_first().unwrap_or((&0, &[]));
        Self {
            file,
            header,
            begins,
            slices: *slices,
            inner: inner.iter().copied().filter(|length| *length != 1).collect(),
        }
    }

    fn each(
        &self,
        start: &Hasher,
        mut each: impl FnMut(Hasher) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let item = self.header.dtype.item_size();
        let most = (READ_MAX / item as u64).max(1);
        let rows = self.slices.min(AT_ONCE).min(most);
        let elements: u64 = self.inner.iter().product();
        // Where each read takes in all slices, and their elements follow each other as they do in the file, it can take many.
        let together = rows == self.slices && self.inner.len() < 2;
        let run = if together { (most / rows).max(1) } else { 1 };
        let reads = self.slices.div_ceil(rows).saturating_mul(elements.div_ceil(run));
        if reads > READS_MAX {
            return Err(malformed(
                "its elements lie too far apart to be compared slice by slice; save what numpy.ascontiguousarray makes of it",
            ));
        }
        let mut buffer = Vec::new();
        for first in (0..self.slices).step_by(usize::try_from(rows).unwrap_or(usize::MAX)) {
            let here = rows.min(self.slices - first);
            let mut hashers = vec![start.clone(); usize::try_from(here).unwrap_or(usize::MAX)];
            let mut element = 0;
            while element < elements {
                let taken = run.min(elements - element);
                let place = self.place(element) * self.slices + first;
                self.read(place, taken * here, &mut buffer)?;
                for (at, bytes) in buffer.chunks_exact(item).enumerate() {
                    let row = at % hashers.len();
                    hashers[row].update(bytes);
                }
                element += taken;
            }
            hashers.into_iter().try_for_each(&mut each)?;
        }
        Ok(())
    }

    /// Which element of a slice, as they lie in the file, is this one in the order of C.
    fn place(&self, element: u64) -> u64 {
        let (mut rest, mut place) = (element, 0);
        for length in self.inner.iter().rev() {
            place = place * length + rest % length;
            rest /= length;
        }
        place
    }

    /// Reads so many elements from one on.
    fn read(&self, first: u64, count: u64, buffer: &mut Vec<u8>) -> Result<(), FormatError> {
        let item = self.header.dtype.item_size() as u64;
        buffer.resize(usize::try_from(count * item).unwrap_or(usize::MAX), 0);
        self.file
            .read_exact_at(buffer, self.begins + first * item)
            .map_err(FormatError::io("reading the array"))?;
        self.header.dtype.level(buffer);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::header;
    use super::*;

    /// An array whose element at each place is told by `value`, written in the order and type that are wanted.
    fn array(shape: &[u64], fortran_order: bool, big_endian: bool) -> File {
        let descr = if big_endian { ">u4" } else { "<u4" };
        let mut bytes = match fortran_order {
            false => header(descr, shape),
            true => Header::bytes(descr, true, shape),
        };
        let elements = shape.iter().product::<u64>();
        for at in 0..elements {
            // The places along each dimension, of the element that lies here in the file.
            let mut rest = at;
            let mut places = vec![0; shape.len()];
            let mut order: Vec<_> = (0..shape.len()).collect();
            if !fortran_order {
                order.reverse();
            }
            for dimension in order {
                places[dimension] = rest % shape[dimension];
                rest /= shape[dimension];
            }
            let value = places.iter().fold(7, |value: u64, place| value * 31 + place);
            let value = u32::try_from(value % 1_000_003).unwrap();
            bytes.extend(if big_endian {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            });
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn hashes(file: File) -> Vec<blake3::Hash> {
        let mut found = Vec::new();
        let keep = |hasher: Hasher| {
            found.push(hasher.finalize());
            Ok(())
        };
        each_slice(file, &Hasher::new_keyed(&[7; 32]), keep).unwrap();
        found
    }

    #[test]
    fn a_slice_is_the_same_however_its_file_is_written() {
        for shape in [
            &[3, 2][..],
            &[5000, 3],
            &[2, 70_000],
            &[1, 4],
            &[4, 3, 2],
            &[3, 1, 4, 1, 5],
            &[5000, 2, 3],
            &[2, 1, 1],
        ] {
            let plain = hashes(array(shape, false, false));
            assert_eq!(plain.len() as u64, shape[0]);
            let distinct: std::collections::HashSet<_> = plain.iter().collect();
            assert_eq!(distinct.len(), plain.len());
            for (fortran_order, big_endian) in [(true, false), (false, true), (true, true)] {
                assert!(
                    hashes(array(shape, fortran_order, big_endian)) == plain,
                    "{shape:?} {fortran_order} {big_endian}"
                );
            }
        }
    }

    #[test]
    fn single_numbers_and_nothing_are_no_slices() {
        for shape in [&[6][..], &[0, 3], &[3, 0], &[1 << 60, 0]] {
            for fortran_order in [false, true] {
                assert!(hashes(array(shape, fortran_order, false)).is_empty(), "{shape:?}");
            }
        }
    }

    #[test]
    fn what_claims_more_than_it_holds_or_takes_too_long_is_refused() {
        let refused = |bytes: &[u8], length: u64| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            file.set_len(bytes.len() as u64 + length).unwrap();
            file.rewind().unwrap();
            each_slice(file, &Hasher::new(), |_| Ok(()))
                .unwrap_err()
                .to_string()
        };
        for fortran_order in [false, true] {
            let claims = Header::bytes("<f8", fortran_order, &[1 << 40, 2]);
            assert!(refused(&claims, 64).contains("before its last element"));
        }
        let apart = Header::bytes("|u1", true, &[2, 1 << 20, 1 << 10]);
        assert!(refused(&apart, 1 << 31).contains("ascontiguousarray"));
    }
}
