//! Opening an account of a stopped node again, for somebody whom nobody on the node may help.

use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::Config;
use super::stopped::{Stopped, StoppedError};
use crate::acts::accounts::{self, Recovered};
use crate::clock;
use crate::domain::session;

/// Opens the account under an address again, in one commit. Returns the token that its person chooses a new password with; it
/// is kept nowhere.
///
/// # Errors
/// The node runs, its folder or store cannot be used, or see [`accounts::recover`]. Nothing is changed then.
pub fn recover(
    root: &Path,
    config: &Config,
    email: &str,
) -> Result<(Recovered, Zeroizing<String>), StoppedError> {
    let stopped = Stopped::open(root, config)?;
    let token = Zeroizing::new(BASE64URL_NOPAD.encode(&clock::random_bytes()));
    let (email, hash) = (email.to_owned(), session::reset_token_hash(&token));
    let recovered = stopped.act(move |tx, here| accounts::recover(tx, here, &email, &hash))?;
    Ok((recovered, token))
}
