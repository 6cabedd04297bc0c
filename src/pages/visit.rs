//! Who looks at a page, and what every page needs to know of them and of the node: taken together in one read.

use std::net::IpAddr;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{LOCATION, SET_COOKIE};
use actix_web::{FromRequest, HttpRequest, HttpResponse, HttpResponseBuilder, web};
use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::account::second_factor;
use super::layout::{Notice, Page};
use super::sign_in::SIGN_OUT;
use super::{Context, Problem};
use crate::acts::notices::inbox;
use crate::acts::{Refusal, accounts, settings};
use crate::api::cookies::{Cookie, Jar};
use crate::api::origin;
use crate::api::permissions;
use crate::api::renewal::Renewal;
use crate::api::sessions::agent;
use crate::clock;
use crate::domain::access::{Actor, Permission, Viewer};
use crate::domain::hash::Hash;
use crate::domain::session;
use crate::domain::side::Side;
use crate::store::read::View;

/// What every page needs: the node, whoever looks at it, and the secret of their forms.
pub struct Shell {
    /// The running node.
    pub context: web::Data<Context>,
    /// Who looks, if they are signed in.
    pub actor: Option<Actor>,
    /// How the node is called.
    pub node_name: String,
    /// Who runs it; may be empty.
    pub organization: String,
    /// What it is for, as its owner tells everybody; may be empty.
    pub description: String,
    /// Its side.
    pub side: Side,
    /// How many of their notifications whoever looks has not read.
    pub unread: u64,
    /// Whether people without an account may browse.
    pub guests: bool,
    /// Whether people may make accounts for themselves.
    pub registration: bool,
    /// The address of this page, with its query.
    pub address: String,
    /// The browser, as it calls itself.
    pub agent: String,
    /// Where it is, for counting its tries.
    pub from: IpAddr,
    jar: Jar,
    /// The session's token, or the secret of somebody without a session.
    secret: Zeroizing<String>,
    /// Whether the browser does not have the secret yet.
    secret_is_new: bool,
    /// Where the session's next token goes, which is the secret from then on.
    pub renewal: Renewal,
    notice: Option<Notice>,
    /// Whether whoever looks must add a second factor before any other page is open to them.
    pub owes_second_factor: bool,
}

impl std::fmt::Debug for Shell {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shell")
            .field("actor", &self.actor)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Shell {
    /// Looks everything up. A session that does not hold any more counts as none.
    ///
    /// # Errors
    /// The store cannot be read, or the page is not open to somebody who must add a second factor first.
    pub async fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let context = request
            .app_data::<web::Data<Context>>()
            .cloned()
            .ok_or_else(|| Problem::busy("the node is starting; try again in a moment"))?;
        let jar = Jar::of(request);
        let session = jar.read(request, Cookie::Session);
        let (hash, now) = (
            session.as_ref().map(|token| session::token_hash(token)),
            context.store.now(),
        );
        let (caller, settings, unread) = context
            .store
            .read(move |view| {
                let caller = match &hash {
                    Some(hash) => accounts::caller(view, hash, now)?,
                    None => None,
                };
                let unread = match &caller {
                    Some(caller) => inbox::unread(view, &caller.actor)?,
                    None => 0,
                };
                Ok((caller, settings::current(view)?, unread))
            })
            .await?;
        let owes = caller.as_ref().is_some_and(|caller| caller.owes_second_factor);
        if owes && !is_open_without_second_factor(request.path()) {
            return Err(Problem::second_factor_required());
        }
        let actor = caller.map(|caller| caller.actor);
        let known = match &actor {
            Some(_) => session,
            None => jar.read(request, Cookie::Visitor),
        };
        let secret_is_new = known.is_none();
        let secret = known.unwrap_or_else(|| Zeroizing::new(BASE64URL_NOPAD.encode(&clock::random_bytes())));
        let notice = jar
            .read(request, Cookie::Notice)
            .and_then(|sealed| Notice::open(&sealed, &secret));
        Ok(Self {
            side: context.side,
            agent: agent(request),
            from: origin::address(&context, request),
            context,
            actor,
            unread,
            guests: settings.allow_guests,
            registration: settings.allow_registration,
            node_name: settings.name,
            organization: settings.organization,
            description: settings.description,
            address: request
                .uri()
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
            jar,
            secret,
            secret_is_new,
            renewal: Renewal::wanted(),
            notice,
            owes_second_factor: owes,
        })
    }

    /// Who looks, for the catalogue: a guest where the owner lets guests in.
    ///
    /// # Errors
    /// Nobody is signed in, and guests do not browse here.
    pub fn viewer(&self) -> Result<Viewer, Problem> {
        match &self.actor {
            Some(actor) => Ok(Viewer::Person(actor.clone())),
            None if self.guests => Ok(Viewer::Guest),
            None => Err(Problem::not_signed_in()),
        }
    }

