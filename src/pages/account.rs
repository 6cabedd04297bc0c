//! Somebody's own account.

use maud::html;

use super::piece::facts::facts;
use super::piece::text::reveal;
use super::{Answer, Site, Visit};
use crate::acts::accounts;
use crate::domain::object::Body;

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/account", show);
}

async fn show(visit: Visit) -> Answer {
    let actor = visit.actor.clone();
    let account = visit
        .read(move |view| accounts::user(view, &actor, actor.user))
        .await?;
    let Body::User(user) = &account.object.body else {
        return Err(super::Problem::not_found("there is no such account"));
    };
    Ok(visit.page("Your account").body(html! {
        div.card {
            (facts([
                ("Name", html! { (reveal(&user.name)) }),
                ("E-mail address", html! { (user.email) }),
                ("Institution", html! { (reveal(&user.institution)) }),
                ("Website", html! { (reveal(&user.website)) }),
            ]))
        }
        (visit.form("/sign-out", html! { div.actions { button { "Sign out" } } }))
    }))
}
