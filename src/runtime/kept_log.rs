//! What is kept of what code prints: as much as its limit allows, with a mark where it was cut.

use std::io::{self, Write};

/// Stands in the log where it was cut.
const CUT: &str = "\n[the log ends here: it reached its limit]\n";

/// A log that is written as it comes.
pub(super) struct KeptLog<'a> {
    out: &'a mut dyn Write,
    left: u64,
    cut: bool,
    /// The beginning of a character whose other bytes have not come yet: where there is no room for them, it is not kept.
    begun: Vec<u8>,
}

impl<'a> KeptLog<'a> {
    /// Keeps at most `max` bytes, and the mark.
    pub(super) fn new(out: &'a mut dyn Write, max: u64) -> Self {
        Self {
            out,
            left: max,
            cut: false,
            begun: Vec::new(),
        }
    }

    /// Writes what still fits, and once it no longer does, says so. What follows is dropped.
    pub(super) fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.cut {
            return Ok(());
        }
        let mut bytes = [self.begun.as_slice(), bytes].concat();
        let room = usize::try_from(self.left).unwrap_or(usize::MAX);
        self.cut = bytes.len() > room;
        bytes.truncate(room);
        self.begun = bytes.split_off(whole(&bytes));
        self.write(&bytes)?;
        if self.cut {
            self.begun.clear();
            self.out.write_all(CUT.as_bytes())?;
        }
        Ok(())
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun);
        self.write(&begun)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        Ok(())
    }
}

/// How many bytes there are before a character of UTF-8 that the last few bytes only begin.
fn whole(bytes: &[u8]) -> usize {
    let first = bytes.iter().rev().take(4).position(|byte| byte >> 6 != 0b10);
    let Some(after) = first else { return bytes.len() };
    let at = bytes.len() - 1 - after;
    let width = bytes.get(at).map_or(0, |byte| byte.leading_ones()) as usize;
    if (2..=4).contains(&width) && at + width > bytes.len() {
        at
    } else {
        bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is kept of what comes in reads of so many bytes.
    fn kept(text: &[u8], read: usize, max: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut log = KeptLog::new(&mut out, max);
        for bytes in text.chunks(read) {
            log.keep(bytes).unwrap();
        }
        log.end().unwrap();
        out
    }

    #[test]
    fn a_log_that_was_cut_says_so_wherever_its_reads_end() {
        let line = b"0123456789abcdef".repeat(8 << 10);
        for read in [1 << 10, 64 << 10, line.len()] {
            for max in [64 << 10, (64 << 10) + 1, 100, 0] {
                let expected = [&line[..max], CUT.as_bytes()].concat();
                assert_eq!(kept(&line, read, max as u64), expected, "{read} {max}");
            }
            assert_eq!(kept(&line, read, line.len() as u64), line, "what fits is whole");
        }
    }

    #[test]
    fn a_log_is_not_cut_inside_a_character() {
        let text = "aä€🦀".repeat(3);
        for read in [1, 2, 3, 7, 100] {
            for max in 0..text.len() {
                let shown = String::from_utf8(kept(text.as_bytes(), read, max as u64)).unwrap();
                let before = shown.strip_suffix(CUT).unwrap();
                assert!(text.starts_with(before) && max - before.len() < 4, "{read} {max}");
            }
            assert_eq!(kept(text.as_bytes(), read, text.len() as u64), text.as_bytes());
        }
    }

    #[test]
    fn what_is_no_text_is_kept_as_it_is() {
        let bytes: Vec<u8> = (0..=255).chain([0xf0, 0x9f]).collect();
        for read in [1, 5, 300] {
            assert_eq!(kept(&bytes, read, 300), bytes, "{read}");
        }
    }
}
