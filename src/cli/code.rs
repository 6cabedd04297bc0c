//! `poundlock code`: source with its policies.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::client::part;
use super::failure::Failure;
use super::signing::SignWith;
use super::{Session, input, names, print};
use crate::domain::whole_number;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Submit code; it never changes after
    Submit(Submit),
    /// List your code
    List {
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Show code with its source and policies
    Show {
        /// Its id
        code: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Submit {
    /// The Python source
    file: PathBuf,
    /// How to call it; the file's name if left out
    #[arg(long)]
    name: Option<String>,
    /// The function that is called
    #[arg(long, value_name = "FUNCTION")]
    entry_point: String,
    /// Bind a parameter to an asset: its id, or DATASET/ASSET
    #[arg(long, value_name = "PARAMETER=ASSET", value_parser = binding)]
    asset: Vec<(String, String)>,
    /// Bind a parameter to a constant
    #[arg(long, value_name = "PARAMETER=JSON", value_parser = constant)]
    constant: Vec<(String, Value)>,
    #[command(flatten)]
    output: OutputPolicy,
    #[command(flatten)]
    sign: SignWith,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct OutputPolicy {
    /// One successful run; every later call returns its output
    #[arg(long)]
    single_execution: bool,
    /// At most so many successful runs
    #[arg(long, value_name = "N")]
    execute_count: Option<u32>,
}

fn binding(text: &str) -> Result<(String, String), String> {
    let (parameter, asset) = text.split_once('=').ok_or("write it as PARAMETER=ASSET")?;
    Ok((parameter.to_owned(), asset.to_owned()))
}

/// `parameter=JSON`.
fn constant(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as PARAMETER=JSON")?;
    let parsed = serde_json::from_str(value)
        .map_err(|error| format!("{value:?} is not JSON ({error}); text needs its quotes: '{name}=\"…\"'"))?;
    whole_number::check(value.as_bytes()).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), parsed))
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::Submit(submit) => {
            let mut body = body(session, submit)?;
            if let Some(signer) = submit.sign.signer(session)? {
                signer.sign_code(&mut body)?;
            }
            let code = client.post("/codes", &body)?;
            session.out.show(&code, |code| {
                format!(
                    "Submitted. Next:\n  {}\n\n{}",
                    next(&print::field(code, "id"), submit.sign.file()),
                    facts(code)
                )
            })
        }
        Verb::List { all } => session.out.show(&client.list("/codes", *all)?, |codes| {
            print::listing(
                codes,
                &[
                    ("ID", "id"),
                    ("NAME", "name"),
                    ("ENTRY POINT", "entry_point"),
                    ("SUBMITTED", "created_at"),
                ],
            )
        }),
        Verb::Show { code } => {
            let code = client.get(&format!("/codes/{}", part(code)))?;
            session.out.show(&code, |code| {
                let source = code["source"].as_str().unwrap_or_default();
                format!("{}\n\n{}", facts(code), print::prose(source))
            })
        }
    }
}

/// How to request that the code run.
pub(super) fn next(code: &str, sign_with: Option<&Path>) -> String {
    let mut next = format!("poundlock request submit --project PROJECT --code {code} --reason \"WHY\"");
    if let Some(key) = sign_with {
        next.push_str(&format!(" --sign-with \"{}\"", key.display()));
    }
    next
}

fn body(session: &Session, submit: &Submit) -> Result<Value, Failure> {
    let source = input::text(&submit.file)?;
    let stem = submit
        .file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    let Some(name) = submit.name.clone().or(stem).filter(|name| name != "-") else {
        return Err(Failure::usage("name the code: --name NAME"));
    };
    let mut policy = Map::new();
    for (parameter, asset) in &submit.asset {
        let asset = names::asset(&session.client, asset)?;
        bind(&mut policy, parameter, json!({ "asset": asset }))?;
    }
    for (parameter, constant) in &submit.constant {
        bind(&mut policy, parameter, json!({ "constant": constant }))?;
    }
    Ok(json!({
        "name": name, "source": source, "entry_point": submit.entry_point,
        "input_policy": policy, "output_policy": submit.output.body(),
    }))
}

fn bind(policy: &mut Map<String, Value>, parameter: &str, binding: Value) -> Result<(), Failure> {
    match policy.insert(parameter.to_owned(), binding) {
        None => Ok(()),
        Some(_) => Err(Failure::usage(format!(
            "the parameter {parameter} is bound twice"
        ))),
    }
}

impl OutputPolicy {
    fn body(&self) -> Value {
        match self.execute_count {
            Some(count) => json!({ "execute_count": count }),
            None => json!("single_execution"),
        }
    }
}

/// Code without its source, for people.
pub(super) fn facts(code: &Value) -> String {
    let mut facts = ["id", "name", "author", "entry_point"]
        .map(|name| (name, print::field(code, name)))
        .to_vec();
    for (parameter, binding) in code["input_policy"].as_object().into_iter().flatten() {
        let bound = binding.as_object().into_iter().flatten();
        let bound: Vec<_> = bound
            .map(|(kind, value)| {
                let shown = if kind == "asset" {
                    print::of(value)
                } else {
                    print::plain(&value.to_string())
                };
                format!("{} = {} {shown}", print::plain(parameter), print::plain(kind))
            })
            .collect();
        facts.push(("parameter", bound.join(", ")));
    }
    let output = match &code["output_policy"] {
        Value::Object(policy) => policy
            .iter()
            .map(|(name, value)| format!("{}({})", print::plain(name), print::of(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => print::of(other),
    };
    facts.push(("output policy", output));
    facts.push(("hash", print::field(code, "hash")));
    facts.push(("signature", print::field(&code["signed"], "says")));
    print::facts(&facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_is_json() {
        assert_eq!(constant("n=3").unwrap(), ("n".into(), json!(3)));
        assert_eq!(constant("s=\"a=b\"").unwrap(), ("s".into(), json!("a=b")));
        assert!(constant("n=18446744073709551616").is_err());
        assert!(constant("s=text").is_err());
        assert!(constant("s").is_err());
    }

    #[test]
    fn a_parameter_is_bound_once() {
        let mut policy = Map::new();
        bind(&mut policy, "data", json!({"asset": "a"})).unwrap();
        assert!(bind(&mut policy, "data", json!({"constant": 1})).is_err());
        assert_eq!(
            binding("data=Pima/train").unwrap(),
            ("data".into(), "Pima/train".into())
        );
        assert!(binding("data").is_err());
    }

    #[test]
    fn policies_are_told_in_words() {
        let code = json!({"id": "c", "input_policy": {"data": {"asset": "a"}, "n": {"constant": "x"}},
            "output_policy": {"execute_count": 3}});
        let text = facts(&code);
        assert!(
            text.contains("data = asset a") && text.contains("n = constant \"x\""),
            "{text}"
        );
        assert!(text.contains("execute_count(3)"), "{text}");
    }
}
