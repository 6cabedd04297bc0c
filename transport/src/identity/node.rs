//! The secret half of an identity, and the file that keeps it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use age::secrecy::ExposeSecret;
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use rand::TryRng;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::text::{Fields, MAX_TEXT_BYTES};
use super::{IdentityError, PublicIdentity, Side};

const FIRST_LINE: &str = "# poundlock node key 1: whoever has this file can sign and read as this node";

/// A node's id, side and secret keys. Wiped from memory when dropped; prints no secret.
///
/// The file is also a valid age identity file, so stock `age -d -i` opens what was sent to this node.
pub struct NodeIdentity {
    node: Uuid,
    side: Side,
    signing: SigningKey,
    reading: age::x25519::Identity,
}

impl NodeIdentity {
    /// Makes new keys for a node.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate(node: Uuid, side: Side) -> Result<Self, IdentityError> {
        let mut seed = Zeroizing::new([0u8; 32]);
        rand::rngs::SysRng
            .try_fill_bytes(&mut seed[..])
            .map_err(|_| IdentityError::Randomness)?;
        let signing = SigningKey::from_bytes(&seed);
        Ok(Self {
            node,
            side,
            signing,
            reading: age::x25519::Identity::generate(),
        })
    }

    /// Writes the key file with mode 0600 and syncs it and its folder. An existing file is never touched.
    ///
    /// # Errors
    /// When the file exists or cannot be written; a partly written file is removed again.
    pub fn create_file(&self, path: &Path) -> Result<(), IdentityError> {
        let mut file = match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
        {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(IdentityError::Exists(path.to_owned()));
            }
            Err(source) => {
                return Err(IdentityError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let written = file
            .write_all(self.to_text().as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| crate::medium::sync_folder_of(path));
        if let Err(source) = written {
            let _ = std::fs::remove_file(path);
            return Err(IdentityError::Io {
                path: path.to_owned(),
                source,
            });
        }
        Ok(())
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When others may read the file, when it is not a regular file, or when it is damaged.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let file = File::open(path).map_err(IdentityError::io(path))?;
        let metadata = file.metadata().map_err(IdentityError::io(path))?;
        if !metadata.is_file() {
            return Err(IdentityError::Kind("a Poundlock key file"));
        }
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(IdentityError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        // The capacity keeps the secret from being copied about as the buffer grows.
        let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT_BYTES + 1));
        file.take(MAX_TEXT_BYTES as u64 + 1)
            .read_to_string(&mut text)
            .map_err(IdentityError::io(path))?;
        Self::from_text(&text)
    }

    fn from_text(text: &str) -> Result<Self, IdentityError> {
        let mut fields = Fields::open(text, FIRST_LINE, "a Poundlock key file")?;
        let node = fields.take_uuid("# node")?;
        let side = fields.take("# side")?.parse()?;
        let seed = Zeroizing::new(fields.take_hex::<32>("# signing-key")?);
        let reading = text
            .lines()
            .nth(4)
            .and_then(|line| line.parse().ok())
            .ok_or(IdentityError::Field("AGE-SECRET-KEY"))?;
        let identity = Self {
            node,
            side,
            signing: SigningKey::from_bytes(&seed),
            reading,
        };
        if *identity.to_text() != text {
            return Err(IdentityError::NotTheOneForm);
        }
        Ok(identity)
    }

    fn to_text(&self) -> Zeroizing<String> {
        let signing = Zeroizing::new(HEXLOWER.encode(self.signing.as_bytes()));
        let reading = self.reading.to_string();
        let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT_BYTES));
        let node = format!("{FIRST_LINE}\n# node = {}\n# side = {}\n", self.node, self.side);
        for part in [
            &node,
            "# signing-key = ",
            &signing,
            "\n",
            reading.expose_secret(),
            "\n",
        ] {
            text.push_str(part);
        }
        text
    }

    /// The public half, to hand to a peer. `name` is for people, `epoch` is the store's at this moment.
    ///
    /// # Errors
    /// When the name is empty, too long or could mislead on a screen.
    pub fn public(&self, name: Option<&str>, epoch: Uuid) -> Result<PublicIdentity, IdentityError> {
        PublicIdentity::sign(self, name, epoch)
    }

    /// The node's id.
    pub fn node(&self) -> Uuid {
        self.node
    }

    /// The node's side.
    pub fn side(&self) -> Side {
        self.side
    }

    /// The fingerprint of the public half.
    ///
    /// # Errors
    /// Never for keys that [`generate`](Self::generate) made; a key file made by hand may hold weak ones.
    pub fn fingerprint(&self) -> Result<crate::Fingerprint, IdentityError> {
        Ok(self.public(None, Uuid::nil())?.fingerprint())
    }

    pub(crate) fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn reading_key(&self) -> &age::x25519::Identity {
        &self.reading
    }
}

impl fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeIdentity")
            .field("node", &self.node)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}
