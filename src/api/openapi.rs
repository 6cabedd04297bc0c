//! The description of the API, made of the handlers themselves, and a page to read it on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, ResponseError, get, web};
use serde_json::{Value, json};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{OpenApi, PartialSchema, ToSchema};
use utoipa_actix_web::OpenApiFactory;

use super::Context;
use super::problem::Problem;
use super::schema::ProblemShown;
use crate::domain::side::{NoBundles, Side};

#[derive(OpenApi)]
#[openapi(info(title = "Poundlock", license(name = "Apache-2.0", identifier = "Apache-2.0")))]
struct Document;

const PAIRED: &str = "A node of a pair: two nodes, an air gap, and bundles on a stick.";
const SOLO: &str = "A solo node: it holds the data and takes the scientists.";
const CONVENTIONS: &str = "Errors are problem documents (RFC 9457) whose `type` ends in a stable word. Lists come in \
                           pages: pass `next` as `cursor`. Any address may answer 429 to whoever asks too much, and 503 while \
                           the node is busy, each with the seconds to wait in `Retry-After`.";

/// The description of what nodes of one kind answer to.
struct Description {
    /// The document: what programs are served.
    json: Value,
    /// Every address with its methods, for telling a wrong method from a wrong address.
    methods: Vec<(ResourceDef, String)>,
    /// The page, made of the document.
    html: String,
}

/// Of a node of a side. Both sides of a gap answer to the same.
fn description(side: Side) -> &'static Description {
    static OF_A_PAIR: LazyLock<Description> = LazyLock::new(|| Description::of(Side::Low));
    static OF_A_SOLO_NODE: LazyLock<Description> = LazyLock::new(|| Description::of(Side::Solo));
    match side.level() {
        Ok(_) => &OF_A_PAIR,
        Err(NoBundles) => &OF_A_SOLO_NODE,
    }
}

impl Description {
    fn of(side: Side) -> Self {
        let json = document_of(side);
        let mut methods = BTreeMap::<&str, Vec<String>>::new();
        for (path, method, _) in operations(&json) {
            methods.entry(path).or_default().push(method.to_uppercase());
        }
        let methods = methods
            .into_iter()
            .map(|(path, methods)| (ResourceDef::new(path), methods.join(", ")))
            .collect();
        let html = render(&json);
        Self { json, methods, html }
    }
}

pub(super) fn document_of(side: Side) -> Value {
    let scope = utoipa_actix_web::scope(super::PREFIX).configure(super::resources(side));
    let mut all = Document::openapi();
    let kind = if side.level().is_ok() { PAIRED } else { SOLO };
    all.info.description = Some(format!("{kind} {CONVENTIONS}"));
    let mut schemas = Vec::new();
    scope.schemas(&mut schemas);
    all.paths = scope.paths();
    let components = all.components.get_or_insert_default();
    components.schemas.extend(schemas);
    components
        .schemas
        .insert(ProblemShown::name().into_owned(), ProblemShown::schema());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token that POST /sessions returned"));
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    let mut json = serde_json::to_value(&all).unwrap_or_default();
    let paths = json["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            operation["operationId"] = operation_id(method, path).into();
            add_problems(&mut operation["responses"]);
        }
    }
    json
}

/// Says of every answer that something is wrong, that it is a problem document; and of all others the same, since some can
/// come from anywhere: a body that is too long, a session that is over, a node that is busy.
fn add_problems(responses: &mut Value) {
    let reference = format!("#/components/schemas/{}", ProblemShown::name());
    let content = json!({ "application/problem+json": { "schema": { "$ref": reference } } });
    let Some(responses) = responses.as_object_mut() else {
        return;
    };
    for (status, response) in responses.iter_mut() {
        let refused = status.parse::<u16>().is_ok_and(|status| status >= 400);
        if refused && response.get("content").is_none() {
            response["content"] = content.clone();
        }
    }
    let other = json!({ "description": "What is wrong, and what to do", "content": content });
    responses.entry("default").or_insert(other);
}

/// An operation's id, which must be its own: handlers of several resources bear the same name.
fn operation_id(method: &str, path: &str) -> String {
    let within = path.strip_prefix(super::PREFIX).unwrap_or(path);
    let words = within.split(['/', '.', '-']).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(|word| word.trim_matches(['{', '}'])).collect();
    format!("{method}_{}", words.join("_"))
}

