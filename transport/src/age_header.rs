//! A look at the age header before age's own parser sees it.
//!
//! That parser takes time quadratic in the header's size (str4d/rage#368: 16 CPU seconds for 1 MiB), and it accepts
//! more than a bundle may hold. This scan is linear, reads at most [`MAX_HEADER_BYTES`], and lets through one shape:
//! one X25519 recipient and at most one stanza of the random "grease" that age's Rust writer adds.
//! Grammar: <https://c2sp.org/age#header>.

use std::io::{self, BufRead};

/// Longer headers are refused. Those that this crate writes have under 500 bytes.
pub(crate) const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Why an age header is not one of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgeHeaderError {
    /// No age file follows the preamble.
    #[error("no age file follows the preamble")]
    NotAge,
    /// age's text form.
    #[error("the age file is in its text form (armor), which bundles do not use")]
    Armored,
    /// An age file of another version.
    #[error("the age file is of a version that this node does not read: update this node")]
    UnknownVersion,
    /// Longer than 64 KiB.
    #[error("the age header is longer than {MAX_HEADER_BYTES} bytes")]
    TooLarge,
    /// The file ends inside the header.
    #[error("the file ends inside the age header")]
    Truncated,
    /// Not age's grammar.
    #[error("the age header is malformed")]
    Malformed,
    /// Encrypted with a passphrase.
    #[error("the age file is encrypted with a passphrase, which bundles never are")]
    Passphrase,
    /// No, or more than one, recipient.
    #[error("the age file has {0} recipients, where a bundle has one")]
    Recipients(usize),
    /// A stanza that is neither X25519 nor the one grease stanza.
    #[error("the age header has a stanza of an unknown kind: update this node")]
    UnknownStanza,
}

/// Either the header's shape or reading failed.
#[derive(Debug)]
pub(crate) enum ScanError {
    Io(io::Error),
    Header(AgeHeaderError),
}

impl From<AgeHeaderError> for ScanError {
    fn from(error: AgeHeaderError) -> Self {
        Self::Header(error)
    }
}

/// Reads the header at the start of `source` and checks its shape. Returns its length in bytes.
pub(crate) fn scan(source: &mut impl BufRead) -> Result<usize, ScanError> {
    let mut lines = Lines {
        source,
        line: Vec::new(),
        read: 0,
    };
    check_version(&mut lines)?;
    let (mut recipients, mut grease) = (0, 0);
    // A stanza's body ends with its first short line.
    let mut in_body = false;
    loop {
        let line = lines.next()?;
        if in_body {
            if line.len() > 64
                || !line
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
            {
                return Err(AgeHeaderError::Malformed.into());
            }
            in_body = line.len() == 64;
        } else if let Some(arguments) = line.strip_prefix(b"-> ") {
            let kind = arguments.split(|b| *b == b' ').next().unwrap_or_default();
            if kind == b"X25519" {
                recipients += 1;
            } else if kind == b"scrypt" {
                return Err(AgeHeaderError::Passphrase.into());
            } else if kind.ends_with(b"-grease") && grease == 0 {
                grease += 1;
            } else {
                return Err(AgeHeaderError::UnknownStanza.into());
            }
            in_body = true;
        } else if line.starts_with(b"---") {
            break;
        } else {
            return Err(AgeHeaderError::Malformed.into());
        }
    }
    if recipients == 1 {
        Ok(lines.read)
    } else {
        Err(AgeHeaderError::Recipients(recipients).into())
    }
}

fn check_version<R: BufRead>(lines: &mut Lines<'_, R>) -> Result<(), ScanError> {
    // Looked at before a whole line is asked for: other files may have none.
    let start = lines.source.fill_buf().map_err(ScanError::Io)?;
    let magic = b"age-encryption.org/";
    let common = start.len().min(magic.len());
    if start.starts_with(b"-----BEGIN AGE") {
        return Err(AgeHeaderError::Armored.into());
    }
    if start[..common] != magic[..common] {
        return Err(AgeHeaderError::NotAge.into());
    }
    if lines.next()? == b"age-encryption.org/v1" {
        Ok(())
    } else {
        Err(AgeHeaderError::UnknownVersion.into())
    }
}

