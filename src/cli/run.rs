//! `poundlock run`: runs of code, their parts, and results that were computed elsewhere.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use ureq::http::Method;

use super::client::part;
use super::deliver::Destination;
use super::failure::{Code, Failure};
use super::filters::query;
use super::{Session, print};

/// What a run receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Data {
    /// The mocks of the assets
    Mock,
    /// The private data, where it is held
    Private,
}

/// How a deposit is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum OutputFormat {
    Json,
    Csv,
    Npy,
    Png,
    Parquet,
    Arrow,
    Text,
    Raw,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run the code of a request, or code on mocks
    Start(Start),
    /// List the runs that you may see
    List {
        /// Only those of this request
        #[arg(long)]
        request: Option<String>,
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Show a run: its state, and the hash of each part that it left behind
    Show {
        /// Its id
        run: String,
    },
    /// Wait for the end of a run
    Wait {
        /// Its id
        run: String,
    },
    /// Show what a run printed
    Log(Part),
    /// Show what a run returned
    Result(Part),
    /// Show where a run failed, as far as that may be released
    FailureReport(Part),
    /// Stop a run
    Cancel {
        /// Its id
        run: String,
    },
    /// Set the result of a run aside: it can never be released, and the code may run again
    SetAside {
        /// Its id
        run: String,
    },
    /// Deposit a result that was computed elsewhere, as a run of a request
    Deposit {
        /// The request
        request: String,
        /// The result
        file: PathBuf,
        /// How it is written; by the file's name if left out
        #[arg(long)]
        format: Option<OutputFormat>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Start {
    /// The request
    #[arg(required_unless_present = "code", conflicts_with = "code")]
    request: Option<String>,
    /// Code that no request needs to name; on mocks, where the owner allows it
    #[arg(long)]
    code: Option<String>,
    /// What it receives
    #[arg(long, default_value = "mock")]
    data: Data,
    /// Wait for its end
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct Part {
    /// The run's id
    run: String,
    #[command(flatten)]
    to: Destination,
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::Start(wanted) => start(session, wanted),
        Verb::List { request, all } => {
            let wanted: Vec<_> = request
                .iter()
                .map(|request| ("request", request.clone()))
                .collect();
            let runs = client.list(&format!("/runs{}", query(&wanted)), *all)?;
            session.out.show(&runs, |runs| {
                let columns = [
                    ("ID", "id"),
                    ("STATE", "state"),
                    ("DATA", "data"),
                    ("REQUEST", "request"),
                    ("QUEUED", "queued_at"),
                ];
                print::listing(runs, &columns)
            })
        }
        Verb::Show { run } => session.out.show(&client.get(&path(run))?, facts),
        Verb::Wait { run } => wait(session, run),
        Verb::Log(part) => fetch(session, part, "log"),
        Verb::Result(part) => fetch(session, part, "result"),
        Verb::FailureReport(part) => fetch(session, part, "failure_report"),
        Verb::Cancel { run } => {
            let run = client.act(&format!("{}/cancellation", path(run)))?;
            session.out.show(&run, facts)
        }
        Verb::SetAside { run } => {
            let run = client.act(&format!("{}/set-aside", path(run)))?;
            session.out.show(&run, facts)
        }
        Verb::Deposit {
            request,
            file,
            format,
        } => {
            let format = format_of(file, *format)?;
            let path = format!("/requests/{}/deposits?format={format}", part(request));
            let run = client.send_file(Method::POST, &path, file)?;
            session.out.show(&run, facts)
        }
    }
}

fn path(run: &str) -> String {
    format!("/runs/{}", part(run))
}

fn start(session: &Session, wanted: &Start) -> Result<(), Failure> {
    let path = match (&wanted.request, &wanted.code) {
        (Some(request), _) => format!("/requests/{}/runs", part(request)),
        (None, Some(code)) => format!("/codes/{}/runs", part(code)),
        (None, None) => return Err(Failure::usage("name a request, or --code")),
    };
    let data = match wanted.data {
        Data::Mock => "mock",
        Data::Private if wanted.code.is_some() => {
            return Err(Failure::usage(
                "private data answers requests only; name the request",
            ));
        }
        Data::Private => "private",
    };
    let run = session.client.post(&path, &json!({ "data": data }))?;
    if wanted.wait {
        return wait(session, run["id"].as_str().unwrap_or_default());
    }
    session.out.show(&run, facts)
}

/// Asks at growing intervals: the node limits how long a run may take.
fn wait(session: &Session, run: &str) -> Result<(), Failure> {
    const LONGEST: Duration = Duration::from_secs(2);
    let mut pause = Duration::from_millis(100);
    loop {
        let run = session.client.get(&path(run))?;
        match run["state"].as_str() {
            Some("queued" | "running") => {}
            Some("succeeded") => return session.out.show(&run, facts),
            _ => {
                session.out.show(&run, facts)?;
                let state = print::field(&run, "state").replace('_', " ");
                return Err(Failure::answered(
                    Code::Failed,
                    format!("the run has not succeeded: {state}"),
                    run,
                ));
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST);
    }
}

fn fetch(session: &Session, wanted: &Part, name: &str) -> Result<(), Failure> {
    wanted.to.check(session.out)?;
    let path = format!("{}/{name}", path(&wanted.run));
    wanted.to.take(session.out, session.client.bytes(&path)?)
}

/// The format's word, by what was said or by the file's name.
fn format_of(file: &std::path::Path, said: Option<OutputFormat>) -> Result<String, Failure> {
    let by_name = || {
        let ending = file.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "txt" => Some(OutputFormat::Text),
            ending => OutputFormat::from_str(ending, false).ok(),
        }
    };
    let found = said
        .or_else(by_name)
        .and_then(|format| format.to_possible_value());
    found.map(|format| format.get_name().to_owned()).ok_or_else(|| {
        Failure::usage(format!(
            "the name of {} does not tell how it is written; use --format",
            file.display()
        ))
    })
}

pub(super) fn facts(run: &Value) -> String {
    let names = [
        "id",
        "state",
        "data",
        "origin",
        "request",
        "code",
        "queued_at",
        "began_at",
        "ended_at",
    ];
    let mut facts = names
        .map(|name| (name, print::field(run, name).replace('_', " ")))
        .to_vec();
    for (shown, name) in [
        ("result", "result"),
        ("log", "log"),
        ("failure report", "failure_report"),
    ] {
        let product = &run[name];
        if product.is_null() {
            continue;
        }
        let length = product["length"].as_u64().map(print::bytes).unwrap_or_default();
        let mut line = format!(
            "{}, {length}, {}",
            print::field(product, "format"),
            print::field(product, "hash")
        );
        if product["reviewable"] == false {
            line.push_str("  NOT REVIEWABLE: bytes that only their author can read");
        }
        facts.push((shown, line));
    }
    for release in run["releases"].as_array().into_iter().flatten() {
        let line = format!(
            "{} on {} by {} ({})",
            print::field(release, "part").replace('_', " "),
            print::field(release, "on"),
            print::field(release, "by_name"),
            print::field(release, "id")
        );
        facts.push(("released", line));
    }
    print::facts(&facts)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_name_tells_the_format_unless_somebody_does() {
        assert_eq!(format_of(Path::new("a.PNG"), None).unwrap(), "png");
        assert_eq!(format_of(Path::new("a.txt"), None).unwrap(), "text");
        assert_eq!(
            format_of(Path::new("a.txt"), Some(OutputFormat::Raw)).unwrap(),
            "raw"
        );
        assert!(format_of(Path::new("a.pickle"), None).is_err());
    }

    #[test]
    fn each_part_stands_with_its_hash_and_raw_bytes_are_marked() {
        let text = facts(&json!({"id": "r", "state": "timed_out",
            "result": {"format": "raw", "length": 2048, "hash": "abc", "reviewable": false}, "log": null}));
        assert!(text.contains("timed out"), "{text}");
        assert!(text.contains("raw, 2.00 KiB, abc  NOT REVIEWABLE"), "{text}");
        assert!(!text.contains("log"), "{text}");
    }
}
