//! People with an account.

use std::collections::BTreeMap;
use std::net::IpAddr;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::passwords::Password;
use super::proof::{Caller, Shown};
use super::throttles::Trier;
use super::view::RevisionView;
use super::{Answer, Context, Json, MaybeSignedIn, Page, Problem, Query, SignedIn, origin, page, proof};
use crate::acts::accounts::{self, Change, NewUser, Person, ProfileChange, Wanted};
use crate::domain::access::Actor;
use crate::domain::id::UserId;
use crate::domain::object::Body;
use crate::domain::session::Credentials;
use crate::domain::user::{Profile, User};

pub(super) fn configure(routes: &mut ServiceConfig<'_>) {
    routes
        .service(create)
        .service(list)
        .service(me)
        .service(change_me)
        .service(show)
        .service(administer)
        .service(remove);
}

/// A person, and what they may do on this node. Never a password, a hash or a secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserView {
    /// Their id.
    id: Uuid,
    /// Always `user`.
    kind: &'static str,
    /// The node where they have their account.
    home: Uuid,
    /// The revision of what of them travels.
    revision: RevisionView,
    /// When this node first knew of them.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When what it knows last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// How they are called.
    name: String,
    /// Where mail reaches them.
    email: String,
    /// Where they work; may be empty.
    institution: String,
    /// Their page; may be empty.
    website: String,
    /// The public half of the key that they sign with; none if they do not.
    verify_key: Option<String>,
    /// What they may do; none for a person of another node.
    role: Option<Named>,
    /// Whether they may sign in here.
    active: bool,
    /// The groups that they are in.
    groups: Vec<Named>,
    /// Whether they have a second factor.
    second_factor: bool,
    /// Over which channels they want to be told of things: `EMAIL`, `SMS`, `SLACK` and `APP`, which is the inbox on the node.
    /// Empty for a person of another node.
    notifications_enabled: BTreeMap<&'static str, bool>,
}

/// A role or a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct Named {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

impl UserView {
    /// A person as those see them who may see them.
    pub fn of(person: &Person) -> Self {
        let object = &person.object;
        let (name, email, institution, website, verify_key) = match &object.body {
            Body::User(user) => (
                user.name.clone(),
                user.email.to_string(),
                user.institution.clone(),
                user.website.clone(),
                user.verify_key.map(|key| key.to_string()),
            ),
            _ => Default::default(),
        };
        let account = person.account.as_ref();
        let groups = account.into_iter().flat_map(|account| &account.groups);
        Self {
            id: object.id,
            kind: "user",
            home: object.home.0,
            revision: object.revision.into(),
            created_at: object.created_at,
            updated_at: object.updated_at,
            name,
            email,
            institution,
            website,
            verify_key,
            role: account.map(|account| Named {
                id: account.role.0.0,
                name: account.role.1.name.clone(),
            }),
            active: account.is_some_and(|account| account.active),
            groups: groups
                .map(|(id, name)| Named {
                    id: id.0,
                    name: name.clone(),
                })
                .collect(),
            second_factor: account.is_some_and(|account| account.second_factor),
            notifications_enabled: account
                .into_iter()
                .flat_map(|account| &account.notifications_enabled)
                .map(|(channel, on)| (channel.word(), *on))
                .collect(),
        }
    }
}

/// A page of people.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Users {
    /// The people.
    pub(super) items: Vec<UserView>,
    /// Where the next page begins; none on the last one.
    pub(super) next: Option<String>,
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewUserBody {
    /// How they are called.
    name: String,
    /// Where mail reaches them; they sign in with it.
    email: String,
    /// At least 15 characters, and not easily guessed.
    password: Password,
    /// Where they work.
    #[serde(default)]
    institution: String,
    /// Their web page.
    #[serde(default)]
    website: String,
    /// Id or name of the role; User if left out. Nobody gives a role with permissions that they lack.
    role: Option<String>,
}

/// Makes an account: by somebody with the permission, or by anybody for themselves where registration is open.
#[utoipa::path(tag = "accounts", security((), ("token" = [])), request_body = NewUserBody, responses(
    (status = 201, description = "The account", body = UserView), (status = 400, description = "A field is wrong"),
    (status = 401, description = "The token does not hold"), (status = 403, description = "Not allowed"),
    (status = 404, description = "No such role"), (status = 409, description = "The address has an account"),
    (status = 429, description = "Too many tries")))]
