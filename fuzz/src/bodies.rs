//! JSON bodies of the API, sent to a real node in this process: read as the handlers' types, and what is read is judged by the rules.
//!
//! An input is the name of an operation, a line feed, and the body. Which operations there are, and what their bodies look
//! like, the node's own description says; ids in addresses are those of things that the node has.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use actix_web::http::Method;
use actix_web::rt::System;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use poundlock::api::{Context, PREFIX, routes};
use poundlock::domain::side::Side;
use poundlock::node::{Config, Running, make, open};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Parser, folder};

/// After so many inputs the node is made anew, or what they leave behind would slow it down.
const INPUTS: u32 = 5_000;

/// What is not asked for, by a part of the operation's name.
const LEFT_OUT: [&str; 7] = [
    // Ends or changes the session or account that is asked with, or demands a second factor of it.
    "patch_settings",
    "users_me",
    // Hashes a password, slowly on purpose: a few inputs a second are not worth it.
    "post_sessions",
    "post_setup",
    "post_users",
    "password",
    // Would let the node send mail to whatever host an input names.
    "notifications_settings",
];

/// Sends a request; the answer's status and body.
type Ask = Box<dyn Fn(TestRequest) -> Pin<Box<dyn Future<Output = (u16, Value)>>>>;

/// An operation that takes a JSON body.
struct Operation {
    method: Method,
    path: String,
    schema: Value,
}

/// A low node that was set up, its owner's session, and a thing of each kind that is easily had.
struct Lab {
    send: Ask,
    token: String,
    operations: BTreeMap<String, Operation>,
    schemas: Value,
    running: Running,
    _folder: TempDir,
}

impl Lab {
    async fn new() -> Self {
        let folder = folder();
        let root = folder.path().join("node");
        let mut config = Config::new(Side::Low);
        // No code runs here; and what would start it is this very program, which is no node.
        config.runtime.launcher = Some("/nonexistent/poundlock".into());
        config.runtime.python.interpreter = Some("/nonexistent/python3".into());
        let made = make::make(&root, "Lab", &config).unwrap();
        let running = open(&root, config).unwrap().start().unwrap();
        let context = web::Data::new(Context::new(running.node().clone()));
        let app = Rc::new(init_service(App::new().app_data(context).configure(routes(Side::Low))).await);
        let send: Ask = Box::new(move |request| {
            let app = Rc::clone(&app);
            Box::pin(async move {
                let response = call_service(&*app, request.to_request()).await;
                let status = response.status().as_u16();
                let body = read_body(response).await;
                (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
            })
        });
        let mut lab = Self {
            send,
            token: String::new(),
            operations: BTreeMap::new(),
            schemas: Value::Null,
            running,
            _folder: folder,
        };
        let (email, password) = ("olga@example.org", "correct horse battery staple");
        let owner = json!({"name": "Olga", "email": email, "password": password});
        let set_up = json!({"token": made.setup_token.to_string(), "name": "Lab", "owner": owner});
        lab.post("/setup", &set_up).await;
        let session = lab
            .post("/sessions", &json!({"email": email, "password": password}))
            .await;
        lab.token = text(&session["token"]);
        lab.furnish().await;
        lab
    }

    /// Has something at the addresses, and learns the operations.
    async fn furnish(&mut self) {
        let mut ids = BTreeMap::new();
        let dataset = text(&self.post("/datasets", &json!({"name": "Stones"})).await["id"]);
        let assets = format!("/datasets/{dataset}/assets");
        ids.insert(
            "assets",
            text(&self.post(&assets, &json!({"name": "sizes"})).await["id"]),
        );
        ids.insert("datasets", dataset);
        ids.insert(
            "projects",
            text(&self.post("/projects", &json!({"name": "Walls"})).await["id"]),
        );
        ids.insert(
            "groups",
            text(&self.post("/groups", &json!({"name": "Masons"})).await["id"]),
        );
        let role = json!({"name": "Mason", "permissions": []});
        ids.insert("roles", text(&self.post("/roles", &role).await["id"]));
        let (_, description) = (self.send)(TestRequest::get().uri(&format!("{PREFIX}/openapi.json"))).await;
        self.schemas = description["components"]["schemas"].clone();
        for (path, item) in description["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = text(&operation["operationId"]);
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                if schema.is_null() || LEFT_OUT.iter().any(|part| name.contains(part)) {
                    continue;
                }
                let operation = Operation {
                    method: method.to_uppercase().parse().unwrap(),
                    path: address(path, &ids),
                    schema: schema.clone(),
                };
                self.operations.insert(name, operation);
            }
        }
        assert!(self.operations.len() > 20, "the description names few operations");
    }

