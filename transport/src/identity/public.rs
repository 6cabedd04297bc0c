//! The half of an identity that the peer is given.

use std::fmt;
use std::fmt::Write as _;

use curve25519_dalek::montgomery::MontgomeryPoint;
use data_encoding::{HEXLOWER, Specification};
use ed25519_dalek::VerifyingKey;
use uuid::Uuid;

use crate::digest::Fingerprint;
use crate::signing;

use super::text::Fields;
use super::{IdentityError, NodeIdentity, Side};

/// The longest name of a node, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 64;

const FIRST_LINE: &str = "poundlock public identity 1";

/// Who a peer is and how to write to it: what one node hands to the other when pairing, as a small text.
///
/// The text is signed with the key that it names. That proves no origin, it only shows damage; what makes it
/// trustworthy is that people compare the [`Fingerprint`].
#[derive(Clone, PartialEq, Eq)]
pub struct PublicIdentity {
    node: Uuid,
    side: Side,
    name: Option<String>,
    verify: VerifyingKey,
    recipient: age::x25519::Recipient,
    recipient_bytes: [u8; 32],
    epoch: Uuid,
    reads_format: u16,
    signature: [u8; 64],
}

impl PublicIdentity {
    pub(super) fn sign(
        identity: &NodeIdentity,
        name: Option<&str>,
        epoch: Uuid,
    ) -> Result<Self, IdentityError> {
        if let Some(name) = name {
            check_name(name)?;
        }
        let recipient = identity.reading_key().to_public();
        let mut public = Self {
            node: identity.node(),
            side: identity.side(),
            name: name.map(str::to_owned),
            verify: identity.signing_key().verifying_key(),
            recipient_bytes: recipient_bytes(&recipient)?,
            recipient,
            epoch,
            reads_format: u16::from(crate::FORMAT),
            signature: [0; 64],
        };
        let hash = signing::hash(signing::IDENTITY, public.signed_text().as_bytes());
        public.signature = signing::sign(identity.signing_key(), signing::IDENTITY, &hash);
        Ok(public)
    }

    /// Reads the text that [`to_text`](Self::to_text) writes.
    ///
    /// # Errors
    /// When the text is of another kind or version, damaged, or names a weak key.
    pub fn from_text(text: &str) -> Result<Self, IdentityError> {
        let mut fields = Fields::open(text, FIRST_LINE, "a Poundlock public identity")?;
        let public = Self::from_fields(&mut fields)?;
        if public.to_text() != text {
            return Err(IdentityError::NotTheOneForm);
        }
        Ok(public)
    }

    pub(super) fn from_fields(fields: &mut Fields<'_>) -> Result<Self, IdentityError> {
        let node = fields.take_uuid("node")?;
        let side = fields.take("side")?.parse()?;
        let name = fields.take_optional("name").map(str::to_owned);
        if let Some(name) = &name {
            check_name(name)?;
        }
        let verify = VerifyingKey::from_bytes(&fields.take_hex("verify-key")?)
            .map_err(|_| IdentityError::Field("verify-key"))?;
        if verify.is_weak() {
            return Err(IdentityError::WeakKey("signing"));
        }
        let recipient: age::x25519::Recipient = fields
            .take("recipient")?
            .parse()
            .map_err(|_| IdentityError::Field("recipient"))?;
        let recipient_bytes = recipient_bytes(&recipient)?;
        let epoch = fields.take_uuid("epoch")?;
        let reads_format = fields
            .take("reads-format")?
            .parse()
            .map_err(|_| IdentityError::Field("reads-format"))?;
        let signature = fields.take_hex("signature")?;
        let public = Self {
            node,
            side,
            name,
            verify,
            recipient,
            recipient_bytes,
            epoch,
            reads_format,
            signature,
        };
        let hash = signing::hash(signing::IDENTITY, public.signed_text().as_bytes());
        if !signing::verify(&public.verify, signing::IDENTITY, &hash, &public.signature) {
            return Err(IdentityError::Signature);
        }
        Ok(public)
    }

