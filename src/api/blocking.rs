//! Work that may block, kept off the threads that answer.

use actix_web::web;

use super::problem::Problem;

/// Runs what may block on a thread of its own.
///
/// # Errors
/// The node is stopping.
pub async fn off_the_arbiter<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    web::block(work)
        .await
        .map_err(|_stopping| Problem::busy("the node is stopping; try again when it runs"))
}
