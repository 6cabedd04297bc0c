//! What gzip unpacks to, within limits: a bomb must not fill the disk.

use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::UnpackError;
use crate::domain::archive::{Fault, Limits};

const BUFFER: usize = 64 << 10;

/// The unpacked bytes of gzip members one after the other, as RFC 1952 §2.2 has it. The first failure is kept, and comes again.
pub(super) struct Unpacked<'a> {
    decoder: MultiGzDecoder<BufReader<Packed<'a>>>,
    packed: Rc<Cell<u64>>,
    lost: Rc<Cell<Option<io::Error>>>,
    unpacked: u64,
    limits: Limits,
}

/// The packed bytes, counted. An error of the source is kept apart from those of the format.
struct Packed<'a> {
    source: &'a mut dyn Read,
    count: Rc<Cell<u64>>,
    lost: Rc<Cell<Option<io::Error>>>,
}

impl Read for Packed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.source.read(buffer) {
            Ok(count) => {
                self.count.set(self.count.get() + count as u64);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let told = error.kind().into();
                self.lost.set(Some(error));
                Err(told)
            }
        }
    }
}

impl<'a> Unpacked<'a> {
    pub(super) fn of(source: &'a mut dyn Read, limits: &Limits) -> Self {
        let (packed, lost) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(None)));
        let counted = Packed {
            source,
            count: packed.clone(),
            lost: lost.clone(),
        };
        Self {
            decoder: MultiGzDecoder::new(BufReader::with_capacity(BUFFER, counted)),
            packed,
            lost,
            unpacked: 0,
            limits: *limits,
        }
    }

    /// Reads some bytes; none at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, UnpackError> {
        let count = loop {
            match self.decoder.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.explain(&error)),
                Ok(count) => break count,
            }
        };
        self.unpacked += count as u64;
        let Limits {
            unpacked_bytes,
            ratio,
            ratio_from_bytes,
            ..
        } = self.limits;
        if self.unpacked > unpacked_bytes {
            return Err(Fault::TooLarge(unpacked_bytes).of_archive().into());
        }
        // What is read ahead counts as packed, which is in the archive's favour by one buffer.
        if self.unpacked > ratio_from_bytes && self.unpacked / ratio > self.packed.get() {
            return Err(Fault::Ratio(ratio).of_archive().into());
        }
        Ok(count)
    }

    fn explain(&self, error: &io::Error) -> UnpackError {
        if let Some(lost) = self.lost.take() {
            return UnpackError::Source(lost);
        }
        let fault = match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Truncated,
            _ => Fault::Damaged(format!("{error}")),
        };
        fault.of_archive().into()
    }
}
