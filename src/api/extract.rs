//! What handlers take out of a request: bounded, and strict about what it does not know. Whatever is wrong is told by
//! the name of the field.

use std::future::{Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::PathConfig;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::domain::text::Invalid;
use crate::domain::whole_number;

/// The longest JSON body where a handler names no other bound.
pub const JSON_MAX: usize = 64 * 1024;

/// A JSON body of at most `MOST` bytes. Its type denies unknown fields.
#[derive(Debug, Clone, Copy)]
pub struct Json<T, const MOST: usize = JSON_MAX>(pub T);

/// A JSON body as [`Json`] takes it, or none: a request whose body has no bytes.
#[derive(Debug, Clone, Copy)]
pub struct MaybeJson<T>(pub Option<T>);

/// The query of the address. Its type denies unknown fields.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static, const MOST: usize> FromRequest for Json<T, MOST> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let mut payload = payload.take();
        Box::pin(async move {
            if !is_json {
                return Err(not_json());
            }
            let body = read_bounded(&mut payload, MOST).await?;
            from_json(&body).map(Self)
        })
    }
}

fn not_json() -> Problem {
    let detail = "send the body as JSON, with `Content-Type: application/json`";
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid", detail)
}

impl<T: DeserializeOwned + 'static> FromRequest for MaybeJson<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = is_json(request);
        let mut payload = payload.take();
        Box::pin(async move {
            let body = read_bounded(&mut payload, JSON_MAX).await?;
            match is_json {
                _ if body.is_empty() => Ok(Self(None)),
                true => from_json(&body).map(|body| Self(Some(body))),
                false => Err(not_json()),
            }
        })
    }
}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(from_query(request.query_string()).map(Self))
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let stated = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = stated.and_then(|v| v.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

/// Reads a body of at most `most` bytes.
///
/// # Errors
/// It is longer, or the connection breaks.
pub async fn read_bounded(payload: &mut Payload, most: usize) -> Result<Vec<u8>, Problem> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| broken_off(&error))?;
        if body.len() + chunk.len() > most {
            return Err(Problem::too_large(u64::try_from(most).unwrap_or(u64::MAX)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The body did not arrive whole.
pub fn broken_off(error: &actix_web::error::PayloadError) -> Problem {
    if let Some(problem) = super::standing::refusal(error) {
        return problem;
    }
    if let actix_web::error::PayloadError::Io(error) = error
        && error.kind() == std::io::ErrorKind::TimedOut
    {
        let detail = "the body came too slowly, and was not waited for any longer; nothing of it was taken";
        return Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail);
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid",
        format!("the body did not arrive whole: {error}"),
    )
}

/// Reads JSON and names the field that does not fit.
///
/// # Errors
/// Says which field is wrong, or where the JSON breaks off.
pub fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            Problem::from(named(&path, &inner.to_string()))
        } else {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid",
                format!("the body is not JSON: {inner}"),
            )
        }
    })?;
    json.end().map_err(|error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid",
            format!("something follows the JSON body: {error}"),
        )
    })?;
    whole_number::check(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "invalid", error.to_string()))?;
    Ok(value)
}

fn from_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(form_pairs(query));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        named(&path, &error.into_inner().to_string()).into()
    })
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// The problem with the field that serde speaks of. For an unknown or a missing one serde names it in its message, and
/// the path ends at the object around it.
fn named(path: &str, message: &str) -> Invalid {
    let problem = message.split(" at line ").next().unwrap_or(message);
    let outer = if path == "." || path == "?" { "" } else { path };
    let quoted = problem
        .split('`')
        .nth(1)
        .filter(|_| problem.starts_with("unknown field") || problem.starts_with("missing field"));
    let field = match quoted {
        Some(name) if outer.is_empty() || outer == name || outer.ends_with(&format!(".{name}")) => {
            if outer.is_empty() {
                name.to_owned()
            } else {
                outer.to_owned()
            }
        }
        Some(name) => format!("{outer}.{name}"),
        None if outer.is_empty() => "body".to_owned(),
        None => outer.to_owned(),
    };
    Invalid::new(field, problem)
}

/// An id in the address that is none names nothing.
pub fn path_config() -> PathConfig {
    PathConfig::default()
        .error_handler(|_error, _request| Problem::not_found("there is nothing at this address").into())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the refusals are looked at")]
    struct Outer {
        name: String,
        inner: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the refusals are looked at")]
    struct Inner {
        count: u8,
    }

    fn field(body: &str) -> String {
        let document = from_json::<Outer>(body.as_bytes()).unwrap_err().document();
        document["errors"][0]["field"].as_str().unwrap_or("-").to_owned()
    }

    #[test]
    fn whatever_is_wrong_is_named() {
        assert_eq!(field(r#"{"name":"a","inner":[],"extra":1}"#), "extra");
        assert_eq!(
            field(r#"{"name":"a","inner":[{"count":1},{"cont":1}]}"#),
            "inner[1].cont"
        );
        assert_eq!(field(r#"{"name":"a","inner":[{"count":900}]}"#), "inner[0].count");
        assert_eq!(field(r#"{"inner":[]}"#), "name");
        assert_eq!(field(r#"{"name":1,"inner":[]}"#), "name");
        assert_eq!(field("{\"name\":"), "-");
        assert_eq!(field(r#"{"name":"a","inner":[]} x"#), "-");
    }

    #[test]
    fn a_number_that_would_lose_digits_is_refused() {
        let read = |body: &str| from_json::<serde_json::Value>(body.as_bytes());
        assert_eq!(read("[18446744073709551615]").unwrap()[0], u64::MAX);
        let refused = read(r#"{"constant":18446744073709551616}"#)
            .unwrap_err()
            .document();
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("18446744073709551616"), "{detail}");
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        limit: Option<u8>,
    }

    #[test]
    fn a_query_is_strict_too() {
        assert_eq!(from_query::<Asked>("limit=7").unwrap().limit, Some(7));
        for (query, field) in [("limit=x", "limit"), ("limt=7", "limt")] {
            let document = from_query::<Asked>(query).unwrap_err().document();
            assert_eq!(document["errors"][0]["field"], field, "{query}");
        }
    }
}
