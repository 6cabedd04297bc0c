//! Another token for a session whose person has just shown once more who they are: whoever had read the one before has nothing of
//! it from then on.

use std::sync::{Arc, OnceLock};

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use zeroize::Zeroizing;

/// What a program sends along that takes another token up. Whoever does not, keeps the one that they have: it may stand where the
/// program cannot write it, in a variable of the environment say.
const ASKED: &str = "poundlock-renews";
/// What the answer tells it in.
const TOLD: HeaderName = HeaderName::from_static("poundlock-token");

/// Where the new token goes, for the answer to tell it; none where nobody would take it up.
#[derive(Clone, Default)]
pub struct Renewal(Option<Arc<OnceLock<Zeroizing<String>>>>);

impl std::fmt::Debug for Renewal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Renewal(..)")
    }
}

impl Renewal {
    /// For whoever takes another token up.
    pub fn wanted() -> Self {
        Self(Some(Arc::default()))
    }

    /// As the sender of a request of the API wants it. [`tell`] finds it again.
    pub(super) fn of(request: &HttpRequest) -> Self {
        if !request.headers().contains_key(ASKED) {
            return Self::default();
        }
        let renewal = Self::wanted();
        request.extensions_mut().insert(renewal.clone());
        renewal
    }

    /// Whether anybody would take it up.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Puts the new token where the answer finds it. A request renews once.
    pub(super) fn put(&self, token: Zeroizing<String>) {
        if let Some(place) = &self.0 {
            let _set = place.set(token);
        }
    }

    /// The new token, once there is one.
    pub fn token(&self) -> Option<&Zeroizing<String>> {
        self.0.as_ref()?.get()
    }
}

/// Tells a program its session's new token, if there is one.
pub(super) fn tell<B: MessageBody>(answered: &mut ServiceResponse<B>) {
    let renewal = answered.request().extensions().get::<Renewal>().cloned();
    let token = renewal.as_ref().and_then(Renewal::token);
    if let Some(mut value) = token.and_then(|token| HeaderValue::from_str(token).ok()) {
        value.set_sensitive(true);
        answered.headers_mut().insert(TOLD, value);
    }
}
