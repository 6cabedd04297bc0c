//! Seals the few secrets that a node stores, such as the password of its mail server, so that a copy of the store alone
//! gives none of them away.
//!
//! The key is an age identity in a file of its own beside the node's other keys, made when it is first needed. It is not the
//! key that bundles are read with: that one changes when keys are rotated, and what is sealed must stay readable. A sealed
//! secret is an age file (X25519, ChaCha20-Poly1305) over its purpose and the secret, so that one cannot be put in
//! another's place.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use serde_bytes::ByteBuf;
use thiserror::Error;
use zeroize::Zeroizing;

use super::node_folder::NodeFolder;
use super::whole_file::sync_folder;
use crate::domain::sealed::{Sealed, Secret};

const FILE: &str = "secrets.key";
/// The longest secret, in bytes.
pub const SECRET_MOST: usize = 8 * 1024;
const FILE_MOST: u64 = 4 * 1024;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The password of the mail server.
    MailServer,
    /// The address of somebody's incoming webhook.
    Webhook,
    /// A one-time code for a new password, until the mail with it has been sent.
    PasswordReset,
}

impl Purpose {
    fn word(self) -> &'static [u8] {
        match self {
            Self::MailServer => b"mail server\0",
            Self::Webhook => b"webhook\0",
            Self::PasswordReset => b"password reset\0",
        }
    }
}

/// A secret cannot be sealed or opened. Nothing of it is in the error.
#[derive(Debug, Error)]
pub enum SecretError {
    #[error("{} cannot be used", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} does not hold a key; put it back from a backup, or remove it and set the secrets again", .0.display())]
    NoKey(PathBuf),
    #[error("a secret has over {SECRET_MOST} bytes")]
    TooLong,
    #[error("a secret cannot be sealed")]
    Seal(#[source] age::EncryptError),
    #[error("a stored secret cannot be opened with this node's key; set it again")]
    Open,
}

/// Seals and opens secrets.
pub struct Secrets {
    path: PathBuf,
    key: OnceLock<Identity>,
    /// Held while the key is made, so that it is made once.
    making: Mutex<()>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Reads the key of a node, if it has been needed before.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub fn open(folder: &NodeFolder) -> Result<Self, SecretError> {
        let path = folder.keys().join(FILE);
        let key = read(&path)?.map_or_else(OnceLock::new, OnceLock::from);
        Ok(Self {
            path,
            key,
            making: Mutex::new(()),
        })
    }

    /// The key. If it has not been needed before it is made: its file appears whole, synced, and readable by its owner
    /// alone.
    fn key(&self) -> Result<&Identity, SecretError> {
        let _turn = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let made = make(&self.path)?;
        Ok(self.key.get_or_init(|| made))
    }

    /// Seals a secret.
    ///
    /// # Errors
    /// It is too long, or the system gives no random bytes.
    pub fn seal(&self, purpose: Purpose, secret: &Secret) -> Result<Sealed, SecretError> {
        let secret = secret.expose().as_bytes();
        if secret.len() > SECRET_MOST {
            return Err(SecretError::TooLong);
        }
        let plain = Zeroizing::new([purpose.word(), secret].concat());
        let sealed = age::encrypt(&self.key()?.to_public(), &plain).map_err(SecretError::Seal)?;
        Ok(Sealed(ByteBuf::from(sealed)))
    }

    /// Opens what was sealed for this purpose.
    ///
    /// # Errors
    /// It was sealed with another key or for another purpose, or is damaged.
    pub fn unseal(&self, purpose: Purpose, sealed: &Sealed) -> Result<Secret, SecretError> {
        let key = self.key.get().ok_or(SecretError::Open)?;
        let plain = Zeroizing::new(age::decrypt(key, &sealed.0).map_err(|_| SecretError::Open)?);
        let secret = plain.strip_prefix(purpose.word()).ok_or(SecretError::Open)?;
        let text = std::str::from_utf8(secret).map_err(|_| SecretError::Open)?;
        Ok(Secret::new(text))
    }
}

fn read(path: &Path) -> Result<Option<Identity>, SecretError> {
    let failed = |source| SecretError::Io {
        path: path.to_path_buf(),
        source,
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Zeroizing::new(String::with_capacity(256));
    file.take(FILE_MOST).read_to_string(&mut text).map_err(failed)?;
    let key = text
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-"))
        .and_then(|line| line.parse().ok());
    key.map(Some)
        .ok_or_else(|| SecretError::NoKey(path.to_path_buf()))
}

fn make(path: &Path) -> Result<Identity, SecretError> {
    let failed = |source| SecretError::Io {
        path: path.to_path_buf(),
        source,
    };
    let key = Identity::generate();
    let temporary = path.with_extension("new");
    // What a crash left is no key yet.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed)?;
    let text = key.to_string();
    file.write_all(b"# what this node's store keeps sealed is opened with this key\n")
        .and_then(|()| file.write_all(text.expose_secret().as_bytes()))
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_folder(path.parent().unwrap_or(path)))
        .map_err(failed)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::store::node_folder::PrivateData;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_with_its_key_alone() {
        let outer = tempfile::tempdir().unwrap();
        let folder = NodeFolder::create(&outer.path().join("node"), PrivateData::NotHeld).unwrap();
        let secrets = Secrets::open(&folder).unwrap();
        let path = folder.keys().join(FILE);
        assert!(
            !path.try_exists().unwrap(),
            "a node without secrets has no key for them"
        );
        let sealed = secrets
            .seal(Purpose::MailServer, &Secret::new("hunter2"))
            .unwrap();
        assert!(!sealed.0.windows(7).any(|bytes| bytes == b"hunter2"));
        let again = Secrets::open(&folder).unwrap();
        assert_eq!(
            again.unseal(Purpose::MailServer, &sealed).unwrap().expose(),
            "hunter2"
        );
        assert!(again.unseal(Purpose::Webhook, &sealed).is_err());
        let mut damaged = sealed.clone();
        *damaged.0.last_mut().unwrap() ^= 1;
        assert!(again.unseal(Purpose::MailServer, &damaged).is_err());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::remove_file(&path).unwrap();
        let other = Secrets::open(&folder).unwrap();
        assert!(other.unseal(Purpose::MailServer, &sealed).is_err());
        assert!(
            other
                .seal(Purpose::Webhook, &Secret::new("x".repeat(SECRET_MOST + 1)))
                .is_err()
        );
        fs::write(&path, "# nothing\n").unwrap();
        assert!(matches!(Secrets::open(&folder), Err(SecretError::NoKey(_))));
        assert_eq!(
            format!("{other:?} {sealed:?} {:?}", Secret::new("x")),
            "Secrets(..) Sealed(..) Secret(..)"
        );
    }
}
