//! What was filled in, and the fields to fill it in again with what is wrong said beside each.

use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, ResponseError};
use maud::{Markup, html};
use zeroize::Zeroizing;

use super::Problem;
use super::piece::icon::{Icon, icon};
use super::was;
use crate::domain::text::Invalid;

/// Names with their values, in order; a name may stand more than once. Of a form that was sent, or of the query of an
/// address. Wiped from memory when it is dropped: passwords pass through.
#[derive(Clone, Default)]
pub struct Fields(Vec<(String, Zeroizing<String>)>);

impl std::fmt::Debug for Fields {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Fields(..)")
    }
}

impl Fields {
    /// Reads what a form sends. Browsers send line breaks of text areas as CR LF; they were typed, and are kept, as LF.
    pub fn parse(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body);
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), Zeroizing::new(value.replace("\r\n", "\n"))))
                .collect(),
        )
    }

    /// Fields with these values.
    pub fn of<N: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        let pair = |(name, value): (N, V)| (name.into(), Zeroizing::new(value.into()));
        Self(values.into_iter().map(pair).collect())
    }

    /// The value of a field as it was filled in; empty if there is none.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(named, _)| named == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The value of a field without the space around it, if anything was filled in.
    pub fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|value| !value.is_empty())
    }

    /// Every value under a name, e.g. of the boxes that were checked.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(named, _)| named == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a box was checked, or a button pressed.
    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Whether one of the boxes under a name was checked.
    pub fn has_value(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|other| other == value)
    }

    /// The value of a field in its type.
    ///
    /// # Errors
    /// It does not fit; `wanted` says what would.
    pub fn parsed<T: FromStr>(&self, name: &str, wanted: &str) -> Result<T, Problem> {
        let value = self.get(name).trim();
        value
            .parse()
            .map_err(|_| Problem::from(Invalid::new(name, format!("must be {wanted}"))))
    }

    /// Every value under a name in its type.
    ///
    /// # Errors
    /// One does not fit; `wanted` says what would.
    pub fn all_parsed<T: FromStr>(&self, name: &str, wanted: &str) -> Result<Vec<T>, Problem> {
        let parsed = self.all(name).map(|value| {
            value
                .parse()
                .map_err(|_| Problem::from(Invalid::new(name, format!("must be {wanted}"))))
        });
        parsed.collect()
    }

    /// Takes a field out.
    pub fn take(&mut self, name: &str) -> Zeroizing<String> {
        let place = self.0.iter().position(|(named, _)| named == name);
        place.map_or_else(Zeroizing::default, |place| self.0.remove(place).1)
    }

    /// The address of `path` with these fields as its query, `name` set to `value`, or left out if that is none. The empty
    /// ones are left out too.
    pub fn address(&self, path: &str, name: &str, value: Option<&str>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = self
            .0
            .iter()
            .filter(|(named, value)| named != name && !value.is_empty());
        query.extend_pairs(kept.map(|(named, value)| (named.as_str(), value.as_str())));
        if let Some(value) = value {
            query.append_pair(name, value);
        }
        match query.finish() {
            empty if empty.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}

/// The query of an address: filters, and where a list goes on. What a page does not know it leaves alone.
impl FromRequest for Fields {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self::parse(request.query_string().as_bytes())))
    }
}

/// What stands in a form: what was filled in before, and what was wrong with it.
#[derive(Debug, Default)]
pub struct Filled {
    fields: Fields,
    problems: Vec<Invalid>,
    refused: Option<String>,
    status: StatusCode,
}

/// A field to fill in.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    name: &'a str,
    label: &'a str,
    kind: &'a str,
    hint: &'a str,
    autocomplete: &'a str,
    required: bool,
}

impl<'a> Field<'a> {
    /// A line of text under a label.
    pub fn new(name: &'a str, label: &'a str) -> Self {
        Self {
            name,
            label,
            kind: "text",
            hint: "",
            autocomplete: "off",
            required: true,
        }
    }

    /// Of another kind: `email`, `password`, `number`, `date`, `url`, `search`.
    #[must_use]
    pub fn kind(self, kind: &'a str) -> Self {
        Self { kind, ..self }
    }

    /// What helps to fill it in.
    #[must_use]
    pub fn hint(self, hint: &'a str) -> Self {
        Self { hint, ..self }
    }