    /// The text for the peer. At most about 600 bytes, safe to print and to paste.
    pub fn to_text(&self) -> String {
        format!("{FIRST_LINE}\n{}", self.fields())
    }

    /// The fields without the first line, for embedding in a rotation statement.
    pub(super) fn fields(&self) -> String {
        let mut text = self.signed_fields();
        let _ = writeln!(text, "signature = {}", HEXLOWER.encode(&self.signature));
        text
    }

    fn signed_text(&self) -> String {
        format!("{FIRST_LINE}\n{}", self.signed_fields())
    }

    fn signed_fields(&self) -> String {
        let mut text = format!("node = {}\nside = {}\n", self.node, self.side);
        if let Some(name) = &self.name {
            let _ = writeln!(text, "name = {name}");
        }
        let _ = writeln!(text, "verify-key = {}", HEXLOWER.encode(self.verify.as_bytes()));
        let _ = writeln!(text, "recipient = {}", self.recipient);
        let _ = writeln!(text, "epoch = {}", self.epoch);
        let _ = writeln!(text, "reads-format = {}", self.reads_format);
        text
    }

    /// The node's id.
    pub fn node(&self) -> Uuid {
        self.node
    }

    /// The node's side.
    pub fn side(&self) -> Side {
        self.side
    }

    /// A name for people, if the node gave one. Not part of the fingerprint.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The epoch of the node's store when the text was written.
    pub fn epoch(&self) -> Uuid {
        self.epoch
    }

    /// The highest bundle format that the node read when the text was written.
    pub fn reads_format(&self) -> u16 {
        self.reads_format
    }

    /// What people compare: see [`Fingerprint::groups`].
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_parts(
            self.node.as_bytes(),
            self.side.code(),
            self.verify.as_bytes(),
            &self.recipient_bytes,
        )
    }

    /// The age recipient, as stock `age` takes it.
    pub fn recipient(&self) -> String {
        self.recipient.to_string()
    }

    pub(crate) fn age_recipient(&self) -> &age::x25519::Recipient {
        &self.recipient
    }

    pub(crate) fn verify_key(&self) -> &VerifyingKey {
        &self.verify
    }

    pub(super) fn recipient_key(&self) -> &[u8; 32] {
        &self.recipient_bytes
    }
}

impl fmt::Debug for PublicIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicIdentity")
            .field("node", &self.node)
            .field("side", &self.side)
            .field("name", &self.name)
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

/// Refuses what could mislead a reader of a terminal or a page: controls, and characters that reorder or hide text.
fn check_name(name: &str) -> Result<(), IdentityError> {
    let misleading = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}')
    };
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.trim() != name || name.chars().any(misleading) {
        return Err(IdentityError::Name);
    }
    Ok(())
}

/// The X25519 key behind `age1…` (Bech32: 52 characters of 5 bits, then a checksum that age has verified).
///
/// Keys of low order are refused: whatever is encrypted to one, anybody can read, and age ends the process rather than
/// write to one.
fn recipient_bytes(recipient: &age::x25519::Recipient) -> Result<[u8; 32], IdentityError> {
    let malformed = || IdentityError::Field("recipient");
    let mut bech32 = Specification::new();
    bech32.symbols.push_str("qpzry9x8gf2tvdw0s3jn54khce6mua7l");
    let bech32 = bech32.encoding().map_err(|_| malformed())?;
    let text = recipient.to_string();
    let data = text.get("age1".len().."age1".len() + 52).ok_or_else(malformed)?;
    let key: [u8; 32] = bech32
        .decode(data.as_bytes())
        .map_err(|_| malformed())?
        .try_into()
        .map_err(|_| malformed())?;
    // A clamped scalar is a multiple of the cofactor, so it takes every point of low order to zero.
    if MontgomeryPoint(key).mul_clamped([1; 32]).as_bytes() == &[0; 32] {
        return Err(IdentityError::WeakKey("reading"));
    }
    Ok(key)
}
