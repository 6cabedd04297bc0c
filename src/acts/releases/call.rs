//! Calling code: the newest released result, or why there is none.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::acts::Refusal;
use crate::acts::requests::{last_run, status_of};
use crate::acts::visible::{self, Found};
use crate::domain::access::Actor;
use crate::domain::id::CodeId;
use crate::domain::job::Verdict;
use crate::domain::object::{Body, Kind};
use crate::domain::policy::Binding;
use crate::domain::release::{Part, Release};
use crate::domain::request::{Request, Status};
use crate::domain::text::Invalid;
use crate::store::read::Read;
use crate::store::records::{self, Here};

/// The longest constant that is told whole, in characters.
const SHOWN_MAX: usize = 100;

/// What a call of code answers with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The newest result that was released for a request of the caller.
    Result(Box<Found<Release>>),
    /// There is none.
    NoResult(NoResult),
    /// No request names the code.
    NeverRequested,
}

/// What has become of the newest request for code, of those that were not withdrawn if there is one.
#[derive(Clone, Debug)]
pub struct NoResult {
    /// The request.
    pub request: Box<Found<Request>>,
    /// How far it is.
    pub status: Status,
    /// How the last run for it ended, as far as the caller is told.
    pub last_run: Option<Verdict>,
}

/// Calls code with the names of the arguments that the caller passes. None is taken: every parameter is bound to an asset or a
/// constant, and whoever passes something else must not take the answer for one to that.
///
/// # Errors
/// There is no such code that the actor may see, or an argument is passed.
pub fn call<'a>(
    read: &impl Read,
    actor: &Actor,
    here: &Here,
    code: CodeId,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<Answer, Refusal> {
    let found = visible::code(read, actor, code)?;
    let bound = &found.body.input_policy.parameters;
    let refused: Vec<Invalid> = arguments
        .into_iter()
        .map(|name| Invalid::new(format!("arguments.{name}"), changes_nothing(bound.get(name))))
        .collect();
    if !refused.is_empty() {
        return Err(Refusal::Invalid(refused));
    }
    let (mut newest, mut last): (Option<Found<Release>>, Option<Found<Request>>) = (None, None);
    for object in records::children(read, code.0, Kind::Request)? {
        let Body::Request(body) = object.body.clone() else {
            continue;
        };
        if body.requester != found.body.author || object.deleted {
            continue;
        }
        for release in results(read, &object.id)? {
            if newest.as_ref().is_none_or(|newest| age(newest) < age(&release)) {
                newest = Some(release);
            }
        }
        if !body.withdrawn || last.as_ref().is_none_or(|last| last.body.withdrawn) {
            last = Some(Found { object, body });
        }
    }
    if let Some(newest) = newest {
        return Ok(Answer::Result(Box::new(newest)));
    }
    let Some(last) = last else {
        return Ok(Answer::NeverRequested);
    };
    Ok(Answer::NoResult(NoResult {
        status: status_of(read, here.now, &last)?,
        last_run: last_run(read, actor, here, last.object.id)?,
        request: Box::new(last),
    }))
}

/// Why an argument is refused, by what its parameter is bound to.
fn changes_nothing(bound: Option<&Binding>) -> String {
    let bound = match bound {
        None => return "is not a parameter of the entry point".to_owned(),
        Some(Binding::Asset(asset)) => format!("the asset {asset}"),
        Some(Binding::Constant(json)) if json.chars().count() <= SHOWN_MAX => format!("the constant {json}"),
        Some(Binding::Constant(_)) => "a constant".to_owned(),
    };
    format!("is bound to {bound}, so an argument changes nothing; call without it")
}

/// What tells which of two releases is newer. Across the gap only the date of a release is told, and what one bundle brings is
/// seen here at one moment: among those the order is not known, and it is always the same one that counts as the newest.
fn age(release: &Found<Release>) -> (Date, Timestamp, Uuid) {
    (release.body.on, release.object.created_at, release.object.id)
}

/// The results that were released for a request.
fn results(read: &impl Read, request: &Uuid) -> Result<Vec<Found<Release>>, Refusal> {
    let releases = records::children(read, *request, Kind::Release)?;
    Ok(releases
        .into_iter()
        .filter(|object| !object.deleted)
        .filter_map(|object| match object.body.clone() {
            Body::Release(body) if body.part == Part::Result => Some(Found { object, body }),
            _ => None,
        })
        .collect())
}