#[post("")]
async fn create(
    request: HttpRequest,
    context: web::Data<Context>,
    MaybeSignedIn(actor): MaybeSignedIn,
    Json(body): Json<NewUserBody>,
) -> Answer {
    let new = NewAccount {
        profile: Profile {
            name: body.name,
            email: body.email,
            institution: body.institution,
            website: body.website,
        },
        password: body.password,
        role: body.role,
    };
    let made = make(&context, actor, origin::address(&context, &request), new).await?;
    Ok(HttpResponse::Created().json(UserView::of(&made)))
}

/// An account that shall be made.
#[derive(Debug)]
pub struct NewAccount {
    /// Whose it is.
    pub profile: Profile,
    /// Their first password.
    pub password: Password,
    /// Id or name of the role; User if there is none.
    pub role: Option<String>,
}

/// Makes an account: by somebody with the permission, or by a stranger for themselves, at a bounded rate, where registration is
/// open.
///
/// # Errors
/// The actor may not, a field is wrong, the address has an account, or too many have been made from where the stranger is.
pub async fn make(
    context: &Context,
    actor: Option<Actor>,
    from: IpAddr,
    new: NewAccount,
) -> Result<Person, Problem> {
    let counted = match &actor {
        Some(_) => None,
        None => Some(context.throttles().admit(Trier::at(from), context.store.now())?),
    };
    let hashed = check_and_hash(context, actor.clone(), &new).await;
    if let Some(counted) = counted {
        match &hashed {
            // It has cost next to nothing.
            Err(problem) if problem.status() != StatusCode::CONFLICT => {
                context.throttles().take_back(counted)
            }
            // Strangers get few hashes, whatever comes of them: an account, or that the address has one.
            _ => counted.stays(),
        }
    }
    let wanted = NewUser {
        id: UserId(context.new_id()),
        profile: new.profile,
        credentials: hashed?,
        role: new.role,
    };
    let made = context
        .store
        .act(move |tx, here| accounts::create_user(tx, here, actor.as_ref(), &wanted))
        .await;
    Ok(made?)
}

/// Checks all that needs no hash, and makes the slow one last: what a stranger is refused before has cost next to nothing.
async fn check_and_hash(
    context: &Context,
    actor: Option<Actor>,
    new: &NewAccount,
) -> Result<Credentials, Problem> {
    let role = new.role.clone();
    let words = context
        .store
        .read(move |view| {
            accounts::may_create_user(view, actor.as_ref(), role.as_deref())?;
            accounts::own_words(view, None)
        })
        .await?;
    User::new(&new.profile)?;
    let own = [&new.profile.name, &new.profile.email, &new.profile.institution].map(Clone::clone);
    let words = words.into_iter().chain(own).collect();
    context.passwords().hash(new.password.clone(), words).await
}

/// What people are looked for by; all of it must fit.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Sought {
    /// Words that all stand in the name, the address or the institution.
    search: Option<String>,
    /// The whole name.
    name: Option<String>,
    /// The whole address.
    email: Option<String>,
    /// Id or name of a role.
    role: Option<String>,
    /// Id or name of a group.
    group: Option<String>,
    /// Items on the page, from 1 to 200; 50 by default.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// The people that the caller may see, newest first.
#[utoipa::path(tag = "accounts", security(("token" = [])), params(Sought), responses(
    (status = 200, description = "A page of people", body = Users), (status = 400, description = "A parameter is wrong"),
    (status = 401, description = "Not signed in"), (status = 404, description = "No such role or group")))]
#[get("")]
async fn list(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Query(sought): Query<Sought>,
) -> Answer {
    let page = Page::new(sought.limit, sought.cursor);
    let (limit, before) = (page.limit()?, page.after()?);
    let wanted = Wanted {
        search: sought.search,
        name: sought.name,
        email: sought.email,
        role: sought.role,
        group: sought.group,
    };
    let (people, next) = context
        .store
        .read_page(move |view| accounts::list(view, &actor, &wanted, before, limit))
        .await?;
    let list = Users {
        items: people.iter().map(UserView::of).collect(),
        next: next.as_ref().and_then(page::cursor),
    };
    Ok(page::shown(&list, people.len() + 1))
}

/// The caller.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 200, description = "The account", body = UserView), (status = 401, description = "Not signed in")))]
#[get("/me")]
async fn me(context: web::Data<Context>, SignedIn(actor): SignedIn) -> Answer {
    let user = context
        .store
        .look(|view| accounts::user(view, &actor, actor.user))?;
    Ok(page::shown(&UserView::of(&user), 1))
}

