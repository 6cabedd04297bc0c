//! `poundlock call`: the answer to approved code.

use clap::Args;
use serde_json::{Value, json};

use super::client::{Answer, part};
use super::deliver::Destination;
use super::failure::Failure;
use super::{Session, print};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The code
    code: String,
    #[command(flatten)]
    to: Destination,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    arguments.to.check(session.out)?;
    let path = format!("/codes/{}/call", part(&arguments.code));
    match session.client.ask(&path, &json!({}))? {
        Answer::Bytes(incoming) => arguments.to.take(session.out, incoming),
        Answer::State(state) => Err(Failure::problem(409, no_result(state))),
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
