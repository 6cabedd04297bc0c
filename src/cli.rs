//! The commands. One file per noun, each with its verbs; commands on a running node go through its REST API by the one
//! [`Client`].
//!
//! Exit codes: see [`failure::Code`] and `docs/CLI.md`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, FromArgMatches, Parser, Subcommand};

mod account;
mod asset;
mod audit;
mod backup;
mod bundle;
mod call;
pub mod client;
mod code;
mod dataset;
mod deliver;
pub mod failure;
mod filters;
mod group;
mod init;
mod input;
mod key;
mod medium;
mod names;
mod node;
mod notifications;
mod offer;
mod pair;
mod password;
mod plain;
pub mod print;
mod profile;
mod progress;
mod project;
mod recover;
mod release;
mod request;
mod restore;
mod review;
mod role;
mod rule;
mod run;
mod sandbox;
mod serve;
mod session;
mod settings;
mod setup;
mod signing;
mod tree;
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
    /// Who vouches for the node's certificate, where no public authority does: certificates in PEM
    #[arg(
        long,
        global = true,
        env = "POUNDLOCK_CA_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub ca_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new node in a folder; prints the one-time token that set-up asks for
    Init(init::Arguments),
    /// Run a node until it is told to stop
    Serve(serve::Arguments),
    /// Copy a node, while it runs or not, into a folder that it can be restored from
    Backup(backup::BackupArguments),
    /// Put a node back from a backup; or tell a node that its folder was put back from a copy
    Restore(restore::Arguments),
    /// Look whether a backup, or a node that does not run, is whole
    Check(backup::CheckArguments),
    /// Let somebody into their account again whom nobody on the node may help; for whoever runs the machine
    Recover(recover::Arguments),
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
    /// Your password: change it, or choose a new one where it is forgotten
    #[command(subcommand)]
    Password(account::PasswordVerb),
    /// Where you are signed in
    #[command(subcommand)]
    Session(account::SessionVerb),
    /// Codes of an authenticator, beside the password
    #[command(subcommand)]
    SecondFactor(account::SecondFactorVerb),
    /// Named sets of permissions
    #[command(subcommand)]
    Role(role::Verb),
    /// Groups of people, which datasets name
    #[command(subcommand)]
    Group(group::Verb),
    /// What the owner has set
    #[command(subcommand)]
    Settings(settings::Verb),
    /// The node itself
    #[command(subcommand)]
    Node(node::Verb),
    /// What you are told, and how
    #[command(subcommand)]
    Notifications(notifications::Verb),
    /// Whether this machine can run code safely
    #[command(subcommand)]
    Sandbox(sandbox::Verb),
    /// The catalogue of datasets
    #[command(subcommand)]
    Dataset(dataset::Verb),
    /// The tables and tensors of a dataset
    #[command(subcommand)]
    Asset(asset::Verb),
    /// The frame of a collaboration
    #[command(subcommand)]
    Project(project::Verb),
    /// Source code with its policies
    #[command(subcommand)]
    Code(code::Verb),
    /// What scientists ask for, and owners decide on
    #[command(subcommand)]
    Request(request::Verb),
    /// Keys to sign code and requests with
    #[command(subcommand)]
    Key(key::Verb),
    /// Rules that decide on requests to see
    #[command(subcommand)]
    Rule(rule::Verb),
    /// Runs of code
    #[command(subcommand)]
    Run(run::Verb),
    /// Let whoever asked for a run have one part of it
    Release(release::ReleaseArguments),
    /// Download what was released
    Download(release::DownloadArguments),
    /// Call code: fetch its newest released result, or learn what has become of its request
    Call(call::Arguments),
    /// Pairing with nodes on the other side
    #[command(subcommand)]
    Pair(pair::Verb),
    /// Bundles: what goes out and what comes in
    #[command(subcommand)]
    Bundle(bundle::Verb),
    /// Review what came in from a peer
    Review(review::Arguments),
    /// The chain of what was done
    #[command(subcommand)]
    Audit(audit::Verb),
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
    let offered = offer::command(std::env::args_os(), std::env::var_os("POUNDLOCK_NODE"));
    let cli = Cli::from_arg_matches(&offered.get_matches()).unwrap_or_else(|error| error.exit());
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
        Command::Backup(arguments) => backup::backup(common, &arguments),
        Command::Restore(arguments) => restore::run(common, &arguments),
        Command::Check(arguments) => backup::run_check(common, &arguments),
        Command::Recover(arguments) => recover::run(common, &arguments),
        Command::Setup(arguments) => setup::run(common, &arguments),
        Command::Login(arguments) => session::login(common, &arguments),
        Command::Logout => session::logout(&common.session()?),
        Command::Whoami => session::whoami(&common.session()?),
        Command::User(verb) => user::run(&common.session()?, &verb),
        Command::Password(verb) => account::password(&common.session()?, &verb),
        Command::Session(verb) => account::sessions(&common.session()?, &verb),
        Command::SecondFactor(verb) => account::second_factor(&common.session()?, &verb),
        Command::Role(verb) => role::run(&common.session()?, &verb),
        Command::Group(verb) => group::run(&common.session()?, &verb),
        Command::Settings(verb) => settings::run(&common.session()?, &verb),
        Command::Node(verb) => node::run(&common.session()?, &verb),
        Command::Notifications(verb) => notifications::run(&common.session()?, &verb),
        Command::Sandbox(verb) => sandbox::run(common, &verb),
        Command::Dataset(verb) => dataset::run(&common.session()?, &verb),
        Command::Asset(verb) => asset::run(&common.session()?, &verb),
        Command::Project(verb) => project::run(&common.session()?, &verb),
        Command::Code(verb) => code::run(&common.session()?, &verb),
        Command::Request(verb) => request::run(&common.session()?, &verb),
        Command::Key(verb) => key::run(common, &verb),
        Command::Rule(verb) => rule::run(&common.session()?, &verb),
        Command::Run(verb) => run::run(&common.session()?, &verb),
        Command::Release(arguments) => release::release(&common.session()?, &arguments),
        Command::Download(arguments) => release::download(&common.session()?, &arguments),
        Command::Call(arguments) => call::run(&common.session()?, &arguments),
        Command::Pair(verb) => pair::run(&common.session()?, &verb),
        Command::Bundle(verb) => bundle::run(common, &verb),
        Command::Review(arguments) => review::run(&common.session()?, &arguments),
        Command::Audit(verb) => audit::run(common, &verb),
    }
}

#[cfg(test)]
mod tests;
