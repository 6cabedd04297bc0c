//! The commands. One file per noun, each with its verbs; commands on a running node go through its REST API by the one
//! [`Client`](client::Client).
//!
//! Exit codes: see [`failure::Code`] and `docs/CLI.md`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub mod client;
pub mod failure;
mod init;
mod node;
mod password;
pub mod print;
mod profile;
mod progress;
mod serve;
mod session;
mod settings;
mod setup;
mod user;

use client::Client;
use failure::Failure;

/// Study data that may not leave its vault: two nodes, an air gap, and bundles on a stick.
#[derive(Debug, Parser)]
#[command(name = "poundlock", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// The node: its web address, or its folder where it runs on this machine
    #[arg(
        long,
        global = true,
        env = "POUNDLOCK_NODE",
        value_name = "URL|FOLDER",
        hide_env_values = true
    )]
    pub node: Option<String>,
    /// Whose session to use, for people with several accounts on one node
    #[arg(
        long,
        global = true,
        env = "POUNDLOCK_PROFILE",
        default_value = "default",
        value_name = "NAME"
    )]
    pub profile: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new node in a folder; prints the one-time token that set-up asks for
    Init(init::Arguments),
    /// Run a node until it is told to stop
    Serve(serve::Arguments),
    /// Set a new node up: make its owner's account
    Setup(setup::Arguments),
    /// Sign in, and remember the session
    Login(session::LoginArguments),
    /// Sign out
    Logout,
    /// Show who is signed in
    Whoami,
    /// People with an account
    #[command(subcommand)]
    User(user::Verb),
    /// Show or change what the owner has set
    Settings(settings::Arguments),
    /// The node itself
    #[command(subcommand)]
    Node(node::Verb),
}

/// A command on a running node: the client, and how to print.
#[derive(Debug)]
pub struct Session {
    /// Speaks to the node.
    pub client: Client,
    /// Prints what it answers.
    pub out: print::Out,
}

impl Common {
    /// The session that a command works in.
    ///
    /// # Errors
    /// No node is named, or it does not run.
    pub fn session(&self) -> Result<Session, Failure> {
        Ok(Session {
            client: Client::open(self)?,
            out: self.out(),
        })
    }

    /// How to print.
    pub fn out(&self) -> print::Out {
        print::Out { json: self.json }
    }

    /// The named node, as a folder if it is one.
    pub fn folder(&self) -> Option<PathBuf> {
        let named = self.node.as_deref()?;
        (!named.contains("://")).then(|| PathBuf::from(named))
    }
}

/// Whatever this process writes from here on is for its user alone, also what libraries create.
fn make_files_private() {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
}

/// Parses the command line and carries the command out.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match carry_out(&cli.common, cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(cli.common.json);
            failure.code().into()
        }
    }
}

fn carry_out(common: &Common, command: Command) -> Result<(), Failure> {
    match command {
        Command::Init(arguments) => init::run(common, &arguments),
        Command::Serve(arguments) => serve::run(common, &arguments),
        Command::Setup(arguments) => setup::run(common, &arguments),
        Command::Login(arguments) => session::login(common, &arguments),
        Command::Logout => session::logout(&common.session()?),
        Command::Whoami => session::whoami(&common.session()?),
        Command::User(verb) => user::run(&common.session()?, &verb),
        Command::Settings(arguments) => settings::run(&common.session()?, &arguments),
        Command::Node(verb) => node::run(&common.session()?, &verb),
    }
}

#[cfg(test)]
mod tests;
