//! Which addresses there are. A page can only be added through a [`Site`], and a [`Site`] takes no handler for a POST
//! that does not check where the POST comes from.

use actix_web::{FromRequest, Handler, Responder, guard, web};

use super::form::{Form, OpenForm, ReviewForm};
use super::upload::Upload;

/// Takes the addresses of the pages.
pub struct Site<'a>(&'a mut web::ServiceConfig);

impl std::fmt::Debug for Site<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Site")
    }
}

/// The arguments of a handler that may change something: the first of them has checked the form's token and origin.
/// Implemented for nothing else, so that a handler without it does not compile.
pub trait Checked {}

macro_rules! checked {
    ($($form:ident($($further:ident),*);)*) => {
        $(impl<const MOST: usize, $($further),*> Checked for ($form<MOST>, $($further),*) {})*
    };
}

checked! {
    Form();
    Form(A);
    Form(A, B);
    ReviewForm(A);
    OpenForm();
    OpenForm(A);
    OpenForm(A, B);
}

impl Checked for (Upload,) {}
impl<A> Checked for (Upload, A) {}

impl<'a> Site<'a> {
    /// Adds to this configuration.
    pub fn new(configuration: &'a mut web::ServiceConfig) -> Self {
        Self(configuration)
    }

    /// A page to look at, which changes nothing.
    pub fn get<F, Args>(&mut self, path: &str, handler: F)
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let looking = guard::Any(guard::Get()).or(guard::Head());
        self.0.route(path, web::route().guard(looking).to(handler));
    }

    /// What a form is sent to. The handler's first argument is the form.
    pub fn post<F, Args>(&mut self, path: &str, handler: F)
    where
        F: Handler<Args>,
        Args: FromRequest + Checked + 'static,
        F::Output: Responder + 'static,
    {
        self.0.route(path, web::post().to(handler));
    }
}
