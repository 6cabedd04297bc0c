//! Which batches to show or send: the same choice for previews, exports and reviews.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::client::part;

/// The kinds that a batch's root may be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RootKind {
    Project,
    Dataset,
    Request,
    Job,
}

impl RootKind {
    fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Dataset => "dataset",
            Self::Request => "request",
            Self::Job => "job",
        }
    }
}

/// Which batches.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Filters {
    /// Only requests of the person with this e-mail address, the jobs that answer them, and what they need
    #[arg(long, value_name = "EMAIL")]
    requester: Option<String>,
    /// Only batches of these kinds, and what they need
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    include: Vec<RootKind>,
    /// No batches of these kinds, nor what needs them; they stay owed
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    exclude: Vec<RootKind>,
}

/// How much to show of them.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Shown {
    #[command(flatten)]
    filters: Filters,
    /// Also show batches that are held, filtered out or ignored
    #[arg(long)]
    include_ignored: bool,
    /// Also show the objects that the receiver has already
    #[arg(long)]
    include_same: bool,
    /// Leave the source code out of the differences
    #[arg(long)]
    hide_code: bool,
}

impl Filters {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let words = |kinds: &[RootKind]| kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(",");
        [
            ("requester", self.requester.clone().unwrap_or_default()),
            ("include", words(&self.include)),
            ("exclude", words(&self.exclude)),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
    }

    /// As members of a JSON body.
    pub(super) fn body(&self) -> Map<String, Value> {
        let pairs = self.pairs().into_iter();
        pairs
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect()
    }
}

impl Shown {
    /// As a query, with its question mark.
    pub(super) fn query(&self) -> String {
        let mut pairs = self.filters.pairs();
        for (name, wanted) in [
            ("include_ignored", self.include_ignored),
            ("include_same", self.include_same),
            ("hide_code", self.hide_code),
        ] {
            if wanted {
                pairs.push((name, "true".to_owned()));
            }
        }
        query(&pairs)
    }
}

/// A query of names and values, with its question mark; nothing for none.
pub(super) fn query(pairs: &[(&str, String)]) -> String {
    let joined: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", part(value)))
        .collect();
    if joined.is_empty() {
        String::new()
    } else {
        format!("?{}", joined.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_travel_as_a_query_and_as_a_body() {
        let shown = Shown {
            filters: Filters {
                requester: Some("a+b@c.d".into()),
                include: vec![RootKind::Request, RootKind::Job],
                exclude: vec![],
            },
            hide_code: true,
            ..Shown::default()
        };
        assert_eq!(
            shown.query(),
            "?requester=a%2Bb%40c.d&include=request%2Cjob&hide_code=true"
        );
        assert_eq!(Shown::default().query(), "");
        assert_eq!(
            Value::Object(shown.filters.body()),
            serde_json::json!({"requester": "a+b@c.d", "include": "request,job"})
        );
    }
}
