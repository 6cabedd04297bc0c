//! Problems as pages: what was wrong, and what to do. The same [`Problem`] that the API tells as a document.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError, web};
use maud::{Markup, html};

use super::account::second_factor;
use super::fields::sentence;
use super::layout::{self, Notice};
use super::piece::icon::{Icon, icon};
use super::piece::text::reveal;
use super::visit::Shell;
use super::{Context, Problem};
use crate::api::problem::Reason;

/// Middleware: leads to the set-up page until the node is set up, to the sign-in page whoever must sign in first, and
/// renders every other problem as a page.
pub(super) async fn as_pages(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let path = request.path();
    if path != "/setup" && !path.starts_with("/static/") {
        let context = request.app_data::<web::Data<Context>>().cloned();
        let set_up = match context {
            Some(context) => context.is_set_up().await,
            None => Ok(true),
        };
        // What cannot be read is told by the page itself.
        if let Ok(false) = set_up {
            let answer = HttpResponse::SeeOther()
                .insert_header((LOCATION, "/setup"))
                .finish();
            return Ok(request.into_response(answer).map_into_right_body());
        }
    }
    let answered = next.call(request).await?;
    let problem = answered
        .response()
        .error()
        .and_then(|error| error.as_error::<Problem>())
        .cloned();
    match problem {
        None => Ok(answered.map_into_left_body()),
        Some(problem) => {
            let request = answered.request().clone();
            let mut page = told(&request, &problem).await;
            page.extensions_mut().insert(Reason(problem.word()));
            Ok(ServiceResponse::new(request, page).map_into_right_body())
        }
    }
}

async fn told(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    if problem.word() == "second_factor_required" {
        return to_second_factor();
    }
    match Shell::of(request).await {
        Ok(shell) if problem.word() == "not_signed_in" => to_sign_in(request, &shell),
        Ok(shell) => {
            let body = explained(problem);
            shell
                .page(problem.title())
                .status(problem.status_code())
                .body(body)
        }
        Err(failed) if failed.word() == "second_factor_required" => to_second_factor(),
        // The store fails: whatever the page needed, this is what is known.
        Err(failed) => bare(&failed),
    }
}

/// Leads to the only page that is open to somebody who must add a second factor; it says why.
fn to_second_factor() -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, second_factor::ADDRESS))
        .finish()
}

/// Leads to the sign-in page, and back from there if the page was only looked at.
fn to_sign_in(request: &HttpRequest, shell: &Shell) -> HttpResponse {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("next", &shell.address)
            .finish();
        shell.go(&format!("/sign-in?{query}"))
    } else {
        let notice =
            Notice::warning("Your session has ended, and nothing was done. Sign in, then try again.");
        shell.go_and_say("/sign-in", &notice)
    }
}

/// What is wrong, the mend, and where to go from here.
fn explained(problem: &Problem) -> Markup {
    html! {
        div.card.narrow.failure role="alert" {
            p.lead { (icon(Icon::Warning)) " " (reveal(&sentence(problem.detail()))) }
            @if problem.errors().len() > 1 {
                ul { @for wrong in problem.errors() { li { code { (wrong.field) } ": " (reveal(&wrong.problem)) } } }
            }
            @match problem.status_code() {
                StatusCode::NOT_FOUND => p { "It may have been removed, or it may be none of yours to see." },
                StatusCode::PRECONDITION_FAILED => p { "Nothing was done. Go back, load the page again, and look at what is there now." },
                StatusCode::INTERNAL_SERVER_ERROR => p { "Nothing of what you typed is in the log. Tell whoever runs the node the number of the incident." },
                _ => {},
            }
            div.actions { a.button href="/" { "To the start page" } }
        }
    }
}

/// A page without the shell.
fn bare(problem: &Problem) -> HttpResponse {
    let body = layout::bare(&problem.title(), &explained(problem)).into_string();
    let mut answer = HttpResponse::build(problem.status_code());
    if problem.status_code() == StatusCode::SERVICE_UNAVAILABLE {
        answer.insert_header((RETRY_AFTER, "1"));
    }
    answer
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(body)
}
