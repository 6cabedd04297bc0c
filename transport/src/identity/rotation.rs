//! Moving a node to new keys.

use data_encoding::HEXLOWER;

use crate::digest::Fingerprint;
use crate::signing;

use super::text::Fields;
use super::{IdentityError, NodeIdentity, PublicIdentity};

const FIRST_LINE: &str = "poundlock key rotation 1";

/// Says that a node has new keys, signed by the old key and by the new one.
///
/// The old key's signature shows that the node itself says so, the new key's that it holds what it announces. Neither
/// replaces comparing the new fingerprint by voice: whoever stole the old key could have signed too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationStatement {
    old: Fingerprint,
    new: PublicIdentity,
    by_old: [u8; 64],
    by_new: [u8; 64],
}

impl RotationStatement {
    /// States that `old` becomes `new`; `announced` is the public half of `new`.
    ///
    /// # Errors
    /// When node or side differ, when a key stays the same, or when `announced` is not `new`'s.
    pub fn sign(
        old: &NodeIdentity,
        new: &NodeIdentity,
        announced: PublicIdentity,
    ) -> Result<Self, IdentityError> {
        if announced.fingerprint() != new.fingerprint()? {
            return Err(IdentityError::OtherIdentity);
        }
        let old_public = old.public(None, announced.epoch())?;
        check_change(&old_public, &announced)?;
        let mut statement = Self {
            old: old_public.fingerprint(),
            new: announced,
            by_old: [0; 64],
            by_new: [0; 64],
        };
        let text = statement.signed_text();
        let hash = |context| signing::hash(context, text.as_bytes());
        let by_old = signing::sign(
            old.signing_key(),
            signing::ROTATION_OLD,
            &hash(signing::ROTATION_OLD),
        );
        let by_new = signing::sign(
            new.signing_key(),
            signing::ROTATION_NEW,
            &hash(signing::ROTATION_NEW),
        );
        (statement.by_old, statement.by_new) = (by_old, by_new);
        Ok(statement)
    }

    /// Reads the text that [`to_text`](Self::to_text) writes. This checks its form only: see
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// When the text is of another kind or version, or damaged.
    pub fn from_text(text: &str) -> Result<Self, IdentityError> {
        let mut fields = Fields::open(text, FIRST_LINE, "a Poundlock key rotation")?;
        let old = Fingerprint::from_bytes(fields.take_hex("old-fingerprint")?);
        let new = PublicIdentity::from_fields(&mut fields)?;
        let by_old = fields.take_hex("signature-old")?;
        let by_new = fields.take_hex("signature-new")?;
        let statement = Self {
            old,
            new,
            by_old,
            by_new,
        };
        if statement.to_text() != text {
            return Err(IdentityError::NotTheOneForm);
        }
        Ok(statement)
    }

    /// The text for the peer.
    pub fn to_text(&self) -> String {
        format!(
            "{}signature-old = {}\nsignature-new = {}\n",
            self.signed_text(),
            HEXLOWER.encode(&self.by_old),
            HEXLOWER.encode(&self.by_new)
        )
    }

    /// Checks both signatures against the identity that is paired now, and returns the one to pair with instead.
    ///
    /// # Errors
    /// When the statement is about other keys than `old`'s, or a signature does not hold.
    pub fn verify(&self, old: &PublicIdentity) -> Result<PublicIdentity, IdentityError> {
        if self.old != old.fingerprint() {
            return Err(IdentityError::OtherIdentity);
        }
        check_change(old, &self.new)?;
        let text = self.signed_text();
        let holds = |key, context, signature| {
            signing::verify(key, context, &signing::hash(context, text.as_bytes()), signature)
        };
        if holds(old.verify_key(), signing::ROTATION_OLD, &self.by_old)
            && holds(self.new.verify_key(), signing::ROTATION_NEW, &self.by_new)
        {
            Ok(self.new.clone())
        } else {
            Err(IdentityError::Signature)
        }
    }

    fn signed_text(&self) -> String {
        format!(
            "{FIRST_LINE}\nold-fingerprint = {}\n{}",
            self.old,
            self.new.fields()
        )
    }
}

fn check_change(old: &PublicIdentity, new: &PublicIdentity) -> Result<(), IdentityError> {
    let same_node = old.node() == new.node() && old.side() == new.side();
    let new_keys = old.verify_key() != new.verify_key() && old.recipient_key() != new.recipient_key();
    if same_node && new_keys {
        Ok(())
    } else {
        Err(IdentityError::NotARotation)
    }
}
