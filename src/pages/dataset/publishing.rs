//! To which low nodes a dataset goes, and taking one over that was born on a low node.

use actix_web::web::Path;
use maud::{Markup, html};
use uuid::Uuid;

use super::address;
use crate::acts::{Refusal, publications};
use crate::domain::access::{Actor, Permission};
use crate::domain::id::{DatasetId, NodeId};
use crate::domain::object::Object;
use crate::domain::peer::Trust;
use crate::domain::side::Level;
use crate::pages::piece::icon::Icon;
use crate::pages::piece::status::{Tone, badge};
use crate::pages::piece::text::reveal;
use crate::pages::visit::Shell;
use crate::pages::{Answer, Confirm, Form, Notice, Site, Visit};
use crate::store::read::View;
use crate::store::records::{self, Here};

pub(super) fn routes(site: &mut Site<'_>) {
    site.post("/datasets/{id}/publications", change);
    site.get("/datasets/{id}/adoption", confirm_adoption);
    site.post("/datasets/{id}/adoption", adopt);
}

/// Where a dataset goes.
pub(super) enum Published {
    /// Its home is here.
    From {
        /// The paired nodes, each with whether it goes there.
        nodes: Vec<(Uuid, String, bool)>,
        /// The names of its assets whose home is elsewhere: they joined it before their node knew that it was taken over.
        strays: Vec<String>,
    },
    /// Its home is a low node.
    Elsewhere,
}

impl Published {
    /// What is known of it, for those who publish on a high node; none for everybody else.
    pub(super) fn read(
        view: &View,
        actor: &Actor,
        here: &Here,
        dataset: &Object,
    ) -> Result<Option<Self>, Refusal> {
        let publishes = here.side.level().is_ok_and(|level| level == Level::High)
            && actor.may(Permission::UploadData)
            && actor.may(Permission::Sync);
        if !publishes {
            return Ok(None);
        }
        if dataset.home != here.node {
            return Ok(Some(Self::Elsewhere));
        }
        let id = DatasetId(dataset.id);
        let published = publications::list(view, actor, here, id)?;
        let strays = publications::assets_elsewhere(view, here.node, id)?;
        let paired = records::peers(view)?
            .into_iter()
            .filter(|(_, peer)| peer.trust == Trust::Paired);
        let nodes = paired.map(|(id, peer)| (id, peer.name, published.contains(&NodeId(id))));
        Ok(Some(Self::From {
            nodes: nodes.collect(),
            strays: strays.iter().map(|asset| asset.body.title()).collect(),
        }))
    }
}

pub(super) fn shown(visit: &Shell, id: DatasetId, published: &Published) -> Markup {
    let at = address(id);
    html! {
        section.card {
            h2 { "Where it goes" }
            @match published {
                Published::Elsewhere => {
                    p { "It was made on a low node, and is changed there. To attach private data to its assets, take it over: its home is this node then." }
                    (take_over(&at))
                },
                Published::From { nodes, strays } => {
                    @if !strays.is_empty() {
                        p { "Added on a low node since this one took the dataset over: " (reveal(&strays.join(", "))) ". To attach private data there, or to delete the dataset, take that over too." }
                        (take_over(&at))
                    }
                    (places(visit, &at, nodes))
                },
            }
        }
    }
}

fn take_over(at: &str) -> Markup {
    html! { div.actions { a.button href=(format!("{at}/adoption")) { "Take it over" } } }
}

fn places(visit: &Shell, at: &str, nodes: &[(Uuid, String, bool)]) -> Markup {
    html! {
        @if nodes.is_empty() {
            p.soft { "To no node: this one is paired with none." }
        } @else {
            p.hint { "What goes are its description and its mocks, now and whenever they change. Private data never goes." }
            (visit.form(&format!("{at}/publications"), html! {
                ul.plain {
                    @for (peer, name, goes) in nodes {
                        li {
                            (reveal(name)) " "
                            @if *goes {
                                (badge(Tone::Good, Icon::Out, "published")) " "
                                button.small name="withdraw" value=(peer) { "Publish no more" span.only-heard { " to " (reveal(name)) } }
                            } @else { button.small name="publish" value=(peer) { "Publish" span.only-heard { " to " (reveal(name)) } } }
                        }
                    }
                }
            }))
        }
    }
}

async fn change(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), DatasetId(*id));
    let publishes = form.fields.has("publish");
    let word = if publishes { "publish" } else { "withdraw" };
    let peer = NodeId(form.fields.parsed(word, "the id of a node")?);
    form.context
        .store
        .act(move |tx, here| {
            if publishes {
                publications::publish(tx, &actor, here, id, peer)
            } else {
                publications::withdraw(tx, &actor, here, id, peer)
            }
        })
        .await?;
    let said = if publishes {
        "It is published. It goes with the next bundle, unless it is held."
    } else {
        "It is published there no more. What that node has, it keeps."
    };
    Ok(form.go_and_say(&address(id), &Notice::done(said)))
}

async fn confirm_adoption(visit: Visit, id: Path<Uuid>) -> Answer {
    let id = DatasetId(*id);
    Ok(Confirm {
        title: "Take this dataset over?",
        explained: html! {
            p { "Its home passes to this node with all its assets, and nobody changes it on the low node any more. It is published to the node that it came from, and that its assets came from, so that scientists go on seeing it." }
        },
        action: &format!("{}/adoption", address(id)),
        hidden: &[],
        button: "Take it over",
        dangerous: false,
        back: &address(id),
    }
    .page(&visit))
}

async fn adopt(form: Form, id: Path<Uuid>) -> Answer {
    let (actor, id) = (form.actor.clone(), DatasetId(*id));
    form.context
        .store
        .act(move |tx, here| publications::adopt(tx, &actor, here, id))
        .await?;
    Ok(form.go_and_say(
        &address(id),
        &Notice::done("Its home, and that of all its assets, is this node now."),
    ))
}