/// Path, method and operation of all that a document describes.
pub(super) fn operations(all: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = all["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// What is at an address that no handler took.
pub(super) async fn nothing_here(context: web::Data<Context>, request: HttpRequest) -> HttpResponse {
    let methods = &description(context.side).methods;
    let problem = match methods.iter().find(|(path, _)| path.is_match(request.path())) {
        Some((_, methods)) => Problem::method_not_allowed(methods.clone()),
        None => Problem::not_found("there is nothing at this address; see /docs"),
    };
    problem.error_response()
}

/// The description of this API, in OpenAPI 3.1.
#[utoipa::path(tag = "node", responses(
    (status = 200, description = "The document", body = serde_json::Value)))]
#[get("/openapi.json")]
pub(super) async fn document(context: web::Data<Context>) -> HttpResponse {
    HttpResponse::Ok().json(&description(context.side).json)
}

/// The page to read it on. Loads nothing but its own style sheet.
#[get("")]
pub(super) async fn page(context: web::Data<Context>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"))
        .body(description(context.side).html.as_str())
}

/// Its style sheet.
#[get("/style.css")]
pub(super) async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/css; charset=utf-8"))
        .body(include_str!("docs.css"))
}

fn render(all: &Value) -> String {
    let mut groups: BTreeMap<&str, Vec<(&str, &str, &Value)>> = BTreeMap::new();
    for (path, method, operation) in operations(all) {
        let tag = operation["tags"][0].as_str().unwrap_or("other");
        groups.entry(tag).or_default().push((path, method, operation));
    }
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Poundlock API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/docs/style.css\"></head>\
         <body><header><h1>Poundlock API</h1>",
    );
    paragraph(&mut html, &all["info"]["description"]);
    html.push_str("<p>For programs: <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a></p><nav><ul>");
    for tag in groups.keys() {
        let tag = escape(tag);
        let _infallible = write!(html, "<li><a href=\"#{tag}\">{tag}</a></li>");
    }
    html.push_str("</ul></nav></header><main>");
    for (tag, operations) in groups {
        let tag = escape(tag);
        let _infallible = write!(html, "<section id=\"{tag}\"><h2>{tag}</h2>");
        for (path, method, operation) in operations {
            render_operation(&mut html, all, (path, method, operation));
        }
        html.push_str("</section>");
    }
    html.push_str("</main></body></html>");
    html
}

fn render_operation(html: &mut String, all: &Value, (path, method, operation): (&str, &str, &Value)) {
    let (method, path) = (method.to_uppercase(), escape(path));
    let _infallible = write!(html, "<article><h3><b>{method}</b> <code>{path}</code></h3>");
    paragraph(html, &operation["summary"]);
    paragraph(html, &operation["description"]);
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut rows: Vec<_> = parameters
        .map(|parameter| {
            let place = parameter["in"].as_str().unwrap_or_default();
            let needed = parameter["required"] == true;
            let kind = type_of(all, &parameter["schema"]);
            row(&parameter["name"], place, needed, &kind, parameter)
        })
        .collect();
    let content = operation["requestBody"]["content"].as_object();
    for (media, body) in content.into_iter().flatten() {
        rows.extend(body_rows(all, media, resolve(all, &body["schema"])));
    }
    if !rows.is_empty() {
        let _infallible = write!(
            html,
            "<table><tr><th>name</th><th>in</th><th>type</th><th>meaning</th></tr>{}</table>",
            rows.concat()
        );
    }
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let said = escape(response["description"].as_str().unwrap_or_default());
        let _infallible = write!(html, "<p class=\"answer\"><b>{}</b> {said}</p>", escape(status));
    }
    html.push_str("</article>");
}

/// The fields of a body, or the body itself where it is no object.
fn body_rows(all: &Value, media: &str, schema: &Value) -> Vec<String> {
    let Some(fields) = schema["properties"].as_object() else {
        return vec![row(&Value::Null, media, true, &type_of(all, schema), schema)];
    };
    let required = schema["required"].as_array();
    fields
        .iter()
        .map(|(name, field)| {
            let needed = required.is_some_and(|names| names.iter().any(|other| other == name));
            row(
                &Value::from(name.as_str()),
                "body",
                needed,
                &type_of(all, field),
                field,
            )
        })
        .collect()
}

