//! Opening an account of a stopped node again, for somebody whom nobody on the node may help.

use std::io;
use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::{Config, private_data};
use crate::acts::Refusal;
use crate::acts::accounts::{self, Recovered};
use crate::clock;
use crate::domain::session;
use crate::store::engine::{Engine, EngineError};
use crate::store::migration::{MigrateError, migrate};
use crate::store::migrations::MIGRATIONS;
use crate::store::node_folder::{NodeFolder, NodeFolderError};
use crate::store::records::Here;
use crate::store::sled_engine::SledEngine;
use crate::store::writer::{TransactError, Writer, WriterLimits};

/// An account cannot be opened again.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The folder is not a node's, or others can get at it.
    #[error(transparent)]
    Folder(#[from] NodeFolderError),
    /// The store cannot be opened; a node that runs holds it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store cannot be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// There is no such account, or another can help it, or the store cannot be written.
    #[error(transparent)]
    Store(#[from] TransactError<Refusal>),
    /// The system gives no thread.
    #[error("the store cannot be written")]
    Io(#[from] io::Error),
}

/// Opens the account under an address again, in one commit. Returns the token that its person chooses a new password with; it
/// is kept nowhere.
///
/// # Errors
/// The node runs, its folder or store cannot be used, or see [`accounts::recover`]. Nothing is changed then.
pub fn recover(
    root: &Path,
    config: &Config,
    email: &str,
) -> Result<(Recovered, Zeroizing<String>), RecoverError> {
    let folder = NodeFolder::open(root, private_data(config.side))?;
    let engine: Arc<dyn Engine> = Arc::new(SledEngine::open(&folder.store())?);
    migrate(&engine, MIGRATIONS)?;
    let writer = Writer::start(engine, WriterLimits::default())?;
    let token = Zeroizing::new(BASE64URL_NOPAD.encode(&clock::random_bytes()));
    let (now, random, hash) = (
        clock::now(),
        clock::random_bytes(),
        session::reset_token_hash(&token),
    );
    let email = email.to_owned();
    let recovered = writer.transact(move |tx| -> Result<Recovered, Refusal> {
        let here = Here::at(tx, now, random)?;
        accounts::recover(tx, &here, &email, &hash)
    });
    writer.close();
    Ok((recovered?, token))
}
