//! Incoming webhooks of Slack's, and of Mattermost's, which takes the same body: `{"text": "…"}`.
//!
//! The address is the recipient's own, and leads to a server that the node's administrator has named. It is followed nowhere
//! else: no redirect, no proxy for this machine's own addresses.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;
use ureq::Agent;

use super::{Channel, To};
use crate::domain::notification::delivery::ERROR_MOST;
use crate::domain::notification::letter::Letter;
use crate::domain::notification::mail_settings::origin;
use crate::domain::notification::one_line::quoted;
use crate::domain::notification::reply::{Fault, Verdict, judge_http};
use crate::domain::sealed::Secret;

/// The longest time that one message may take.
const MOST: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read: enough for a sentence on what is wrong.
const ANSWER_MOST: u64 = 1_024;

/// Posts to incoming webhooks.
#[derive(Clone, Debug, Default)]
pub struct Slack;

impl Channel for Slack {
    fn deliver<'a>(&'a self, letter: &'a Letter, to: &'a To) -> BoxFuture<'a, Result<(), Fault>> {
        let (body, webhook) = (json!({ "text": letter.chat }).to_string(), to.webhook.clone());
        Box::pin(async move {
            let Some(webhook) = webhook else {
                return Err(fault(Verdict::Final, "the recipient has no incoming webhook"));
            };
            let posted = tokio::task::spawn_blocking(move || post(&webhook, &body)).await;
            posted.unwrap_or_else(|_stopping| Err(fault(Verdict::Again, "the node is stopping")))
        })
    }
}

fn fault(verdict: Verdict, said: &str) -> Fault {
    Fault {
        verdict,
        said: quoted(said, ERROR_MOST),
    }
}

fn post(webhook: &Secret, body: &str) -> Result<(), Fault> {
    let origin =
        origin("webhook", webhook.expose()).map_err(|invalid| fault(Verdict::Final, &invalid.problem))?;
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(MOST));
    if origin.starts_with("http://") {
        config = config.proxy(None);
    }
    let agent = config.build().new_agent();
    let posted = agent
        .post(webhook.expose())
        .header("Content-Type", "application/json")
        .send(body);
    // An error of the client's may hold the address, which is a secret: only its kind is told.
    let mut response =
        posted.map_err(|error| fault(judge_http(None), &format!("{origin}: {}", kind(&error))))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let said = response
        .body_mut()
        .with_config()
        .limit(ANSWER_MOST)
        .lossy_utf8(true)
        .read_to_string()
        .unwrap_or_default();
    let told = format!("{origin} answered {}: {said}", status.as_u16());
    Err(fault(judge_http(Some(status.as_u16())), &told))
}

fn kind(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "no answer in time",
        ureq::Error::HostNotFound => "there is no such host",
        ureq::Error::ConnectionFailed | ureq::Error::Io(_) => "the connection failed",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "the connection could not be secured",
        _ => "the message could not be posted",
    }
}