struct Lines<'a, R> {
    source: &'a mut R,
    line: Vec<u8>,
    read: usize,
}

impl<R: BufRead> Lines<'_, R> {
    /// The next line without its end, which must come before the limit does.
    fn next(&mut self) -> Result<&[u8], ScanError> {
        self.line.clear();
        let left = MAX_HEADER_BYTES - self.read;
        let mut limited = io::Read::take(&mut *self.source, left as u64);
        self.read += limited.read_until(b'\n', &mut self.line).map_err(ScanError::Io)?;
        match self.line.pop() {
            Some(b'\n') => Ok(&self.line),
            _ if self.read >= MAX_HEADER_BYTES => Err(AgeHeaderError::TooLarge.into()),
            _ => Err(AgeHeaderError::Truncated.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: &str = "TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc";
    const BODY: &str = "EmECAEcKN+n/Vs9SbWiV+Hu0r+E8R77DdWYyd83nw7U";

    fn outcome(header: &str) -> Result<usize, AgeHeaderError> {
        match scan(&mut header.as_bytes()) {
            Ok(length) => Ok(length),
            Err(ScanError::Header(error)) => Err(error),
            Err(ScanError::Io(error)) => panic!("{error}"),
        }
    }

    fn header(stanzas: &str) -> String {
        format!("age-encryption.org/v1\n{stanzas}--- fgMiVLJHMlg9fW7CVG/hPS5EAU4Zeg19LyCP7SoH5nA\n")
    }

    #[test]
    fn one_recipient_with_or_without_grease_passes() {
        let recipient = format!("-> X25519 {SHARE}\n{BODY}\n");
        let plain = header(&recipient);
        assert_eq!(outcome(&plain), Ok(plain.len()));
        assert!(outcome(&header(&format!("{recipient}-> a-grease x y\n\n"))).is_ok());
        let long = format!("{recipient}-> a-grease\n{}\nAA\n", "A".repeat(64));
        assert!(outcome(&header(&long)).is_ok());
    }

    #[test]
    fn everything_else_is_named() {
        let recipient = format!("-> X25519 {SHARE}\n{BODY}\n");
        for (text, expected) in [
            (header(&recipient.repeat(2)), AgeHeaderError::Recipients(2)),
            (header(""), AgeHeaderError::Recipients(0)),
            (header("-> scrypt bA 18\nAAAA\n"), AgeHeaderError::Passphrase),
            (
                header("-> mlkem768x25519 bA\nAAAA\n"),
                AgeHeaderError::UnknownStanza,
            ),
            (
                header(&format!("{recipient}-> a-grease\n\n-> b-grease\n\n")),
                AgeHeaderError::UnknownStanza,
            ),
            (header("garbage\n"), AgeHeaderError::Malformed),
            (
                header(&format!("-> X25519 {SHARE}\n!!\n")),
                AgeHeaderError::Malformed,
            ),
            (
                "-----BEGIN AGE ENCRYPTED FILE-----\n".into(),
                AgeHeaderError::Armored,
            ),
            ("age-encryption.org/v2\n".into(), AgeHeaderError::UnknownVersion),
            ("PK".into(), AgeHeaderError::NotAge),
            ("age-enc".into(), AgeHeaderError::Truncated),
            (String::new(), AgeHeaderError::Truncated),
        ] {
            assert_eq!(outcome(&text), Err(expected), "{text}");
        }
    }

    #[test]
    fn the_scan_stops_at_the_limit() {
        for hostile in [
            format!("age-encryption.org/v1\n-> a-grease {}", "x".repeat(1 << 20)),
            format!(
                "age-encryption.org/v1\n-> a-grease\n{}",
                format!("{}\n", "A".repeat(64)).repeat(16 << 10)
            ),
        ] {
            assert_eq!(outcome(&hostile), Err(AgeHeaderError::TooLarge));
        }
    }
}
