//! `poundlock serve`: runs a node until it is told to stop.

mod tls;

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::middleware::{Condition, DefaultHeaders, from_fn};
use actix_web::{App, HttpServer, web};
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use super::client::ADDRESS_FILE;
use super::failure::Failure;
use super::{Common, print};
use crate::api::leaked_passwords::LeakedPasswords;
use crate::api::{self, Context, guard};
use crate::node::{self, Config, ConfigError};
use crate::pages;
use crate::store::sled_engine;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The node's folder
    folder: PathBuf,
    /// The address and port to listen on, in place of the configured one; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> Result<(), Failure> {
    start_log()?;
    end_on_panic();
    super::make_files_private();
    raise_open_files();
    let folder = arguments
        .folder
        .canonicalize()
        .map_err(|error| Failure::file(&arguments.folder, &error))?;
    let config = load(&folder, arguments.listen)?;
    actix_web::rt::System::new().block_on(serve(common.out(), &folder, config))
}

pub(super) fn load(folder: &Path, listen: Option<SocketAddr>) -> Result<Config, Failure> {
    let path = folder.join("poundlock.toml");
    let variable = |name: &str| std::env::var(name).ok();
    let mut config = Config::load(&path, variable).map_err(|error| match error {
        ConfigError::Io { ref source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Failure::failed(format!(
                "there is no node in {}; make one with: poundlock init",
                folder.display()
            ))
        }
        error => Failure::chain(&error),
    })?;
    if let Some(listen) = listen {
        config.server.listen = listen;
    }
    Ok(config)
}

async fn serve(out: print::Out, folder: &Path, config: Config) -> Result<(), Failure> {
    let server = config.server.clone();
    if let Some(leaked) = &config.passwords.leaked {
        LeakedPasswords::open(leaked).map_err(|error| Failure::chain(&error))?;
    }
    let running = node::start(folder, config)
        .await
        .map_err(|error| Failure::chain(&error))?;
    let served = answer(out, folder, &running, &server).await;
    running.stop().await;
    served
}

/// Answers until a signal says to stop. SIGTERM lets requests that are under way finish, within the configured time.
async fn answer(
    out: print::Out,
    folder: &Path,
    running: &node::Running,
    server: &node::Server,
) -> Result<(), Failure> {
    let context = web::Data::new(Context::new(running.node().clone()));
    let side = context.side;
    let encrypted = server.tls.is_some();
    let application = move || {
        App::new()
            .app_data(context.clone())
            .wrap(from_fn(guard::guarded))
            .wrap(api::headers())
            .wrap(Condition::new(encrypted, only_encrypted()))
            .configure(api::routes(side))
            .configure(pages::routes)
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let connections = usize::try_from(server.connections).unwrap_or(usize::MAX);
    let listening = HttpServer::new(application)
        .shutdown_timeout(server.stop_seconds)
        .client_request_timeout(Duration::from_secs(server.head_seconds))
        .workers(workers)
        .max_connections(connections.div_ceil(workers).max(1));
    let listening = match &server.tls {
        Some(tls) => listening.bind_rustls_0_23(server.listen, tls::configured(tls)?),
        None => listening.bind(server.listen),
    };
    let listening =
        listening.map_err(|error| Failure::failed(format!("cannot listen on {}: {error}", server.listen)))?;
    let bound = listening.addrs().first().copied().unwrap_or(server.listen);
    let address = match &server.tls {
        Some(tls) => format!("https://{}:{}", tls.name, bound.port()),
        None => format!("http://{bound}"),
    };
    let file = folder.join(ADDRESS_FILE);
    write_address(&file, &address).map_err(|error| Failure::file(&file, &error))?;
    let handle = listening.run();
    out.show(&json!({"event": "listening", "address": address}), |_| {
        format!("listening on {address}")
    })?;
    tracing::info!(%address, "the node runs");
    let served = handle.await;
    tracing::info!("the node stops");
    // A stale file only makes clients say that the node cannot be reached.
    drop(std::fs::remove_file(&file));
    served.map_err(|error| Failure::failed(format!("the server failed: {error}")))
}

/// What every answer over TLS says: never ask this host without it again, for a year.
fn only_encrypted() -> DefaultHeaders {
    DefaultHeaders::new().add(("Strict-Transport-Security", "max-age=31536000; includeSubDomains"))
}

fn write_address(file: &Path, address: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let temporary = file.with_extension("new");
    std::fs::write(&temporary, format!("{address}\n"))?;
    std::fs::rename(&temporary, file)
}

/// Takes as many descriptors as the system allows: each connection needs one, and so do files and runs.
fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the node goes on with the descriptors that it has");
    }
}

/// Logs to the standard error stream; `POUNDLOCK_LOG` chooses what, as `tracing` has it (e.g. `debug`).
fn start_log() -> Result<(), Failure> {
    let filter = match std::env::var("POUNDLOCK_LOG") {
        Ok(wanted) => EnvFilter::try_new(&wanted)
            .map_err(|error| Failure::usage(format!("POUNDLOCK_LOG does not fit: {error}")))?,
        Err(_) => EnvFilter::new("info,actix_server=warn"),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    // Fails where a log is set up already, which is as good.
    drop(subscriber.try_init());
    Ok(())
}

/// A panic ends the process, whichever thread it is on: half a node is worse than none, and its service manager starts
/// it again.
fn end_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if sled_engine::is_opening() {
            return;
        }
        tracing::error!(%panic, "the node panicked and ends; this is a bug");
        print(panic);
        std::process::abort();
    }));
}
