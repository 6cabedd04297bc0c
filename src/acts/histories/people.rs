//! What people do on the nodes of a history: the least that each kind of object takes.

use jiff::civil::Date;
use uuid::Uuid;

use super::node::Node;
use crate::acts::{Refusal, publications};
use crate::domain::asset::{Asset, DataFormat, Mock};
use crate::domain::code::Code;
use crate::domain::dataset::{Dataset, DatasetDraft};
use crate::domain::decision::{About, Decision, Maker, Verdict};
use crate::domain::hash::Hash;
use crate::domain::id::{AssetId, CodeId, DatasetId, JobId, NodeId, ProjectId, RequestId, UserId};
use crate::domain::job::{self, Job};
use crate::domain::object::{Body, Kind};
use crate::domain::policy::{Binding, InputPolicy, OutputPolicy};
use crate::domain::project::Project;
use crate::domain::release::{OutputFormat, Part, Release};
use crate::domain::request::{Open, Request, Subject};
use crate::domain::schema::Schema;
use crate::domain::user::{Profile, User};
use crate::store::read::Read;
use crate::store::records;
use crate::store::tables::{BY_KIND, PUBLISHED};

const DAY: Date = Date::constant(2026, 11, 22);

impl Node {
    pub fn user(&self, name: &str) -> Uuid {
        let profile = Profile {
            name: name.to_owned(),
            email: format!("{name}@example.org"),
            ..Profile::default()
        };
        self.write(Body::User(User::new(&profile).unwrap()))
    }

    pub fn project(&self, name: &str, members: &[Uuid]) -> Uuid {
        let members: Vec<_> = members.iter().copied().map(UserId).collect();
        self.write(Body::Project(
            Project::new(name, "", members[0], &members).unwrap(),
        ))
    }

    pub fn code(&self, author: Uuid, assets: &[Uuid]) -> Uuid {
        let bindings = assets.iter().enumerate();
        let bindings = bindings.map(|(at, asset)| (format!("a{at}"), Binding::Asset(AssetId(*asset))));
        let input = InputPolicy::exact_match(bindings.collect()).unwrap();
        let source = format!("def f(): return '{}'", self.fresh_id());
        let policy = OutputPolicy::ExecuteCount(1000);
        let code = Code::new("mean", UserId(author), &source, "f", input, policy).unwrap();
        self.write(Body::Code(code))
    }

    pub fn request(&self, project: Uuid, code: Uuid, requester: Uuid) -> Uuid {
        let (project, code, requester) = (ProjectId(project), CodeId(code), UserId(requester));
        let request = Request::new(project, code, requester, "to learn", None).unwrap();
        self.write(Body::Request(request))
    }

    /// Asks to see the private data of an asset.
    pub fn ask_for_data(&self, project: Uuid, asset: Uuid, requester: Uuid) -> Uuid {
        let subject = Subject::SeePrivate {
            project: ProjectId(project),
            asset: AssetId(asset),
        };
        let request = Request::of(subject, UserId(requester), "to compare", None).unwrap();
        self.write(Body::Request(request))
    }

    /// Asks to see a mock, which is nobody's business but this node's.
    pub fn ask_for_mock(&self, asset: Uuid, requester: Uuid) -> Uuid {
        let subject = Subject::SeeOpen(Open::Mock(AssetId(asset)));
        let request = Request::of(subject, UserId(requester), "to begin", None).unwrap();
        self.write(Body::Request(request))
    }

    /// A user, a project with them as its member, and a request with its code in it. Gives all four, in this order.
    pub fn collaboration(&self, name: &str, assets: &[Uuid]) -> [Uuid; 4] {
        let user = self.user(name);
        let project = self.project(name, &[user]);
        let code = self.code(user, assets);
        [user, project, code, self.request(project, code, user)]
    }

    pub fn dataset(&self, name: &str) -> Uuid {
        let draft = DatasetDraft {
            name: name.to_owned(),
            ..DatasetDraft::default()
        };
        self.write(Body::Dataset(Dataset::new(&draft).unwrap()))
    }

    pub fn asset(&self, dataset: Uuid, name: &str) -> Uuid {
        let mut asset = Asset::new(DatasetId(dataset), name, "").unwrap();
        asset.mock = Some(Mock {
            blob: Hash::of(name.as_bytes()),
            length: 10,
            format: DataFormat::Npy,
            schema: Schema::Tensor {
                dtype: "int64".to_owned(),
                shape: vec![3],
            },
            is_real: false,
        });
        self.write(Body::Asset(asset))
    }

