//! Signing what is submitted. What is signed is computed here, of what the person gives: whatever a node says is believed only
//! as far as the same key has signed it before. A node that was broken into would have people sign what it likes.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::failure::Failure;
use super::key::file::KeyFile;
use super::{Session, key};
use crate::domain::code::Code;
use crate::domain::id::{CodeId, ProjectId, RequestId, UserId};
use crate::domain::object::Revision;
use crate::domain::policy::{Binding, InputPolicy, OutputPolicy};
use crate::domain::request::Request;
use crate::domain::signature::{Signature, Statement};
use crate::domain::text::Invalid;

/// The key to sign with.
#[derive(Debug, Clone, Args)]
pub(super) struct SignWith {
    /// Sign it with the key in this file, which you have registered: it is shown as signed by you
    #[arg(long, value_name = "FILE")]
    sign_with: Option<PathBuf>,
}

impl SignWith {
    /// The file with the key, if one was named.
    pub(super) fn file(&self) -> Option<&Path> {
        self.sign_with.as_deref()
    }

    /// Whoever signs, if anybody does.
    pub(super) fn signer(&self, session: &Session) -> Result<Option<Signer>, Failure> {
        let Some(file) = &self.sign_with else {
            return Ok(None);
        };
        let key = KeyFile::load(file)?;
        let user = key::me(session)?;
        Ok(Some(Signer { key, user }))
    }
}

/// Somebody with their key.
#[derive(Debug)]
pub(super) struct Signer {
    key: KeyFile,
    user: UserId,
}

/// A request that this key has signed, as the node shows it.
#[derive(Debug)]
pub(super) struct Earlier {
    id: RequestId,
    revision: u64,
    request: Request,
    /// The code of a request for a run.
    code: Option<Code>,
}

impl Earlier {
    fn statement(&self, revision: u64) -> Option<Statement> {
        match &self.code {
            Some(code) => Some(Statement::of_request(self.id, revision, &self.request, code)),
            None => Statement::of_request_to_see(self.id, revision, &self.request),
        }
    }
}

fn wrong(invalid: &Invalid) -> Failure {
    Failure::usage(invalid.to_string())
}

impl Signer {
    /// Adds the signature to code that is to be submitted.
    pub(super) fn sign_code(&self, body: &mut Value) -> Result<(), Failure> {
        let output = match body["output_policy"]["execute_count"].as_u64() {
            Some(count) => OutputPolicy::ExecuteCount(u32::try_from(count).unwrap_or(u32::MAX)),
            None => OutputPolicy::SingleExecution,
        };
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let code = Code::new(
            text("name"),
            self.user,
            text("source"),
            text("entry_point"),
            input_policy(&body["input_policy"]).map_err(|invalid| wrong(&invalid))?,
            output,
        );
        let code = code.map_err(|invalid| wrong(&invalid))?;
        body["signature"] = json!(self.key.sign(&Statement::of_code(&code)));
        Ok(())
    }

    /// Code that this key has signed, of what the node shows.
    fn signed_code(&self, shown: &Value) -> Result<Code, Failure> {
        let not_signed = || {
            Failure::failed(
                "the code is not signed with this key, or the node shows other code than was signed; submit it with \
                 --sign-with, then ask for it to be run",
            )
        };
        let mut plain = shown.clone();
        let policy = input_policy(&shown["input_policy"]).map_err(|_| not_signed())?;
        plain["input_policy"] = json!(policy);
        let code: Code = serde_json::from_value(plain).map_err(|_| not_signed())?;
        let mine = code.author == self.user && self.made(code.signature.as_ref(), &Statement::of_code(&code));
        if mine { Ok(code) } else { Err(not_signed()) }
    }

    fn made(&self, signature: Option<&Signature>, statement: &Statement) -> bool {
        signature.is_some_and(|signature| signature.key == self.key.public() && signature.holds(statement))
    }

    /// The body of a new, signed request.
    pub(super) fn new_request(
        &self,
        session: &Session,
        project: &str,
        code: &str,
        reason: &str,
        predecessor: Option<&str>,
    ) -> Result<Value, Failure> {
        let id = |what: &str, text: &str| -> Result<Uuid, Failure> {
            text.parse()
                .map_err(|_| Failure::usage(format!("{what} is named by its id, not {text:?}")))
        };
        let code_id = CodeId(id("code", code)?);
        let shown = session.client.get(&format!("/codes/{code_id}"))?;
        let signed_code = self.signed_code(&shown)?;
        let predecessor = predecessor
            .map(|earlier| id("a request", earlier))
            .transpose()?
            .map(RequestId);
        let project = ProjectId(id("a project", project)?);
        let request = Request::new(project, code_id, self.user, reason, predecessor);
        let request = request.map_err(|invalid| wrong(&invalid))?;
        let id = RequestId(Uuid::new_v4());
        let signature = self
            .key
            .sign(&Statement::of_request(id, 1, &request, &signed_code));
        Ok(json!({
            "id": id, "project": project, "code": code_id, "reason": request.reason, "predecessor": predecessor,
            "signature": signature,
        }))
    }

