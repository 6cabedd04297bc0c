//! Where somebody begins: data owners with what waits for them, scientists with the catalogue.

use crate::domain::access::Permission;

use super::{Answer, Site, Visit};

pub(super) fn routes(site: &mut Site<'_>) {
    site.get("/", home);
}

async fn home(visit: Visit) -> Answer {
    let looks_after_data = visit.may(Permission::TriageRequests) || visit.may(Permission::Sync);
    Ok(visit.go(if looks_after_data { "/inbox" } else { "/datasets" }))
}
