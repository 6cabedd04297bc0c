//! Looking at a bundle where it lies, without taking it.

use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::age_header::{self, AgeHeaderError, ScanError};
use crate::digest::BundleHash;
use crate::header::Header;
use crate::identity::{NodeIdentity, PublicIdentity};
use crate::medium::open_foreign;
use crate::preamble::{PREAMBLE_BYTES, Preamble, PreambleError, read_start};
use crate::receive::{VerifyError, find_signer, hash_bundle};
use crate::unpack::{UnpackError, read_header};

/// What anybody can see of a bundle. Nothing vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    /// The format's number.
    pub format: u8,
    /// The file's size in bytes.
    pub size: u64,
}

/// Whose signature holds on a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The file's size in bytes.
    pub size: u64,
    /// What was signed.
    pub hash: BundleHash,
    /// Who signed it.
    pub signer: PublicIdentity,
}

/// Why a file cannot be inspected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// Reading failed.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a bundle of a format that this node reads.
    #[error(transparent)]
    Preamble(#[from] PreambleError),
    /// The age header is not a bundle's.
    #[error(transparent)]
    AgeHeader(#[from] AgeHeaderError),
    /// No given identity signed it.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The header cannot be read with this key.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

impl InspectError {
    fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Reads the preamble and the age header, at most 64 KiB and a few buffers' worth. Needs no key.
///
/// # Errors
/// When the file is no bundle.
pub fn inspect(path: &Path) -> Result<Inspection, InspectError> {
    let io = InspectError::io(path);
    let mut file = open_foreign(path).map_err(&io)?;
    let size = file.metadata().map_err(&io)?.len();
    Preamble::parse(&read_start(&mut file).map_err(&io)?)?;
    file.seek(SeekFrom::Start(PREAMBLE_BYTES as u64)).map_err(&io)?;
    match age_header::scan(&mut BufReader::new(&file)) {
        Ok(_) => Ok(Inspection {
            format: crate::FORMAT,
            size,
        }),
        Err(ScanError::Io(e)) => Err(io(e)),
        Err(ScanError::Header(e)) => Err(e.into()),
    }
}

/// Reads the whole file and says which of `identities` signed it. Needs no secret key.
///
/// This says what lies there now; a medium may give something else next time. To take a bundle in, use
/// [`receive`](crate::receive()).
///
/// # Errors
/// When the file is no bundle, or none of them signed it.
pub fn check_signature(path: &Path, identities: &[&PublicIdentity]) -> Result<Signed, InspectError> {
    let io = InspectError::io(path);
    let file = open_foreign(path).map_err(&io)?;
    let size = file.metadata().map_err(&io)?.len();
    let hashed = hash_bundle(&file, size).map_err(&io)??;
    let signer = find_signer(&hashed.hash, &hashed.signature, identities)?.clone();
    Ok(Signed {
        size: hashed.size,
        hash: hashed.hash,
        signer,
    })
}

/// Decrypts the header alone, reading at most 2 MiB. **Nothing vouches for it**: the signature is not checked, since
/// that takes the whole file.
///
/// # Errors
/// When the file is no bundle for this node, or its start is damaged.
pub fn inspect_header(path: &Path, node: &NodeIdentity) -> Result<Header, InspectError> {
    inspect(path)?;
    let file = open_foreign(path).map_err(InspectError::io(path))?;
    Ok(read_header(&file, node)?)
}
