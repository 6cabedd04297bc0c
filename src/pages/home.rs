//! Where somebody begins: data owners with what waits for them, scientists with the catalogue.

use super::{Answer, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/", home);
}

async fn home(visit: Visit) -> Answer {
    Ok(visit.go("/datasets"))
}