    /// The body of a new, signed request to see something. `object` and `project` are the ids that were named, or those that
    /// the node has given for names.
    pub(super) fn new_request_to_see(
        &self,
        of_type: &str,
        object: &str,
        project: Option<&str>,
        reason: &str,
        predecessor: Option<&str>,
    ) -> Result<Value, Failure> {
        let mut asked = json!({
            "requester": self.user, "object": {"type": of_type, "id": object}, "reason": reason, "withdrawn": false,
            "predecessor": predecessor,
        });
        if let Some(project) = project {
            asked["project"] = json!(project);
        }
        let request: Request = serde_json::from_value(asked)
            .map_err(|error| Failure::usage(format!("this cannot be asked for: {error}")))?;
        let request = Request::of(request.subject, self.user, reason, request.predecessor);
        let request = request.map_err(|invalid| wrong(&invalid))?;
        let id = RequestId(Uuid::new_v4());
        let signature =
            Statement::of_request_to_see(id, 1, &request).map(|statement| self.key.sign(&statement));
        let mut body = json!({
            "id": id, "object": request.sight(), "reason": request.reason, "predecessor": request.predecessor,
            "signature": signature,
        });
        if let Some(project) = request.project() {
            body["project"] = json!(project);
        }
        Ok(body)
    }

    /// A request that this key has signed, of what the node shows. Nothing is put on top of what somebody else may have
    /// written.
    pub(super) fn earlier(&self, shown: &Value) -> Result<Earlier, Failure> {
        let not_signed = || {
            Failure::failed(
                "the request is not signed with this key as the node shows it, so neither is what comes of it; go on without \
                 --sign-with, or make a new one with: poundlock request resubmit --reason … --sign-with",
            )
        };
        let code = match &shown["submitted_code"] {
            Value::Null => None,
            shown => Some(self.signed_code(shown)?),
        };
        let mut plain = shown.clone();
        if let Some(object) = plain["object"].as_object_mut() {
            // What the node tells of the object beside what it is: no part of the request.
            object.retain(|name, _| name == "type" || name == "id");
        }
        let request: Request = serde_json::from_value(plain).map_err(|_| not_signed())?;
        let id = shown["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .ok_or_else(not_signed)?;
        let revision: Revision =
            serde_json::from_value(shown["revision"].clone()).map_err(|_| not_signed())?;
        let earlier = Earlier {
            id,
            revision: revision.number,
            request,
            code,
        };
        let statement = earlier.statement(revision.number).ok_or_else(not_signed)?;
        let signature = earlier.request.signature.as_ref();
        if earlier.request.requester != self.user || !self.made(signature, &statement) {
            return Err(not_signed());
        }
        Ok(earlier)
    }

    /// Signs the next revision of a request, as `change` makes it.
    pub(super) fn next(&self, mut earlier: Earlier, change: impl FnOnce(&mut Request)) -> Value {
        change(&mut earlier.request);
        let statement = earlier.statement(earlier.revision + 1);
        json!({"signature": statement.map(|statement| self.key.sign(&statement))})
    }
}

/// Bindings as commands send them and nodes show them: constants as the JSON that they are.
fn input_policy(shown: &Value) -> Result<InputPolicy, Invalid> {
    let mut parameters = std::collections::BTreeMap::new();
    for (name, bound) in shown.as_object().into_iter().flatten() {
        let binding = match (bound.get("asset"), bound.get("constant")) {
            (Some(asset), None) => {
                let asset = asset.as_str().and_then(|id| id.parse().ok());
                let wrong = || Invalid::new(format!("input_policy.{name}"), "is bound to no asset");
                Binding::Asset(asset.ok_or_else(wrong)?)
            }
            (_, constant) => Binding::Constant(constant.cloned().unwrap_or_default().to_string()),
        };
        parameters.insert(name.clone(), binding);
    }
    InputPolicy::exact_match(parameters)
}

#[cfg(test)]
mod tests;
