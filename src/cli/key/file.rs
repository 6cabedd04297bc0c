//! The file that holds a person's secret key, in the shape of the node's own: `field = value`, one per line, in a fixed order.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use rand::TryRng;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::domain::signature::{SignatureBytes, Statement, VerifyKey};

const FIRST_LINE: &str = "# poundlock signing key 1: whoever has this file can sign as its owner";
/// Larger than any such file is.
const LENGTH_MAX: usize = 4096;

/// A secret key. Wiped from memory when it is dropped; it is written to its file and nowhere else.
pub(in crate::cli) struct KeyFile(SigningKey);

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "KeyFile({})", self.public())
    }
}

impl KeyFile {
    /// Makes a key and writes it with mode 0600. An existing file is never touched.
    pub(in crate::cli) fn create(path: &Path) -> Result<Self, Failure> {
        let mut seed = Zeroizing::new([0u8; 32]);
        rand::rngs::SysRng
            .try_fill_bytes(&mut seed[..])
            .map_err(|_| Failure::failed("the system gave no random bytes for a new key"))?;
        let key = Self(SigningKey::from_bytes(&seed));
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::failed(format!(
                "{} exists already; keys are never overwritten",
                path.display()
            )),
            _ => Failure::file(path, &error),
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        let written = file
            .write_all(key.text().as_bytes())
            .and_then(|()| file.sync_all());
        if let Err(error) = written {
            let _half = std::fs::remove_file(path);
            return Err(Failure::file(path, &error));
        }
        Ok(key)
    }

    /// Reads a key's file. One that others may read is refused.
    pub(in crate::cli) fn load(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::file(path, &error);
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(not_a_key(path));
        }
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Failure::failed(format!(
                "{} may be read by others (mode {mode:03o}): run chmod 600 on it, and consider the key exposed",
                path.display()
            )));
        }
        // The capacity keeps the secret from being copied about as the buffer grows.
        let mut text = Zeroizing::new(String::with_capacity(LENGTH_MAX + 1));
        file.take(LENGTH_MAX as u64 + 1)
            .read_to_string(&mut text)
            .map_err(failed)?;
        Self::from_text(&text).ok_or_else(|| not_a_key(path))
    }

    /// The key in a text that is to the letter what [`text`](Self::text) writes.
    fn from_text(text: &str) -> Option<Self> {
        let digits = text.lines().nth(2)?.strip_prefix("signing-key = ")?.as_bytes();
        let mut seed = Zeroizing::new([0; 32]);
        if HEXLOWER.decode_len(digits.len()) != Ok(32) || HEXLOWER.decode_mut(digits, &mut seed[..]) != Ok(32)
        {
            return None;
        }
        let key = Self(SigningKey::from_bytes(&seed));
        (*key.text() == text).then_some(key)
    }

    fn text(&self) -> Zeroizing<String> {
        let digits = Zeroizing::new(HEXLOWER.encode(self.0.as_bytes()));
        let mut text = Zeroizing::new(String::with_capacity(LENGTH_MAX));
        let public = format!("{FIRST_LINE}\nverify-key = {}\nsigning-key = ", self.public());
        for part in [public.as_str(), digits.as_str(), "\n"] {
            text.push_str(part);
        }
        text
    }

    /// The public half.
    pub(in crate::cli) fn public(&self) -> VerifyKey {
        VerifyKey::from(&self.0)
    }

    /// Signs a statement.
    pub(in crate::cli) fn sign(&self, statement: &Statement) -> SignatureBytes {
        statement.sign(&self.0)
    }
}

fn not_a_key(path: &Path) -> Failure {
    Failure::failed(format!(
        "{} is no Poundlock signing key, or it was changed; make one with: poundlock key new FILE",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sam.key");
        let made = KeyFile::create(&path).unwrap();
        let read = KeyFile::load(&path).unwrap();
        assert_eq!(made.public(), read.public());
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(
            KeyFile::create(&path)
                .unwrap_err()
                .to_string()
                .contains("never overwritten")
        );
        assert!(!format!("{made:?}").contains(&*HEXLOWER.encode(made.0.as_bytes())));
    }

    #[test]
    fn a_file_that_others_may_read_or_that_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sam.key");
        let _made = KeyFile::create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(KeyFile::load(&path).unwrap_err().to_string().contains("mode 640"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let other = text.replace("verify-key = ", "verify-key = 00");
        for changed in [
            format!("{text}\n"),
            text[..text.len() - 2].to_owned(),
            other,
            String::new(),
        ] {
            std::fs::write(&path, changed).unwrap();
            assert!(
                KeyFile::load(&path)
                    .unwrap_err()
                    .to_string()
                    .contains("no Poundlock signing key")
            );
        }
        assert!(KeyFile::load(folder.path()).is_err());
    }
}