    /// What a browser may fill in by itself, by HTML's words for it.
    #[must_use]
    pub fn autocomplete(self, autocomplete: &'a str) -> Self {
        Self { autocomplete, ..self }
    }

    /// May be left empty.
    #[must_use]
    pub fn optional(self) -> Self {
        Self {
            required: false,
            ..self
        }
    }
}

impl Filled {
    /// A form that shows these values.
    pub fn with<N: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        Self {
            fields: Fields::of(values),
            ..Self::default()
        }
    }

    /// The form once more, with what was typed, where what was sent was refused for a reason that its sender can mend; that what
    /// it was filled in on has changed since is one, and that the node is busy. Other problems are passed on and become a page of
    /// their own.
    ///
    /// # Errors
    /// The problem, if it is none of the form.
    pub fn refused(fields: &Fields, problem: Problem) -> Result<Self, Problem> {
        let status = problem.status_code();
        if problem.word() == "changed" && fields.has(was::FIELD) {
            return Ok(Self::overtaken(fields, &problem, was::FIELD));
        }
        let mends = status == StatusCode::SERVICE_UNAVAILABLE
            || status.is_client_error()
                && !matches!(
                    problem.word(),
                    "not_signed_in" | "forbidden" | "not_found" | "form_refused" | "changed"
                );
        if !mends {
            return Err(problem);
        }
        let problems = problem.errors().to_vec();
        Ok(Self {
            fields: fields.clone(),
            refused: problems.is_empty().then(|| problem.detail().to_owned()),
            problems,
            status,
        })
    }

    /// The form once more, with what was typed, where what it was filled in on has become something else. The field that names
    /// that is left out: what is sent next was filled in beside what is there now.
    pub fn overtaken(fields: &Fields, problem: &Problem, seen: &str) -> Self {
        let mut fields = fields.clone();
        fields.take(seen);
        Self {
            fields,
            problems: Vec::new(),
            refused: Some(problem.detail().to_owned()),
            status: problem.status_code(),
        }
    }

    /// The status to answer with: that of the refusal, or 200.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What was filled in.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    fn problem(&self, name: &str) -> Option<&Invalid> {
        self.problems.iter().find(|problem| problem.field == name)
    }

    /// What is wrong, in one place above the form, where the reader is led to first.
    pub fn summary(&self) -> Markup {
        if self.problems.is_empty() && self.refused.is_none() {
            return html! {};
        }
        html! {
            div.summary role="alert" tabindex="-1" autofocus {
                h2 { (icon(Icon::Warning)) " This was not accepted" }
                @if let Some(refused) = &self.refused { p { (sentence(refused)) } }
                @if !self.problems.is_empty() {
                    ul {
                        @for problem in &self.problems {
                            li { a href=(format!("#{}", id(&problem.field))) { (sentence(&problem.field.replace('_', " ")).trim_end_matches('.')) " " (problem.problem) } }
                        }
                    }
                }
            }
        }
    }

    /// Label, hint and problem around a control, which gets its id and what describes it.
    fn framed(&self, field: &Field<'_>, control: impl FnOnce(&str, Option<&str>, bool) -> Markup) -> Markup {
        let id = id(field.name);
        let problem = self.problem(field.name);
        let mut described = Vec::new();
        if !field.hint.is_empty() {
            described.push(format!("{id}-hint"));
        }
        if problem.is_some() {
            described.push(format!("{id}-problem"));
        }
        let described = described.join(" ");
        let described = Some(described.as_str()).filter(|ids| !ids.is_empty());
        html! {
            div.field.wrong[problem.is_some()] {
                label for=(id) {
                    (field.label)
                    @if !field.required { span.optional { " (optional)" } }
                }
                @if !field.hint.is_empty() { p.hint id=(format!("{id}-hint")) { (field.hint) } }
                @if let Some(problem) = problem {
                    p.problem id=(format!("{id}-problem")) { (icon(Icon::Warning)) " " (sentence(&problem.problem)) }
                }
                (control(&id, described, problem.is_some()))
            }
        }
    }

    /// A line to fill in. A password is never filled in again.
    pub fn input(&self, field: &Field<'_>) -> Markup {
        let value = (field.kind != "password").then(|| self.fields.get(field.name));
        self.framed(field, |id, described, wrong| {
            html! {
                input id=(id) name=(field.name) type=(field.kind) value=[value] required[field.required]
                    autocomplete=(field.autocomplete) aria-describedby=[described]
                    aria-invalid=[wrong.then_some("true")] spellcheck="false";
            }
        })
    }

    /// A file to choose. It stands last in its form.
    pub fn file(&self, field: &Field<'_>, accept: &str) -> Markup {
        self.framed(field, |id, described, wrong| {
            html! {
                input id=(id) name=(field.name) type="file" accept=[Some(accept).filter(|accept| !accept.is_empty())]
                    required[field.required] aria-describedby=[described] aria-invalid=[wrong.then_some("true")];
            }
        })
    }

    /// Lines to fill in.
    pub fn area(&self, field: &Field<'_>, rows: u8) -> Markup {
        self.framed(field, |id, described, wrong| {
            html! {
                // The first line break after the tag is dropped by browsers, so one is given for it.
                textarea id=(id) name=(field.name) rows=(rows) required[field.required]
                    aria-describedby=[described] aria-invalid=[wrong.then_some("true")] { "\n" (self.fields.get(field.name)) }
            }
        })
    }

    /// One of several, each a value with its label.
    pub fn choice<'v>(
        &self,
        field: &Field<'_>,
        choices: impl IntoIterator<Item = (impl AsRef<str>, impl Into<std::borrow::Cow<'v, str>>)>,
    ) -> Markup {
        self.framed(field, |id, described, wrong| {
            html! {
                select id=(id) name=(field.name) required[field.required] aria-describedby=[described]
                    aria-invalid=[wrong.then_some("true")] {
                    @for (value, label) in choices {
                        option value=(value.as_ref()) selected[self.fields.get(field.name) == value.as_ref()] { (label.into()) }
                    }
                }
            }
        })
    }

    /// A box to check, with what it means beside it.
    pub fn check(&self, name: &str, label: &str, hint: &str) -> Markup {
        self.check_value(name, "true", label, hint)
    }

    /// One of several boxes under one name.
    pub fn check_value(&self, name: &str, value: &str, label: &str, hint: &str) -> Markup {
        let id = if value == "true" {
            id(name)
        } else {
            id(&format!("{name}-{value}"))
        };
        let described = (!hint.is_empty()).then(|| format!("{id}-hint"));
        html! {
            div.check {
                input id=(id) name=(name) type="checkbox" value=(value) checked[self.fields.has_value(name, value)]
                    aria-describedby=[described.as_deref()];
                label for=(id) { (label) }
                @if let Some(described) = &described { p.hint id=(described) { (hint) } }
            }
        }
    }
}

