//! `poundlock call`: the answer to approved code.

use clap::Args;
use serde_json::{Map, Value, json};

use super::client::{Answer, part};
use super::deliver::Destination;
use super::failure::Failure;
use super::{Session, print};
use crate::domain::whole_number;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The code
    code: String,
    /// An argument for a parameter that the input policy does not bind
    #[arg(long, value_name = "PARAMETER=JSON", value_parser = argument)]
    argument: Vec<(String, Value)>,
    #[command(flatten)]
    to: Destination,
}

/// `parameter=JSON`.
pub(super) fn argument(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write it as PARAMETER=JSON")?;
    let parsed = serde_json::from_str(value)
        .map_err(|error| format!("{value:?} is not JSON ({error}); text needs its quotes: '{name}=\"…\"'"))?;
    whole_number::check(value.as_bytes()).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), parsed))
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    arguments.to.check(session.out)?;
    let named: Map<String, Value> = arguments.argument.iter().cloned().collect();
    let code = format!("/codes/{}", part(&arguments.code));
    if !named.is_empty() {
        refuse_bound(&named, &session.client.get(&code)?)?;
    }
    let path = format!("{code}/call");
    match session.client.ask(&path, &json!({ "arguments": named }))? {
        Answer::Bytes(incoming) => arguments.to.take(session.out, incoming),
        Answer::State(state) => Err(Failure::problem(409, no_result(state))),
    }
}

/// Nothing runs by a call: an argument for what is bound would get the answer for what is bound, and nobody would notice.
fn refuse_bound(named: &Map<String, Value>, code: &Value) -> Result<(), Failure> {
    let bound = named
        .keys()
        .find_map(|name| Some((name, code["input_policy"].get(name)?)));
    match bound {
        Some((name, to)) => Err(Failure::usage(format!(
            "{name} is bound to {to}, so an argument changes nothing"
        ))),
        None => Ok(()),
    }
}

/// No result is no success, whatever is on its way: a script that goes on must not find a file missing.
fn no_result(mut state: Value) -> Value {
    if state["detail"].is_null() && state.is_object() {
        let word = match &state["status"] {
            Value::Object(status) => status.get("state").map(print::of).unwrap_or_default(),
            _ => print::field(&state, "state"),
        };
        let failed = if state["last_run"] == "failed" {
            "; its last run failed, and `poundlock request show` lists what was released of it"
        } else {
            ""
        };
        state["detail"] = format!("there is no released result yet; the request is {word}{failed}").into();
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_json() {
        assert_eq!(argument("n=3").unwrap(), ("n".into(), json!(3)));
        assert_eq!(argument("s=\"a=b\"").unwrap(), ("s".into(), json!("a=b")));
        assert!(argument("n=18446744073709551616").is_err());
        assert!(argument("s=text").is_err());
        assert!(argument("s").is_err());
    }

    #[test]
    fn an_argument_that_would_change_nothing_is_refused() {
        let named: Map<String, Value> = [argument("column=\"bp\"").unwrap()].into_iter().collect();
        let code = json!({"input_policy": {"column": {"constant": "glu"}}});
        let refused = refuse_bound(&named, &code).unwrap_err().to_string();
        assert_eq!(
            refused,
            "column is bound to {\"constant\":\"glu\"}, so an argument changes nothing"
        );
        assert!(refuse_bound(&named, &json!({"input_policy": {}})).is_ok());
    }

    #[test]
    fn a_state_is_told_in_words() {
        assert!(
            Failure::problem(409, no_result(json!({"state": "pending"})))
                .to_string()
                .ends_with("pending")
        );
        assert!(
            Failure::problem(409, no_result(json!({"status": {"state": "approved"}})))
                .to_string()
                .ends_with("approved")
        );
        let failed = json!({"status": {"state": "approved"}, "last_run": "failed"});
        assert!(
            Failure::problem(409, no_result(failed))
                .to_string()
                .contains("its last run failed")
        );
    }
}
