//! How things stand with the post, for people who look: nothing else depends on it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::domain::notification::ChannelKind;

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The channels that something was tried over since the node started.
    pub channels: BTreeMap<ChannelKind, ChannelStanding>,
    /// What is wrong with an owner's templates; the built-in ones are used in their place.
    pub templates: Vec<String>,
}

/// How things stand with a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelStanding {
    /// Messages that were handed over since the node started.
    pub delivered: u64,
    /// What went wrong last, since something was last handed over.
    pub last_error: Option<String>,
    /// Until when nothing is tried, because the server takes nothing.
    pub paused_until: Option<Timestamp>,
}

/// Written by the post, read by whoever looks.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Standing>);

impl Shared {
    pub(super) fn standing(&self) -> Standing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn channel(&self, kind: ChannelKind, change: impl FnOnce(&mut ChannelStanding)) {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(standing.channels.entry(kind).or_default());
    }

    /// Notes what is wrong with the templates, and says whether that is news.
    pub(super) fn templates(&self, wrong: Vec<String>) -> bool {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let news = standing.templates != wrong;
        standing.templates = wrong;
        news
    }
}