/// The id of a field's control.
fn id(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("field-{}", name.chars().map(plain).collect::<String>())
}

/// A message as a sentence: with a capital, and an end.
pub fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if message.ends_with(['.', '!', '?', ':', '`']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{end}", letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_back_with_what_is_wrong() {
        let fields = Fields::parse(b"name=%3Cb%3E&password=secret&note=a%0D%0Ab");
        assert_eq!(fields.get("note"), "a\nb");
        let wrong = Problem::from(Invalid::new("name", "must be longer"));
        let filled = Filled::refused(&fields, wrong).unwrap();
        let shown = filled.input(&Field::new("name", "Name")).into_string();
        assert!(
            shown.contains("&lt;b&gt;") && shown.contains("Must be longer."),
            "{shown}"
        );
        assert!(
            shown.contains("aria-describedby=\"field-name-problem\""),
            "{shown}"
        );
        assert!(filled.summary().into_string().contains("#field-name"));
        let password = filled.input(&Field::new("password", "Password").kind("password"));
        assert!(!password.into_string().contains("secret"));
        assert!(Filled::refused(&fields, Problem::not_found("x")).is_err());
        let busy = Filled::refused(&fields, Problem::busy("the queue is full")).unwrap();
        assert_eq!((busy.fields().get("note"), busy.status().as_u16()), ("a\nb", 503));
    }

    #[test]
    fn an_address_keeps_its_filters() {
        let fields = Fields::parse(b"state=pending&search=&cursor=x");
        assert_eq!(
            fields.address("/r", "cursor", Some("y&z")),
            "/r?state=pending&cursor=y%26z"
        );
        assert_eq!(Fields::default().address("/r", "cursor", None), "/r");
    }
}
