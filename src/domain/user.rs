//! People with an account.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::access::Role;
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

/// A person. The body holds the public part and the role; the password's hash is kept elsewhere and never travels.
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
    /// What they may do on their home node. It gives no rights on any other and does not travel.
    pub role: Role,
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
    /// Makes a user of a checked profile.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn new(profile: &Profile, role: Role) -> Result<Self, Invalid> {
        Ok(Self {
            name: text::name("name", &profile.name)?,
            email: Email::parse("email", &profile.email)?,
            institution: if profile.institution.trim().is_empty() {
                String::new()
            } else {
                text::name("institution", &profile.institution)?
            },
            website: text::url("website", &profile.website)?,
            role,
            verify_key: None,
        })
    }
}

/// The shortest password, in characters (NIST SP 800-63B asks for at least 8, and 15 where it is the only factor).
pub const PASSWORD_MIN: usize = 12;
/// The longest password, in bytes: more would only slow the hash down.
pub const PASSWORD_MAX: usize = 1024;

/// Checks a new password's length. There are no composition rules (NIST SP 800-63B §3.1.1).
///
/// # Errors
/// The password is too short or too long.
pub fn check_password(password: &str) -> Result<(), Invalid> {
    if password.chars().count() < PASSWORD_MIN {
        return Err(Invalid::new(
            "password",
            format!("must have at least {PASSWORD_MIN} characters"),
        ));
    }
    if password.len() > PASSWORD_MAX {
        return Err(Invalid::new(
            "password",
            format!("must have at most {PASSWORD_MAX} bytes"),
        ));
    }
    Ok(())
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

    #[test]
    fn passwords_have_a_length() {
        assert!(check_password("short").is_err());
        assert!(check_password("a long pass phrase").is_ok());
    }
}