/// What the caller changes of themselves; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProfileBody {
    /// How they want to be called.
    name: Option<String>,
    /// Their address. The password must be sent with it, and a code where they have a second factor.
    email: Option<String>,
    /// Where they work.
    institution: Option<String>,
    /// Their web page.
    website: Option<String>,
    /// The caller's password, where the address changes.
    password: Option<Password>,
    /// A code of their second factor, or a recovery code, where the address changes and they have one.
    code: Option<String>,
}

/// Changes what the caller says of themselves.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = ProfileBody, responses(
    (status = 200, description = "The account as it is now", body = UserView),
    (status = 400, description = "A field is wrong"), (status = 401, description = "Not signed in, or a wrong password or code"),
    (status = 409, description = "The address has an account"), (status = 429, description = "Too many tries")))]
#[patch("/me")]
async fn change_me(
    request: HttpRequest,
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    Json(body): Json<ProfileBody>,
) -> Answer {
    let caller = Caller::of(&context, &request, actor);
    let change = ProfileChange {
        name: body.name,
        email: body.email,
        institution: body.institution,
        website: body.website,
    };
    let shown = Shown {
        password: body.password,
        code: body.code,
    };
    let user = change_own(&context, caller, change, shown).await?;
    Ok(page::shown(&UserView::of(&user), 1))
}

/// Changes what somebody says of themselves. Where the address changes, they show what they sign in with.
///
/// # Errors
/// A field, the password or the code is wrong, the address has an account, or too many tries have failed.
pub async fn change_own(
    context: &Context,
    caller: Caller,
    change: ProfileChange,
    shown: Shown,
) -> Result<Person, Problem> {
    let proves = change.email.is_some();
    if proves {
        proof::of_caller(context, &caller, shown).await?;
    }
    let actor = caller.actor.clone();
    let changed = context
        .store
        .act(move |tx, here| accounts::change_profile(tx, &actor, here, &change))
        .await?;
    if proves {
        proof::renew(context, &caller).await;
    }
    Ok(changed)
}

/// One person.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 200, description = "The person", body = UserView), (status = 401, description = "Not signed in"),
    (status = 404, description = "None that the caller may see")))]
#[get("/{id}")]
async fn show(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = UserId(*id);
    let user = context.store.look(|view| accounts::user(view, &actor, id))?;
    Ok(page::shown(&UserView::of(&user), 1))
}

/// What shall change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountBody {
    /// Id or name of the role. Nobody gives a role with permissions that they lack, or acts on somebody who has more than they.
    role: Option<String>,
    /// Whether they may sign in. Whoever is deactivated is signed out everywhere at once.
    active: Option<bool>,
    /// The groups that they are in: the whole list, each by id or name. Needs can_create_groups.
    groups: Option<Vec<String>>,
}

/// Changes what somebody may do.
#[utoipa::path(tag = "accounts", security(("token" = [])), request_body = AccountBody, responses(
    (status = 200, description = "The account as it is now", body = UserView),
    (status = 400, description = "A field is wrong"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "No such account, role or group"),
    (status = 409, description = "The last owner, or oneself")))]
#[patch("/{id}")]
async fn administer(
    context: web::Data<Context>,
    SignedIn(actor): SignedIn,
    id: web::Path<Uuid>,
    Json(body): Json<AccountBody>,
) -> Answer {
    let id = UserId(*id);
    let change = Change {
        role: body.role,
        active: body.active,
        groups: body.groups,
    };
    let user = context
        .store
        .act(move |tx, here| accounts::administer(tx, &actor, here, id, &change))
        .await?;
    Ok(page::shown(&UserView::of(&user), 1))
}

/// Deletes somebody's account. What they submitted stays, and so does what was decided and released.
#[utoipa::path(tag = "accounts", security(("token" = [])), responses(
    (status = 204, description = "Done"), (status = 401, description = "Not signed in"),
    (status = 403, description = "Not allowed"), (status = 404, description = "No such account"),
    (status = 409, description = "The last owner")))]
#[delete("/{id}")]
async fn remove(context: web::Data<Context>, SignedIn(actor): SignedIn, id: web::Path<Uuid>) -> Answer {
    let id = UserId(*id);
    context
        .store
        .act(move |tx, here| accounts::delete_user(tx, &actor, here, id))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A page of people that begins after an id.
pub(super) fn by_id(people: &[Person], limit: usize) -> Users {
    let last = people.last().filter(|_| people.len() == limit);
    Users {
        items: people.iter().map(UserView::of).collect(),
        next: last.and_then(|person| page::cursor(&person.object.id)),
    }
}
