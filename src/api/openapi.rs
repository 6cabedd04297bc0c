//! The description of the API, made of the handlers themselves, and a page to read it on.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::dev::ResourceDef;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, ResponseError, get};
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_actix_web::OpenApiFactory;

use super::problem::Problem;

#[derive(OpenApi)]
#[openapi(info(
    title = "Poundlock",
    description = "A node of a pair: two nodes, an air gap, and bundles on a stick. Errors are problem documents \
                   (RFC 9457) whose `type` ends in a stable word. Lists come in pages: pass `next` as `cursor`.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Description;

/// The whole description.
static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(|| {
    let scope = utoipa_actix_web::scope(super::PREFIX).configure(super::resources);
    let mut all = Description::openapi();
    let mut schemas = Vec::new();
    scope.schemas(&mut schemas);
    all.paths = scope.paths();
    let components = all.components.get_or_insert_default();
    components.schemas.extend(schemas);
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token that POST /sessions returned"));
    components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    all
});

/// The same as JSON: what programs are served, and what the page is made of.
static JSON: LazyLock<Value> = LazyLock::new(|| {
    let mut all = serde_json::to_value(&*DOCUMENT).unwrap_or_default();
    let paths = all["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            operation["operationId"] = operation_id(method, path).into();
        }
    }
    all
});

/// An operation's id, which must be its own: handlers of several resources bear the same name.
fn operation_id(method: &str, path: &str) -> String {
    let within = path.strip_prefix(super::PREFIX).unwrap_or(path);
    let words = within.split(['/', '.', '-']).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(|word| word.trim_matches(['{', '}'])).collect();
    format!("{method}_{}", words.join("_"))
}

/// Every address with its methods, for telling a wrong method from a wrong address.
static METHODS: LazyLock<Vec<(ResourceDef, String)>> = LazyLock::new(|| {
    operations()
        .fold(
            BTreeMap::<&str, Vec<String>>::new(),
            |mut all, (path, method, _)| {
                all.entry(path).or_default().push(method.to_uppercase());
                all
            },
        )
        .into_iter()
        .map(|(path, methods)| (ResourceDef::new(path), methods.join(", ")))
        .collect()
});

/// Path, method and operation of all that the API does.
fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = JSON["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// What is at an address that no handler took.
pub(super) async fn nothing_here(request: HttpRequest) -> HttpResponse {
    let problem = match METHODS.iter().find(|(path, _)| path.is_match(request.path())) {
        Some((_, methods)) => Problem::method_not_allowed(methods.clone()),
        None => Problem::not_found("there is nothing at this address; see /docs"),
    };
    problem.error_response()
}

/// The description of this API, in OpenAPI 3.1.
#[utoipa::path(tag = "node", responses((status = 200, description = "The document")))]
#[get("/openapi.json")]
pub(super) async fn document() -> HttpResponse {
    HttpResponse::Ok().json(&*JSON)
}

/// The page to read it on. Loads nothing but its own style sheet.
#[get("")]
pub(super) async fn page() -> HttpResponse {
    static PAGE: LazyLock<String> = LazyLock::new(render);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'"))
        .body(PAGE.as_str())
}

/// Its style sheet.
#[get("/style.css")]
pub(super) async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/css; charset=utf-8"))
        .body(include_str!("docs.css"))
}

fn render() -> String {
    let mut groups: BTreeMap<&str, Vec<(&str, &str, &Value)>> = BTreeMap::new();
    for (path, method, operation) in operations() {
        let tag = operation["tags"][0].as_str().unwrap_or("other");
        groups.entry(tag).or_default().push((path, method, operation));
    }
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Poundlock API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/docs/style.css\"></head>\
         <body><header><h1>Poundlock API</h1>",
    );
    paragraph(&mut html, &JSON["info"]["description"]);
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
            render_operation(&mut html, path, method, operation);
        }
        html.push_str("</section>");
    }
    html.push_str("</main></body></html>");
    html
}

fn render_operation(html: &mut String, path: &str, method: &str, operation: &Value) {
    let (method, path) = (method.to_uppercase(), escape(path));
    let _infallible = write!(html, "<article><h3><b>{method}</b> <code>{path}</code></h3>");
    paragraph(html, &operation["summary"]);
    paragraph(html, &operation["description"]);
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut rows: Vec<_> = parameters
        .map(|parameter| {
            let place = parameter["in"].as_str().unwrap_or_default();
            row(
                &parameter["name"],
                place,
                parameter["required"] == true,
                &parameter["schema"],
                parameter,
            )
        })
        .collect();
    let content = operation["requestBody"]["content"].as_object();
    for (media, body) in content.into_iter().flatten() {
        rows.extend(body_rows(media, resolve(&body["schema"])));
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
fn body_rows(media: &str, schema: &Value) -> Vec<String> {
    let Some(fields) = schema["properties"].as_object() else {
        return vec![row(&Value::Null, media, true, schema, schema)];
    };
    let required = schema["required"].as_array();
    fields
        .iter()
        .map(|(name, field)| {
            let needed = required.is_some_and(|names| names.iter().any(|other| other == name));
            row(&Value::from(name.as_str()), "body", needed, field, field)
        })
        .collect()
}

fn row(name: &Value, place: &str, required: bool, schema: &Value, described: &Value) -> String {
    let name = escape(name.as_str().unwrap_or("the body"));
    let mark = if required { "" } else { " <i>optional</i>" };
    let meaning = escape(described["description"].as_str().unwrap_or_default());
    let (place, kind) = (escape(place), escape(&type_of(schema)));
    format!("<tr><td><code>{name}</code>{mark}</td><td>{place}</td><td>{kind}</td><td>{meaning}</td></tr>")
}

/// A type in a few words.
fn type_of(schema: &Value) -> String {
    let schema = resolve(schema);
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().filter_map(Value::as_str).collect();
        return words.join(" | ");
    }
    if let Some(cases) = schema["oneOf"].as_array() {
        let cases: Vec<_> = cases.iter().map(type_of).filter(|case| case != "null").collect();
        return cases.join(" or ");
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", type_of(&schema["items"])),
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
fn resolve(schema: &Value) -> &Value {
    let name = schema["$ref"]
        .as_str()
        .and_then(|path| path.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| &JSON["components"]["schemas"][name])
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
        let all: Vec<_> = operations().collect();
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

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        let html = render();
        assert!(html.contains("/api/v1/setup"));
        assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("<script"));
    }
}