    fn by_owner(&self, request: TestRequest) -> TestRequest {
        request.insert_header(("Authorization", format!("Bearer {}", self.token)))
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = TestRequest::post().uri(&format!("{PREFIX}{path}")).set_json(body);
        let request = if self.token.is_empty() {
            request
        } else {
            self.by_owner(request)
        };
        let (status, answer) = (self.send)(request).await;
        assert_eq!(status, 201, "{path}: {answer}");
        answer
    }

    /// Whether the node takes the body, or refuses it for what it knows and not for how the body looks.
    async fn ask(&self, input: &[u8]) -> bool {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
            return false;
        };
        let name = std::str::from_utf8(&input[..end]).unwrap_or_default();
        let Some(operation) = self.operations.get(name) else {
            return false;
        };
        let request = TestRequest::with_uri(&operation.path)
            .method(operation.method.clone())
            .insert_header(("Content-Type", "application/json"))
            .set_payload(input[end + 1..].to_vec());
        let (status, answer) = (self.send)(self.by_owner(request)).await;
        // Others from 500 on say what this node is not ready for.
        assert_ne!(status, 500, "{name}: {answer}");
        let kind = answer["type"].as_str().unwrap_or_default();
        assert!(!kind.ends_with("not_signed_in"), "{name}: the session is gone");
        if status >= 400 {
            assert!(
                !kind.is_empty(),
                "{name}: {status} is no problem document: {answer}"
            );
        }
        !matches!(status, 400 | 413 | 415)
    }

    /// Bodies that their descriptions call for, with all that may be in them and with no more than must be.
    fn examples(&self) -> Vec<Vec<u8>> {
        let operations = self.operations.iter();
        let examples = operations.flat_map(|(name, operation)| {
            [false, true].map(|all| {
                let body = example(&operation.schema, &self.schemas, all, 6);
                format!("{name}\n{body}").into_bytes()
            })
        });
        examples.collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A path of the description with an id in each place: of the thing that is named before it, or of nothing.
fn address(path: &str, ids: &BTreeMap<&str, String>) -> String {
    let mut before = "";
    let parts = path.split('/').map(|part| {
        let part = match part.starts_with('{') {
            true => ids
                .get(before)
                .map_or("00000000-0000-0000-0000-000000000000", String::as_str),
            false => part,
        };
        before = part;
        part.to_owned()
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A value that a schema describes.
fn example(schema: &Value, schemas: &Value, all: bool, depth: u8) -> Value {
    let inner = |schema: &Value| match depth {
        0 => Value::Null,
        _ => example(schema, schemas, all, depth - 1),
    };
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return inner(&schemas[name]);
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        let choices = schema[choice].as_array().into_iter().flatten();
        if let Some(first) = choices.into_iter().find(|choice| choice["type"] != "null") {
            return inner(first);
        }
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    let kind = schema["type"].as_str().or(schema["type"][0].as_str());
    match (kind, schema["format"].as_str()) {
        (Some("object"), _) => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let properties = schema["properties"].as_object().into_iter().flatten();
            let wanted = properties.filter(|(name, _)| all || required.contains(&json!(name)));
            Value::Object(
                wanted
                    .map(|(name, schema)| (name.clone(), inner(schema)))
                    .collect::<Map<_, _>>(),
            )
        }
        (Some("array"), _) => json!([inner(&schema["items"])]),
        (Some("integer" | "number"), _) => schema.get("minimum").cloned().unwrap_or(json!(1)),
        (Some("boolean"), _) => json!(true),
        (Some("string"), Some("uuid")) => json!("00000000-0000-0000-0000-000000000000"),
        (Some("string"), Some("date-time")) => json!("2026-11-25T12:00:00Z"),
        (Some("string"), _) => json!("a"),
        _ => Value::Null,
    }
}

pub(super) fn bodies() -> Parser {
    let system = System::new();
    let mut lab = system.block_on(Lab::new());
    let mut seeds = lab.examples();
    seeds.retain(|seed| system.block_on(lab.ask(seed)));
    let mut inputs = 0;
    Parser::new(seeds, move |input| {
        inputs += 1;
        if inputs % INPUTS == 0 {
            let fresh = system.block_on(Lab::new());
            system.block_on(std::mem::replace(&mut lab, fresh).running.stop());
        }
        system.block_on(lab.ask(input))
    })
}
