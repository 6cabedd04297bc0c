//! Things by their names: commands take an id, or a name where only one thing has it.

use serde_json::Value;
use uuid::Uuid;

use super::client::{Client, part};
use super::failure::{Code, Failure};
use super::print;
use crate::domain::text::folded;

/// A peer's id, by its id or name.
pub(super) fn peer(client: &Client, named: &str) -> Result<String, Failure> {
    if is_id(named) {
        return Ok(named.to_owned());
    }
    let peers = client.list("/peers", true)?;
    one_peer(named, &peers["items"])
}

/// Peers are few, and bear the names that somebody else gave them: where none fits, the names are told.
fn one_peer(named: &str, peers: &Value) -> Result<String, Failure> {
    one("peer", named, "id", "name", peers).map_err(|failure| {
        if failure.code() != Code::NotFound {
            return failure;
        }
        let names = peers.as_array().into_iter().flatten();
        let names: Vec<_> = names
            .map(|peer| format!("{:?}", print::field(peer, "name")))
            .collect();
        let known = if names.is_empty() {
            "none is paired yet".to_owned()
        } else {
            format!("there is {}", names.join(", "))
        };
        Failure::new(
            Code::NotFound,
            format!("there is no peer {named:?}; {known} (see poundlock pair list)"),
        )
    })
}

/// A dataset's id, by its id or name.
pub(super) fn dataset(client: &Client, named: &str) -> Result<String, Failure> {
    resolve(
        client,
        "dataset",
        named,
        &format!("/datasets?limit=200&name={}", part(named)),
    )
}

/// A project's id, by its id or name.
pub(super) fn project(client: &Client, named: &str) -> Result<String, Failure> {
    resolve(client, "project", named, "/projects?limit=200")
}

/// A user's id, by their id or e-mail address.
pub(super) fn user(client: &Client, named: &str) -> Result<String, Failure> {
    if is_id(named) {
        return Ok(named.to_owned());
    }
    one(
        "user",
        named,
        "id",
        "email",
        &client.get(&format!("/users?email={}", part(named)))?["items"],
    )
}

/// A role's id, by its id or name.
pub(super) fn role(client: &Client, named: &str) -> Result<String, Failure> {
    resolve(client, "role", named, "/roles")
}

/// A group's id, by its id or name.
pub(super) fn group(client: &Client, named: &str) -> Result<String, Failure> {
    resolve(client, "group", named, "/groups?limit=200")
}

/// An asset's id, by its id or as `DATASET/ASSET`.
pub(super) fn asset(client: &Client, named: &str) -> Result<String, Failure> {
    if is_id(named) {
        return Ok(named.to_owned());
    }
    let Some((of, name)) = named.rsplit_once('/') else {
        return Err(Failure::usage(format!(
            "an asset is named by its id or as DATASET/ASSET, not {named:?}"
        )));
    };
    let of = dataset(client, of)?;
    let found = client.get(&format!("/datasets/{}", part(&of)))?;
    one("asset", name, "id", "name", &found["assets"])
}

/// The id, in the field `id`, of the one item of a list whose `field` is `named`; what is an id already stays.
pub(super) fn one_of(
    what: &str,
    named: &str,
    id: &str,
    field: &str,
    list: impl FnOnce() -> Result<Value, Failure>,
) -> Result<String, Failure> {
    if is_id(named) {
        return Ok(named.to_owned());
    }
    one(what, named, id, field, &list()?["items"])
}

fn resolve(client: &Client, what: &str, named: &str, list: &str) -> Result<String, Failure> {
    if is_id(named) {
        return Ok(named.to_owned());
    }
    one(what, named, "id", "name", &client.list(list, true)?["items"])
}

fn is_id(named: &str) -> bool {
    named.parse::<Uuid>().is_ok()
}

/// The id of the one item whose `field` is `named`, without regard to case. Names are unique on the node where a thing was
/// made; two nodes may have used the same.
fn one(what: &str, named: &str, id: &str, field: &str, items: &Value) -> Result<String, Failure> {
    let mut ids = Vec::new();
    for item in items.as_array().into_iter().flatten() {
        let name = item[field].as_str().map(folded);
        if name.is_some_and(|name| name == folded(named)) {
            ids.push(print::field(item, id));
        }
    }
    match ids.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(Failure::new(
            Code::NotFound,
            format!("there is no {what} {named:?} that you may see"),
        )),
        several => Err(Failure::usage(format!(
            "{named:?} is the name of {} {what}s; use the id: {}",
            several.len(),
            several.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_names_no_peer_is_told_which_there_are() {
        let peers = json!([{"id": "1", "name": "Low node"}, {"id": "2", "name": "Clinic"}]);
        assert_eq!(one_peer("low NODE", &peers).unwrap(), "1");
        let missing = one_peer("low", &peers).unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
        assert!(
            missing.to_string().contains("\"Low node\", \"Clinic\""),
            "{missing}"
        );
        let none = one_peer("low", &json!([])).unwrap_err().to_string();
        assert!(none.contains("pair list"), "{none}");
    }

    #[test]
    fn a_name_must_be_one_things_alone() {
        let items = json!([{"id": "1", "name": "a"}, {"id": "2", "name": "b"}, {"id": "3", "name": "b"}]);
        assert_eq!(one("dataset", "a", "id", "name", &items).unwrap(), "1");
        let missing = one("dataset", "c", "id", "name", &items).unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
        let several = one("dataset", "b", "id", "name", &items).unwrap_err();
        assert_eq!(several.code(), Code::Usage);
        assert!(several.to_string().contains("2, 3"));
    }
}
