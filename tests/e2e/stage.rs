//! Where hostile bundles are played: two nodes between which bundles have passed, and peers that are only keys.

use std::path::PathBuf;

use poundlock::domain::id::UserId;
use poundlock::domain::object::Body;
use poundlock::domain::project::Project;
use poundlock::sync::record::Upward;
use poundlock_transport::{NodeIdentity, PublicIdentity};
use serde_json::json;
use uuid::Uuid;

use crate::forge::{self, Outsider, Parts, keys};
use crate::person::Person;
use crate::watch::Watch;
use crate::world::{World, apply_all, import, text};

/// Two nodes, a first bundle that has gone up and been applied, and a second that waits on the stick.
pub struct Stage {
    pub world: World,
    pub low: NodeIdentity,
    pub low_public: PublicIdentity,
    pub high: PublicIdentity,
    pub first: PathBuf,
    pub second: PathBuf,
    pub project: String,
    pub code: String,
    pub request: String,
}

const SOURCE: &str = "def means(table):\n    return 1\n";

pub fn identity(who: &Person) -> PublicIdentity {
    PublicIdentity::from_text(&String::from_utf8(who.download("/node/identity")).unwrap()).unwrap()
}

/// A dataset that is born on the low node, with a mock.
pub fn low_dataset(world: &World) -> String {
    let named = json!({"name": "Weights", "description": "of stones"});
    let dataset = text(&world.low_owner.post("/datasets", &named)["id"]);
    let named = json!({"name": "stones", "description": ""});
    let asset = text(
        &world
            .low_owner
            .post(&format!("/datasets/{dataset}/assets"), &named)["id"],
    );
    let columns = json!([{"name": "weight", "type": "int", "min": 1, "max": 90}]);
    let plan = json!({"rows": 20, "seed": 1, "columns": columns});
    world
        .low_owner
        .post(&format!("/assets/{asset}/mock/generation"), &plan);
    asset
}

impl Stage {
    pub fn new() -> Self {
        let world = World::new();
        let asset = low_dataset(&world);
        let project = world.project();
        let code = world.scientist.post(
            "/codes",
            &json!({
                "name": "means", "source": SOURCE, "entry_point": "means",
                "input_policy": {"table": {"asset": asset}}, "output_policy": "single_execution",
            }),
        );
        let code = text(&code["id"]);
        let request = world.request(&project, &code, "a first");
        let first = world.export_up();
        import(&world.owner, &first);
        apply_all(&world.owner, &world.low_id);
        world.request(&project, &code, "a second");
        let second = world.export_up();
        Self {
            low: keys(&world.low),
            low_public: identity(&world.low_owner),
            high: identity(&world.owner),
            world,
            first,
            second,
            project,
            code,
            request,
        }
    }

    pub fn watch(&self) -> Watch<'_> {
        Watch {
            node: &self.world.high,
            who: &self.world.owner,
        }
    }

    /// The second bundle, opened; nothing has been acknowledged, so it holds all.
    pub fn parts(&self) -> Parts {
        Parts::open(&self.second, &self.low_public, &keys(&self.world.high))
    }

    pub fn signed(&self, parts: &Parts) -> Vec<u8> {
        parts.file(&self.low, &self.high)
    }

    /// The second bundle with one record in another's place.
    pub fn replacing(&self, kind: &str, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let parts = self.parts();
        let (place, record) = parts.record(kind);
        self.signed(&parts.next(|next| next.records[place] = change(&record)))
    }
}

/// A person and their project, as an outsider would send them.
pub fn stranger_project(stranger: &Outsider, name: &str) -> Vec<Vec<u8>> {
    let (home, user, project) = (stranger.keys.node(), Uuid::now_v7(), Uuid::now_v7());
    let profile = poundlock::domain::user::Profile {
        name: "Oda Outsider".to_owned(),
        email: "oda@elsewhere.example".to_owned(),
        institution: String::new(),
        website: String::new(),
    };
    let person = poundlock::domain::user::User::new(&profile).unwrap();
    let frame = Project::new(name, "", UserId(user), &[]).unwrap();
    vec![
        forge::record::<Upward>(home, user, 1, project, &Body::User(person)),
        forge::record::<Upward>(home, project, 1, project, &Body::Project(frame)),
    ]
}