fn row(name: &Value, place: &str, required: bool, kind: &str, described: &Value) -> String {
    let name = escape(name.as_str().unwrap_or("the body"));
    let mark = if required { "" } else { " <i>optional</i>" };
    let meaning = escape(described["description"].as_str().unwrap_or_default());
    let (place, kind) = (escape(place), escape(kind));
    format!("<tr><td><code>{name}</code>{mark}</td><td>{place}</td><td>{kind}</td><td>{meaning}</td></tr>")
}

/// A type in a few words.
fn type_of(all: &Value, schema: &Value) -> String {
    let schema = resolve(all, schema);
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        return words.join(" | ");
    }
    if let Some(cases) = schema["oneOf"].as_array() {
        let cases: Vec<_> = cases
            .iter()
            .map(|case| type_of(all, case))
            .filter(|case| case != "null")
            .collect();
        return cases.join(" or ");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", type_of(all, &schema["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<_> = kinds
                .iter()
                .filter_map(Value::as_str)
                .filter(|kind| *kind != "null")
                .collect();
            kinds.join(" or ")
        }
        _ => "any".to_owned(),
    }
}

/// Follows a reference into the components.
fn resolve<'a>(all: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| &all["components"]["schemas"][name])
}

fn paragraph(html: &mut String, text: &Value) {
    if let Some(text) = text.as_str().filter(|text| !text.is_empty()) {
        let _infallible = write!(html, "<p>{}</p>", escape(text));
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_is_described() {
        for side in [Side::High, Side::Solo] {
            let all: Vec<_> = operations(&description(side).json).collect();
            let ids: BTreeSet<_> = all.iter().map(|(.., it)| it["operationId"].as_str()).collect();
            assert_eq!(ids.len(), all.len());
            assert!(!all.is_empty());
            for (path, method, operation) in all {
                assert!(path.starts_with("/api/v1/"), "{path}");
                assert!(
                    operation["summary"].as_str().is_some_and(|s| !s.is_empty()),
                    "{method} {path}"
                );
                assert!(operation["tags"][0].is_string(), "{method} {path}");
            }
        }
    }

    /// Every `$ref` in a document.
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_answer_is_described() {
        for side in [Side::High, Side::Solo] {
            let all = &description(side).json;
            for (path, method, operation) in operations(all) {
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.contains_key("default"), "{method} {path}");
                for (status, response) in responses.iter().filter(|(status, _)| *status != "204") {
                    let content = response["content"].as_object();
                    assert!(
                        content.is_some_and(|kinds| !kinds.is_empty()),
                        "{method} {path} {status}"
                    );
                    let refused = status.parse::<u16>().is_ok_and(|status| status >= 400);
                    let problem = response["content"].get("application/problem+json").is_some();
                    assert!(problem || !refused, "{method} {path} {status}");
                }
            }
            let mut found = BTreeSet::new();
            references(all, &mut found);
            for reference in found {
                let schema = resolve(all, &json!({ "$ref": reference })).clone();
                assert!(schema.is_object(), "{reference} is nowhere");
            }
        }
    }

    #[test]
    fn no_two_schemas_share_a_name() {
        for side in [Side::High, Side::Solo] {
            let scope = utoipa_actix_web::scope("").configure(crate::api::resources(side));
            let mut schemas = Vec::new();
            scope.schemas(&mut schemas);
            let mut known = BTreeMap::new();
            for (name, schema) in schemas {
                let earlier = known.insert(name.clone(), schema.clone());
                assert!(earlier.is_none_or(|earlier| earlier == schema), "{name}");
            }
        }
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        let html = &description(Side::Low).html;
        assert!(html.contains("/api/v1/setup"));
        assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("<script"));
    }

    #[test]
    fn a_solo_node_describes_nothing_that_passes_between_nodes() {
        let (paired, solo) = (description(Side::High), description(Side::Solo));
        assert!(paired.html.contains("bundle") && paired.html.contains("peer"));
        // Fields of answers that stay empty there are described all the same.
        let operations = solo.json["paths"].to_string();
        for text in [solo.html.clone(), operations, solo.json["info"].to_string()] {
            let text = text.to_lowercase();
            for word in [
                "bundle",
                "peer",
                "air gap",
                "high side",
                "low side",
                "high node",
                "low node",
            ] {
                let at = text.find(word).map(|at| &text[at.saturating_sub(80)..at + 40]);
                assert_eq!(at, None, "{word}");
            }
        }
    }
}