    /// Whether whoever looks may do something. For what a page offers; what they do is judged again when they do it.
    pub fn may(&self, permission: Permission) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.may(permission))
    }

    /// Whether this node exchanges bundles with others. Where it does not, no page speaks of them.
    pub fn exchanges_bundles(&self) -> bool {
        self.side.level().is_ok()
    }

    /// The path of this page.
    pub fn path(&self) -> &str {
        self.address.split('?').next().unwrap_or("/")
    }

    /// The token that forms of this person carry. It follows from a secret that only their browser has, so nothing is
    /// stored, and nobody else can make it.
    pub fn form_token(&self) -> String {
        Hash::derive("poundlock form token 1", self.secret().as_bytes()).to_string()
    }

    /// Whether a form carries the token. Compared in constant time.
    pub fn is_form_token(&self, token: &str) -> bool {
        bool::from(self.form_token().as_bytes().ct_eq(token.as_bytes()))
    }

    /// The session's token, as it is by now, or the secret of somebody without a session.
    fn secret(&self) -> &str {
        self.renewal.token().unwrap_or(&self.secret)
    }

    /// The hash under which this person's session is stored.
    pub fn session_hash(&self) -> Hash {
        session::token_hash(self.secret())
    }

    /// A page.
    pub fn page(&self, title: impl Into<String>) -> Page<'_> {
        Page::new(self, title.into())
    }

    /// What the page before left to say.
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }

    /// Leads the browser to another page of this node, by GET.
    pub fn go(&self, address: &str) -> HttpResponse {
        let mut answer = HttpResponse::SeeOther();
        answer.insert_header((LOCATION, address));
        self.with_cookies(&mut answer, None);
        answer.finish()
    }

    /// Leads the browser to another page, which says what was done.
    pub fn go_and_say(&self, address: &str, notice: &Notice) -> HttpResponse {
        let mut answer = HttpResponse::SeeOther();
        answer.insert_header((LOCATION, address));
        self.with_cookies(&mut answer, Some(notice));
        answer.finish()
    }

    /// Leads to another page as whoever has just begun or ended a session.
    pub fn go_as(&self, address: &str, token: Option<&str>) -> HttpResponse {
        let session = match token {
            Some(token) => self.jar.set(Cookie::Session, token),
            None => self.jar.remove(Cookie::Session),
        };
        let mut answer = HttpResponse::SeeOther();
        answer.insert_header((LOCATION, address));
        // A new session has a new secret; what was set for the one before is of no use.
        for cookie in [
            session,
            self.jar.remove(Cookie::Visitor),
            self.jar.remove(Cookie::Notice),
        ] {
            answer.append_header((SET_COOKIE, cookie));
        }
        answer.finish()
    }

    /// Adds the cookies that an answer sets: the secret if it is new, the session's next token if it has one, and the notice to show next, or that it was shown.
    pub(super) fn with_cookies(&self, answer: &mut HttpResponseBuilder, next: Option<&Notice>) {
        if self.secret_is_new {
            answer.append_header((SET_COOKIE, self.jar.set(Cookie::Visitor, &self.secret)));
        }
        if let Some(token) = self.renewal.token() {
            answer.append_header((SET_COOKIE, self.jar.set(Cookie::Session, token)));
        }
        match next {
            Some(notice) => {
                let sealed = notice.seal(self.secret());
                answer.append_header((SET_COOKIE, self.jar.set(Cookie::Notice, &sealed)));
            }
            None if self.notice.is_some() => {
                answer.append_header((SET_COOKIE, self.jar.remove(Cookie::Notice)));
            }
            None => {}
        }
    }

    /// Reads one committed state.
    ///
    /// # Errors
    /// What `reading` refuses, or the store cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        reading: impl FnOnce(&View) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Problem> {
        Ok(self.context.store.read(reading).await?)
    }
}

/// Somebody who is signed in looks at a page. Anybody else is led to the sign-in page.
#[derive(Debug)]
pub struct Visit {
    /// Who looks.
    pub actor: Actor,
    shell: Shell,
}

impl Deref for Visit {
    type Target = Shell;

    fn deref(&self) -> &Shell {
        &self.shell
    }
}

impl Visit {
    /// The visit of somebody who is signed in.
    ///
    /// # Errors
    /// They are not.
    pub fn signed_in(shell: Shell) -> Result<Self, Problem> {
        let actor = shell.actor.clone().ok_or_else(Problem::not_signed_in)?;
        Ok(Self { actor, shell })
    }

    /// Demands what the API demands of whoever calls one of its routes: both ask one table. For pages that show more than
    /// an act guards.
    ///
    /// # Errors
    /// The person may not call the route, or there is none of that name.
    pub fn demand(&self, method: &str, path: &str) -> Result<(), Problem> {
        match permissions::needs(method, path) {
            Some(needs) => Ok(needs.check(&self.actor).map_err(Refusal::from)?),
            None => Err(Problem::not_found("there is no page at this address")),
        }
    }
}

/// Anybody looks at a page, signed in or not.
#[derive(Debug)]
pub struct Anyone(pub Shell);

/// Whether a page is open to somebody who must add a second factor before they do anything else.
fn is_open_without_second_factor(path: &str) -> bool {
    path == SIGN_OUT || path.starts_with(second_factor::ADDRESS)
}

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

impl FromRequest for Visit {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::signed_in(Shell::of(&request).await?) })
    }
}

impl FromRequest for Anyone {
    type Error = Problem;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Shell::of(&request).await.map(Self) })
    }
}
