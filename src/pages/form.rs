//! Forms that are sent: read only once it is clear that they were filled in on a page of this node, by whoever sends them.
//!
//! Two things must hold. The form carries the token of the sender's own session (see
//! [`Shell::form_token`](super::visit::Shell::form_token)), which no other site can read or guess. And the browser says
//! that the form comes from this very origin: by `Sec-Fetch-Site` where it sends that, else by `Origin`.

use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ORIGIN};
use actix_web::{FromRequest, HttpRequest};
use zeroize::Zeroizing;

use super::Problem;
use super::fields::Fields;
use super::visit::{Shell, Visit};
use crate::acts::Refusal;
use crate::api::extract::read_bounded;
use crate::api::origin;
use crate::domain::access::Permission;

/// The field that carries the token.
pub const TOKEN: &str = "form_token";
/// The longest form where a handler names no other bound, in bytes. Far more than any field may hold, so that what is too
/// long comes back to whoever has typed it, with what is wrong said beside it.
pub const FORM_MAX: usize = 512 * 1024;
/// The longest form of somebody who is not signed in, in bytes.
pub const OPEN_FORM_MAX: usize = 32 * 1024;
/// About what a field takes up in memory whatever stands in it, in bytes. A form has at most as many fields as make up its bound:
/// a body of nothing but `a&a&a` would take forty times its length otherwise.
const FIELD_COST: usize = 64;

/// A form that somebody who is signed in has sent, of at most `MOST` bytes.
#[derive(Debug)]
pub struct Form<const MOST: usize = FORM_MAX> {
    /// Who sent it.
    pub visit: Visit,
    /// What they filled in.
    pub fields: Fields,
}

/// A form of whoever reviews bundles, which may be far longer: it lists all that was seen. Nobody else's is read.
#[derive(Debug)]
pub struct ReviewForm<const MOST: usize>(Form<MOST>);

/// A form that anybody may send: to sign in, say. Its token is that of their browser.
#[derive(Debug)]
pub struct OpenForm<const MOST: usize = OPEN_FORM_MAX> {
    /// Who sent it.
    pub shell: Shell,
    /// What they filled in.
    pub fields: Fields,
}

impl<const MOST: usize> Deref for Form<MOST> {
    type Target = Visit;

    fn deref(&self) -> &Visit {
        &self.visit
    }
}

impl<const MOST: usize> Deref for ReviewForm<MOST> {
    type Target = Form<MOST>;

    fn deref(&self) -> &Form<MOST> {
        &self.0
    }
}

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

impl<const MOST: usize> FromRequest for OpenForm<MOST> {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let shell = Shell::of(&request).await?;
            let fields = checked(&request, &shell, &mut payload, MOST).await?;
            Ok(Self { shell, fields })
        })
    }
}

impl<const MOST: usize> FromRequest for ReviewForm<MOST> {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let visit = Visit::signed_in(Shell::of(&request).await?)?;
            visit.actor.require(Permission::Sync).map_err(Refusal::from)?;
            let fields = checked(&request, &visit, &mut payload, MOST).await?;
            Ok(Self(Form { visit, fields }))
        })
    }
}

impl<const MOST: usize> FromRequest for Form<MOST> {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let visit = Visit::signed_in(Shell::of(&request).await?)?;
            let fields = checked(&request, &visit, &mut payload, MOST).await?;
            Ok(Self { visit, fields })
        })
    }
}

async fn checked(
    request: &HttpRequest,
    shell: &Shell,
    payload: &mut Payload,
    most: usize,
) -> Result<Fields, Problem> {
    check_origin(request)?;
    if !is_form(request) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid",
            "this address takes what a form of its page sends",
        ));
    }
    let body = Zeroizing::new(read_bounded(payload, most).await?);
    bound_fields(&body, most)?;
    let mut fields = Fields::parse(&body);
    let token = fields.take(TOKEN);
    check_token(shell, &token)?;
    Ok(fields)
}

/// Bounds the number of a form's fields before any of them takes up memory.
fn bound_fields(body: &[u8], most: usize) -> Result<(), Problem> {
    let most = most / FIELD_COST;
    let fields = body.iter().filter(|byte| **byte == b'&').count();
    if fields < most {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!(
            "the form has more fields than any page of this node makes; at most {most} are accepted here"
        ),
    ))
}

/// Whether a form carries the token of whoever sends it.
///
/// # Errors
/// It does not.
pub fn check_token(shell: &Shell, token: &str) -> Result<(), Problem> {
    if shell.is_form_token(token) {
        Ok(())
    } else {
        Err(not_ours(
            "the form does not belong to your session, which may have ended since the page was opened; go back, load \
             the page again, and send the form once more",
        ))
    }
}

/// Whether the browser says that a request comes from a page of this node.
///
/// # Errors
/// It comes from elsewhere, or the browser does not say.
pub fn check_origin(request: &HttpRequest) -> Result<(), Problem> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let ours = match header("Sec-Fetch-Site") {
        Some(site) => site == "same-origin",
        // Without the scheme: a proxy in front may speak TLS and not say so. The host is what tells sites apart.
        None => header(ORIGIN.as_str())
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, host)| host.eq_ignore_ascii_case(&origin::host(request))),
    };
    if ours {
        Ok(())
    } else {
        Err(not_ours(
            "the form was not sent from a page of this node; open the page on this node and send it from there. Behind a \
             proxy, let it pass the Host header on",
        ))
    }
}

fn not_ours(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "form_refused", detail)
}

fn is_form(request: &HttpRequest) -> bool {
    let stated = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = stated.and_then(|v| v.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}
