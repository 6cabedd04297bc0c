//! Passwords: hashed with Argon2id off the arbiters, a few at a time, and verified in the same time whether an account
//! exists or not.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::blocking::off_the_arbiter;
use super::leaked_passwords::LeakedPasswords;
use super::problem::Problem;
use crate::domain::password;
use crate::domain::session::Credentials;

/// Hashes under way at once: each takes 19 MiB (OWASP's first choice for Argon2id, which is the crate's default).
const AT_ONCE: usize = 2;
/// Hashes that may wait; one more is refused.
const WAITING_MAX: usize = 64;

/// A password on its way to being hashed: wiped from memory when it is dropped, and never shown.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// A password as somebody typed it.
    pub fn new(typed: &str) -> Self {
        Self(Zeroizing::new(typed.to_owned()))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Password(..)")
    }
}

/// Hashes and verifies passwords.
#[derive(Debug)]
pub struct Passwords {
    /// The list of leaked ones, if there is one. It is opened each time, so that a newer one may take its place.
    leaked: Option<PathBuf>,
    at_once: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Passwords {
    /// With the list of leaked passwords, if there is one.
    pub fn new(leaked: Option<PathBuf>) -> Self {
        Self {
            leaked,
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            admitted: Arc::new(Semaphore::new(AT_ONCE + WAITING_MAX)),
        }
    }
}

/// What is verified where there is no account: the hash of a password that nobody has.
static NOBODYS: LazyLock<Option<String>> =
    LazyLock::new(|| hash(&data_encoding::HEXLOWER.encode(&crate::clock::random_bytes())).ok());

fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

fn fits(password: &str, hash: &str) -> bool {
    let parsed = PasswordHash::new(hash);
    parsed.is_ok_and(|parsed| {
        Argon2::default()
            .verify_password(password.as_bytes(), &parsed)
            .is_ok()
    })
}

/// Whether a password is the one that was hashed.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Whether it is.
    pub fits: bool,
    /// Its hash so far and its hash by today's parameters, where they have risen since it was chosen.
    pub anew: Option<(String, String)>,
}

fn verified(password: &str, stored: String) -> Verified {
    if !fits(password, &stored) {
        return Verified::default();
    }
    let anew = if is_of_today(&stored) {
        None
    } else {
        hash(password).ok().map(|new| (stored, new))
    };
    Verified { fits: true, anew }
}

/// Whether a hash was made with the algorithm, version and parameters that a new one is made with.
fn is_of_today(stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else {
        return false;
    };
    NOBODYS
        .as_ref()
        .and_then(|nobodys| PasswordHash::new(nobodys).ok())
        .is_none_or(|today| {
            stored.algorithm == today.algorithm
                && stored.version == today.version
                && stored.params == today.params
        })
}

impl Passwords {
    /// Hashes a new password of somebody of whom everybody knows `words`.
    ///
    /// # Errors
    /// It is too short, too long, too easily guessed or known to have leaked, or too many wait.
    pub async fn hash(&self, password: Password, words: Vec<String>) -> Result<Credentials, Problem> {
        let leaked = self.leaked.clone();
        let password_hash = self
            .run(move || {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                password::check(&password.0, &words)?;
                if let Some(path) = leaked {
                    let list = LeakedPasswords::open(&path).map_err(|error| Problem::internal(&error))?;
                    if list
                        .holds(&password.0)
                        .map_err(|error| Problem::internal(&error))?
                    {
                        return Err(password::has_leaked().into());
                    }
                }
                hash(&password.0).map_err(|error| Problem::internal(&error))
            })
            .await??;
        Ok(Credentials {
            password_hash,
            second_factor: None,
        })
    }

    /// Whether a password is the one that was hashed. Without credentials the answer is no, after the same work.
    ///
    /// # Errors
    /// Too many wait.
    pub async fn verify(
        &self,
        password: Password,
        credentials: Option<Credentials>,
    ) -> Result<Verified, Problem> {
        // No account has a longer one: nothing is given away by not hashing it.
        if password.0.len() > password::MAX {
            return Ok(Verified::default());
        }
        self.run(move || match credentials {
            Some(credentials) => verified(&password.0, credentials.password_hash.clone()),
            None => {
                let _same_work = NOBODYS.as_ref().map(|nobodys| fits(&password.0, nobodys));
                Verified::default()
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let busy = || Problem::busy("too many people sign in at the moment; try again in a few seconds");
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_full| busy())?;
        let turn = Arc::clone(&self.at_once)
            .acquire_owned()
            .await
            .map_err(|_closed| busy())?;
        // The permits go with the work: it is not cut off when its caller goes away.
        off_the_arbiter(move || {
            let done = work();
            drop((turn, admitted));
            done
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password(Zeroizing::new(text.to_owned()))
    }

    #[actix_web::test]
    async fn only_the_password_that_was_hashed_fits() {
        let passwords = Passwords::new(None);
        let right = || password("correct horse battery");
        let credentials = passwords.hash(right(), Vec::new()).await.unwrap();
        assert!(credentials.password_hash.starts_with("$argon2id$"));
        let verified = passwords
            .verify(right(), Some(credentials.clone()))
            .await
            .unwrap();
        assert!(verified.fits && verified.anew.is_none());
        let wrong = password("correct horse batterx");
        assert!(!passwords.verify(wrong, Some(credentials)).await.unwrap().fits);
        assert!(!passwords.verify(right(), None).await.unwrap().fits);
        assert!(passwords.hash(password("short"), Vec::new()).await.is_err());
    }

    #[actix_web::test]
    async fn a_password_that_has_leaked_is_refused_and_a_list_that_is_gone_lets_none_through() {
        let list = tempfile::NamedTempFile::new().unwrap();
        // SHA-1 of "correct horse battery staple", which everybody has read.
        std::fs::write(list.path(), "ABF7AAD6438836DBE526AA231ABDE2D0EEF74D42:1\n").unwrap();
        let passwords = Passwords::new(Some(list.path().to_path_buf()));
        let refused = passwords
            .hash(password("correct horse battery staple"), Vec::new())
            .await
            .unwrap_err();
        assert!(refused.detail().contains("leaked"), "{refused}");
        assert!(
            passwords
                .hash(password("kiln otter ledge moss"), Vec::new())
                .await
                .is_ok()
        );
        list.close().unwrap();
        let failed = passwords
            .hash(password("kiln otter ledge moss"), Vec::new())
            .await;
        assert_eq!(failed.unwrap_err().word(), "internal");
    }

    #[actix_web::test]
    async fn a_hash_of_lower_parameters_is_made_anew() {
        let weak = argon2::Params::new(8 * 1024, 1, 1, None).unwrap();
        let weak = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, weak);
        let stored = weak.hash_password(b"correct horse battery").unwrap().to_string();
        let credentials = Credentials {
            password_hash: stored.clone(),
            second_factor: None,
        };
        let passwords = Passwords::new(None);
        let verified = passwords.verify(password("correct horse battery"), Some(credentials));
        let (before, after) = verified.await.unwrap().anew.unwrap();
        assert_eq!(before, stored);
        assert!(is_of_today(&after) && fits("correct horse battery", &after));
    }

    #[actix_web::test]
    async fn what_is_waiting_is_bounded() {
        let passwords = Passwords::new(None);
        let _all = passwords.admitted.clone().acquire_many_owned(66).await.unwrap();
        let refused = passwords
            .verify(password("correct horse battery"), None)
            .await
            .unwrap_err();
        assert_eq!(refused.word(), "busy");
    }
}