    /// Publishes a dataset with its assets to a peer.
    pub fn publish(&self, dataset: Uuid, peer: Uuid) {
        let published = self.act(move |tx, here| -> Result<(), Refusal> {
            tx.put(&PUBLISHED, &(dataset, peer), &())?;
            let mut all = records::children(tx, dataset, Kind::Asset)?;
            all.extend(records::object(tx, dataset)?);
            for object in all {
                records::owe(tx, here, peer, &object, 1)?;
            }
            Ok(())
        });
        published.unwrap();
    }

    /// Publishes a dataset to a peer no more, if it was.
    pub fn withdraw(&self, dataset: Uuid, peer: Uuid) {
        let (owner, dataset, peer) = (self.owner(), DatasetId(dataset), NodeId(peer));
        match self.act(move |tx, here| publications::withdraw(tx, &owner, here, dataset, peer)) {
            Ok(()) | Err(Refusal::NotFound { .. }) => {}
            Err(refusal) => panic!("{refusal}"),
        }
    }

    /// Takes over a low-born dataset, with or without the assets that it has here, and publishes it to where it was born.
    pub fn adopt(&self, dataset: Uuid, with_assets: bool) {
        let born_at = self.object(dataset).unwrap().home;
        let adopted = self.act(move |tx, here| -> Result<(), Refusal> {
            let mut all = vec![records::object(tx, dataset)?.unwrap()];
            if with_assets {
                all.extend(records::children(tx, dataset, Kind::Asset)?);
            }
            tx.put(&PUBLISHED, &(dataset, born_at.0), &())?;
            for object in all.into_iter().filter(|object| object.home == born_at) {
                records::adopt(tx, here, object.id, object.body)?;
            }
            Ok(())
        });
        adopted.unwrap();
    }

    /// Decides on a request as it is here.
    pub fn decide(&self, request: Uuid, verdict: Verdict) -> Uuid {
        let object = self.object(request).unwrap();
        let Body::Request(body) = object.body else {
            panic!("no request")
        };
        let about = match (body.sight(), body.code()) {
            (Some(sight), _) => About::Sight {
                sight,
                revision: self.object(sight.object()).map(|object| object.revision),
            },
            (None, Some(code)) => {
                let Body::Code(body) = self.object(code.0).unwrap().body else {
                    panic!("no code")
                };
                About::Code {
                    code,
                    hash: body.hash,
                    assets: body.input_policy.assets(),
                }
            }
            (None, None) => panic!("it asks for nothing"),
        };
        let earlier = records::children(&self.view(), request, Kind::Decision).unwrap();
        let by = self.owner();
        self.write(Body::Decision(Decision {
            request: RequestId(request),
            number: u32::try_from(earlier.len()).unwrap() + 1,
            request_revision: object.revision,
            about,
            verdict,
            by: Maker::Person(by.user),
            by_name: by.name,
            on: DAY,
            until: None,
        }))
    }

    pub fn approve(&self, request: Uuid) -> Uuid {
        self.decide(request, Verdict::Approve)
    }

    pub fn job(&self, request: Uuid) -> Uuid {
        let Body::Request(body) = self.object(request).unwrap().body else {
            panic!("no request")
        };
        self.write(Body::Job(Job {
            request: RequestId(request),
            code: body.code(),
            verdict: job::Verdict::Succeeded,
            on: DAY,
        }))
    }

    pub fn release(&self, job: Uuid) -> Uuid {
        let Body::Job(body) = self.object(job).unwrap().body else {
            panic!("no job")
        };
        self.write(Body::Release(Release {
            job: JobId(job),
            request: body.request,
            part: Part::Result,
            blob: Hash::of(job.as_bytes()),
            length: 16,
            format: OutputFormat::Json,
            by_name: self.owner().name,
            on: DAY,
        }))
    }

    /// The ids of one kind that this node holds, oldest first.
    pub fn ids(&self, kind: Kind) -> Vec<Uuid> {
        let mut ids = Vec::new();
        let walked: Result<(), Refusal> = self.view().for_each(&BY_KIND, &(kind as u8), |(_, _, id), ()| {
            ids.push(id);
            Ok(())
        });
        walked.unwrap();
        ids
    }
}

/// Gives a user, a project, a dataset or an asset another text.
pub fn rename(body: &mut Body, name: &str) {
    match body {
        Body::User(user) => user.name = name.to_owned(),
        Body::Project(project) => project.description = name.to_owned(),
        Body::Dataset(dataset) => dataset.description = name.to_owned(),
        Body::Asset(asset) => asset.description = name.to_owned(),
        Body::Request(request) => match &mut request.subject {
            Subject::Run { runs_wanted, .. } => *runs_wanted += 1,
            Subject::SeeOpen(_) | Subject::SeePrivate { .. } => request.reason = name.to_owned(),
        },
        Body::Code(_) | Body::Decision(_) | Body::Job(_) | Body::Release(_) => {}
    }
}
