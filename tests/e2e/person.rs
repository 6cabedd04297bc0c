//! Somebody who speaks REST to a node.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Response;

/// A person at a node, signed in or not.
#[derive(Clone)]
pub struct Person {
    pub address: String,
    pub token: Option<String>,
    agent: Agent,
}

/// A status and a document.
pub type Answer = (u16, Value);

impl Person {
    /// Somebody who has not signed in.
    pub fn nobody(address: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            // A node closes a connection that was idle for some seconds, and a request sent in that moment gets no answer; nor
            // does one over a connection of a node that has died since.
            .max_idle_connections(0)
            .build();
        Self {
            address: address.to_owned(),
            token: None,
            agent: config.into(),
        }
    }

    /// Signs in.
    pub fn sign_in(address: &str, email: &str, password: &str) -> Self {
        let mut person = Self::nobody(address);
        let session = person.post("/sessions", &json!({"email": email, "password": password}));
        person.token = Some(session["token"].as_str().unwrap().to_owned());
        person
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.address)
    }

    fn authorization(&self) -> String {
        self.token
            .as_ref()
            .map(|token| format!("Bearer {token}"))
            .unwrap_or_default()
    }

    /// Sends a request without a body and answers with its status and document.
    pub fn try_get(&self, path: &str) -> Answer {
        answer(
            self.agent
                .get(self.url(path))
                .header("Authorization", self.authorization())
                .call(),
        )
    }

    pub fn try_delete(&self, path: &str) -> Answer {
        answer(
            self.agent
                .delete(self.url(path))
                .header("Authorization", self.authorization())
                .call(),
        )
    }

    pub fn try_post(&self, path: &str, body: &Value) -> Answer {
        let request = self.agent.post(self.url(path));
        let request = match &self.token {
            Some(_) => request.header("Authorization", self.authorization()),
            None => request,
        };
        answer(request.send_json(body))
    }

    pub fn try_patch(&self, path: &str, body: &Value) -> Answer {
        let request = self
            .agent
            .patch(self.url(path))
            .header("Authorization", self.authorization());
        answer(request.send_json(body))
    }

    pub fn try_post_bytes(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        let request = self
            .agent
            .post(self.url(path))
            .header("Authorization", self.authorization());
        answer(request.content_type(kind).send(body))
    }

    pub fn try_put_bytes(&self, path: &str, body: &[u8]) -> Answer {
        self.try_put_bytes_as(path, "application/octet-stream", body)
    }

    pub fn try_put_bytes_as(&self, path: &str, kind: &str, body: &[u8]) -> Answer {
        let request = self
            .agent
            .put(self.url(path))
            .header("Authorization", self.authorization());
        answer(request.content_type(kind).send(body))
    }

    /// Sends a document, or nothing, to a node that may die over it: no answer then.
    pub fn attempt(&self, method: &str, path: &str, body: &Value) -> Option<Answer> {
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(body).unwrap()
        };
        self.attempt_bytes(method, path, "application/json", &bytes)
    }

    /// As [`Self::attempt`], with bytes of a kind.
    pub fn attempt_bytes(&self, method: &str, path: &str, kind: &str, bytes: &[u8]) -> Option<Answer> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(self.url(path))
            .header("Authorization", self.authorization())
            .header("Content-Type", kind)
            .body(bytes)
            .unwrap();
        let mut response = self.agent.run(request).ok()?;
        let status = response.status().as_u16();
        let read = response
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_vec()
            .ok()?;
        Some((status, serde_json::from_slice(&read).unwrap_or(Value::Null)))
    }

    /// Fetches bytes of a node that may die over it.
    pub fn attempt_download(&self, path: &str) -> Option<Vec<u8>> {
        let asked = self
            .agent
            .get(self.url(path))
            .header("Authorization", self.authorization());
        let mut response = asked.call().ok()?;
        let read = response
            .body_mut()
            .with_config()
            .limit(1 << 32)
            .read_to_vec()
            .ok()?;
        (response.status() == 200).then_some(read)
    }

    pub fn get(&self, path: &str) -> Value {
        expect(self.try_get(path), path)
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        expect(self.try_post(path, body), path)
    }

    pub fn post_bytes(&self, path: &str, kind: &str, body: &[u8]) -> Value {
        expect(self.try_post_bytes(path, kind, body), path)
    }

    /// Sends a request without a body whose answer is bytes.
    pub fn post_for_bytes(&self, path: &str) -> Vec<u8> {
        let request = self
            .agent
            .post(self.url(path))
            .header("Authorization", self.authorization());
        let mut response = request.send_empty().unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.body_mut().read_to_vec().unwrap()
    }

    pub fn put_bytes(&self, path: &str, body: &[u8]) -> Value {
        expect(self.try_put_bytes(path, body), path)
    }

    pub fn delete(&self, path: &str) -> Value {
        expect(self.try_delete(path), path)
    }

    /// Sends a document, and answers with the bytes that come back.
    pub fn post_json_for_bytes(&self, path: &str, body: &Value) -> Vec<u8> {
        let request = self
            .agent
            .post(self.url(path))
            .header("Authorization", self.authorization());
        let mut response = request.send_json(body).unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.body_mut().read_to_vec().unwrap()
    }

    /// Asks for bytes, and answers with the status and what came.
    pub fn try_download(&self, path: &str) -> (u16, Vec<u8>) {
        let asked = self
            .agent
            .get(self.url(path))
            .header("Authorization", self.authorization());
        let mut response = asked.call().unwrap();
        (
            response.status().as_u16(),
            response.body_mut().read_to_vec().unwrap(),
        )
    }

    /// Fetches bytes.
    pub fn download(&self, path: &str) -> Vec<u8> {
        let mut response = self
            .agent
            .get(self.url(path))
            .header("Authorization", self.authorization())
            .call()
            .unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response
            .body_mut()
            .with_config()
            .limit(1 << 32)
            .read_to_vec()
            .unwrap()
    }

    /// Asks until the answer is what `ready` waits for. The node's own limits bound how long that can take.
    pub fn wait_for(&self, path: &str, ready: impl Fn(&Value) -> bool) -> Value {
        loop {
            let now = self.get(path);
            if ready(&now) {
                return now;
            }
            std::thread::yield_now();
        }
    }
}

/// The stable word of a problem.
pub fn word(answer: &Answer) -> &str {
    let kind = answer.1["type"].as_str().unwrap_or_default();
    kind.strip_prefix("urn:poundlock:problem:").unwrap_or(kind)
}

fn answer(response: Result<Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = response.unwrap();
    let bytes = response
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_vec()
        .unwrap();
    (
        response.status().as_u16(),
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

fn expect((status, document): Answer, path: &str) -> Value {
    assert!((200..300).contains(&status), "{path}: {status} {document:#}");
    document
}
