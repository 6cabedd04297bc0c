//! Passwords that have leaked somewhere, which whoever guesses tries first: a file that the machine's administrator gives the
//! node, so that nothing has to be asked of anybody on a network.
//!
//! The file is the list "Pwned Passwords" ordered by hash, as it can be downloaded, or one made in the same way: a line for each
//! password with the 40 upper-case hexadecimal digits of its SHA-1, after which anything may follow a colon, in ascending order. It
//! may be of any length: a look-up reads a few dozen blocks of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

/// Hexadecimal digits of a SHA-1.
const DIGITS: usize = 40;
/// The longest line, its end included: a hash, a colon, a count.
const LINE_MAX: usize = 128;

/// The file, open.
#[derive(Debug)]
pub struct LeakedPasswords {
    file: File,
    path: PathBuf,
    bytes: u64,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LeakedPasswordsError {
    /// It cannot be read.
    #[error("the list of leaked passwords {} cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// It is none of such hashes.
    #[error(
        "{} is no list of leaked passwords: byte {at} begins no line of 40 upper-case hexadecimal digits (SHA-1); take the list \
         that is ordered by hash",
        path.display()
    )]
    NotAHash {
        /// The file.
        path: PathBuf,
        /// Where the line begins.
        at: u64,
    },
    /// Its lines are not in order.
    #[error("{} is not ordered by hash: sort it with `LC_ALL=C sort`", path.display())]
    Unordered {
        /// The file.
        path: PathBuf,
    },
}

impl LeakedPasswords {
    /// Opens the file, and looks at its first line and its last.
    ///
    /// # Errors
    /// It cannot be read, holds something else, or is not in order.
    pub fn open(path: &Path) -> Result<Self, LeakedPasswordsError> {
        let failed = |source| LeakedPasswordsError::Io {
            path: path.to_path_buf(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let list = Self {
            file,
            path: path.to_path_buf(),
            bytes,
        };
        let first = list.hash_at(0)?;
        let mut near_the_end = bytes.saturating_sub(LINE_MAX as u64);
        let mut last = first;
        while let Some(begin) = list.line_from(near_the_end)? {
            last = list.hash_at(begin)?;
            near_the_end = begin + 1;
        }
        if last < first {
            return Err(LeakedPasswordsError::Unordered {
                path: path.to_path_buf(),
            });
        }
        Ok(list)
    }

    /// Whether a password stands in the list. Blocks while the file is read.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else where the password would stand.
    pub fn holds(&self, password: &str) -> Result<bool, LeakedPasswordsError> {
        let digest = data_encoding::HEXUPPER.encode(&Sha1::digest(password.as_bytes()));
        let digest = digest.as_bytes();
        // If there is such a line, it begins in this span.
        let (mut low, mut high) = (0, self.bytes);
        while low < high {
            let middle = low + (high - low) / 2;
            let Some(begin) = self.line_from(middle)?.filter(|begin| *begin < high) else {
                high = middle;
                continue;
            };
            match self.hash_at(begin)?.as_slice().cmp(digest) {
                std::cmp::Ordering::Less => low = begin + 1,
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }

    /// Where the first line begins that does so at a byte or behind it; none behind the last.
    fn line_from(&self, at: u64) -> Result<Option<u64>, LeakedPasswordsError> {
        if at == 0 {
            return Ok((self.bytes > 0).then_some(0));
        }
        let before = at - 1;
        let mut block = [0; LINE_MAX];
        let read = self.read(&mut block, before)?;
        let end = block.iter().take(read).position(|byte| *byte == b'\n');
        match end {
            Some(end) => {
                let begin = at + u64::try_from(end).unwrap_or(u64::MAX);
                Ok((begin < self.bytes).then_some(begin))
            }
            None if read < LINE_MAX => Ok(None),
            None => Err(self.not_a_hash(at)),
        }
    }

    fn hash_at(&self, begin: u64) -> Result<[u8; DIGITS], LeakedPasswordsError> {
        let mut line = [0; DIGITS + 1];
        let read = self.read(&mut line, begin)?;
        let (hash, behind) = line.split_first_chunk().ok_or_else(|| self.not_a_hash(begin))?;
        let is_hex = hash
            .iter()
            .all(|digit| digit.is_ascii_digit() || (b'A'..=b'F').contains(digit));
        let ends = read == DIGITS || matches!(behind, [b':' | b'\r' | b'\n']);
        if read < DIGITS || !is_hex || !ends {
            return Err(self.not_a_hash(begin));
        }
        Ok(*hash)
    }

    /// Fills a block from a place, as far as the file goes.
    fn read(&self, block: &mut [u8], from: u64) -> Result<usize, LeakedPasswordsError> {
        let mut filled = 0;
        while filled < block.len() {
            let at = from + u64::try_from(filled).unwrap_or(u64::MAX);
            let rest = block.get_mut(filled..).unwrap_or_default();
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(LeakedPasswordsError::Io {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
        Ok(filled)
    }

    fn not_a_hash(&self, at: u64) -> LeakedPasswordsError {
        LeakedPasswordsError::NotAHash {
            path: self.path.clone(),
            at,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(passwords: &[String], ending: &str) -> tempfile::NamedTempFile {
        let mut lines: Vec<_> = passwords
            .iter()
            .enumerate()
            .map(|(n, password)| {
                let hash = data_encoding::HEXUPPER.encode(&Sha1::digest(password.as_bytes()));
                format!("{hash}:{}{ending}", n * 977)
            })
            .collect();
        lines.sort();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.concat()).unwrap();
        file
    }

    #[test]
    fn a_known_hash_is_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // SHA-1 of "password" and of the empty text: RFC 3174's algorithm, values known from everywhere.
        let lines = "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\nDA39A3EE5E6B4B0D3255BFEF95601890AFD80709:1\r\n";
        std::fs::write(file.path(), lines).unwrap();
        let list = LeakedPasswords::open(file.path()).unwrap();
        assert!(list.holds("password").unwrap());
        assert!(list.holds("").unwrap());
        assert!(!list.holds("Password").unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn what_stands_in_it_is_found_and_nothing_else(count in 1_usize..200, ends in any::<bool>()) {
            let leaked: Vec<_> = (0..count).map(|n| format!("leaked {n}")).collect();
            let file = list(&leaked, if ends { "\r\n" } else { "\n" });
            if !ends {
                // The last line may lack its end.
                let text = std::fs::read_to_string(file.path()).unwrap();
                std::fs::write(file.path(), text.trim_end()).unwrap();
            }
            let list = LeakedPasswords::open(file.path()).unwrap();
            for n in 0..count {
                let (leaked, kept) = (format!("leaked {n}"), format!("kept {n}"));
                prop_assert!(list.holds(&leaked).unwrap());
                prop_assert!(!list.holds(&kept).unwrap());
            }
        }
    }

    #[test]
    fn another_file_is_refused_when_it_is_opened() {
        let refused = |text: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            LeakedPasswords::open(file.path()).unwrap_err().to_string()
        };
        let (low, high) = ("0".repeat(40), "F".repeat(40));
        assert!(refused("").contains("byte 0"));
        assert!(refused("password\nhunter2\n").contains("byte 0"));
        assert!(refused(&format!("{}:1\n", "a".repeat(40))).contains("upper-case"));
        assert!(refused(&format!("{high}:1\n{low}:1\n")).contains("LC_ALL=C sort"));
        assert!(refused(&format!("{low}:1\n{}", "x".repeat(300))).contains("no line"));
        assert!(LeakedPasswords::open(Path::new("/nonexistent")).is_err());
    }
}
