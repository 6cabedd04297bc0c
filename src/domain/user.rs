//! People with an account.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::signature::VerifyKey;
use super::text::{self, Invalid};

/// An e-mail address, valid in form. Compared without regard to case, kept as its owner wrote it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// Checks an address as RFC 5321 has it (the parser is lettre's, which the mail itself will use).
    ///
    /// # Errors
    /// The address is empty, too long or not of the form `name@domain`.
    pub fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.len() > 254 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Invalid::new(
                field,
                "must be an e-mail address of at most 254 characters",
            ));
        }
        text.parse::<lettre::Address>()
            .map_err(|_| Invalid::new(field, "must be an e-mail address such as ada@example.org"))?;
        Ok(Self(text.to_owned()))
    }

    /// The address as its owner wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which two addresses count as the same.
    pub fn folded(&self) -> String {
        text::folded(&self.0)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Email({})", self.0)
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for Email {}

/// A person: the public part. What they may do on a node is their [`Account`](super::account::Account), and the password's
/// hash is kept elsewhere; neither travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// How the person is called.
    pub name: String,
    /// Where mail reaches them; unique on their home node.
    pub email: Email,
    /// Where they work; may be empty.
    pub institution: String,
    /// Their page; may be empty.
    pub website: String,
    /// The public half of the key that they sign with, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_key: Option<VerifyKey>,
}

/// What a person says of themselves, before it is checked.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// How they want to be called.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their institution, or nothing.
    pub institution: String,
    /// Their web page, or nothing.
    pub website: String,
}

impl User {
    /// The same person with another profile. What else the person has stays.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn with_profile(&self, profile: &Profile) -> Result<Self, Invalid> {
        Ok(Self {
            verify_key: self.verify_key,
            ..Self::new(profile)?
        })
    }

    /// Makes a user of a checked profile.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn new(profile: &Profile) -> Result<Self, Invalid> {
        Ok(Self {
            name: text::name("name", &profile.name)?,
            email: Email::parse("email", &profile.email)?,
            institution: if profile.institution.trim().is_empty() {
                String::new()
            } else {
                text::name("institution", &profile.institution)?
            },
            website: text::url("website", &profile.website)?,
            verify_key: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_compare_without_case() {
        let one = Email::parse("email", "Ada@Example.org").unwrap();
        assert_eq!(one, Email::parse("email", "ada@example.ORG").unwrap());
        assert_eq!(one.as_str(), "Ada@Example.org");
        for wrong in [
            "",
            "ada",
            "ada@",
            "a b@example.org",
            "ada@example.org\nBcc: x@y.z",
        ] {
            assert!(Email::parse("email", wrong).is_err(), "{wrong:?}");
        }
    }
}
