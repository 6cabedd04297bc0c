//! What is pointed out in code beside its source. Python's own parser takes a process in the sandbox, so what it tells is
//! kept for a while: code never changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use maud::{Markup, html};
use tokio::sync::Semaphore;

use super::Context;
use super::piece::icon::Icon;
use super::piece::status::{Tone, badge};
use super::piece::text::reveal;
use crate::api::blocking::off_the_arbiter;
use crate::domain::code::Code;
use crate::domain::hash::Hash;
use crate::domain::outline::{self, Outline};
use crate::domain::reading::{self, Pointed, Topic};

/// Readings that are kept.
const KEPT: usize = 200;
/// Lines that are named for one topic.
const LINES_SHOWN: usize = 12;

/// What has been read.
#[derive(Debug)]
pub struct Readings {
    kept: Mutex<BTreeMap<Hash, Arc<Reading>>>,
    /// One parser at a time: a page is patient, and runs are more important.
    turn: Semaphore,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            kept: Mutex::new(BTreeMap::new()),
            turn: Semaphore::new(1),
        }
    }
}

/// What is pointed out in one source.
#[derive(Debug)]
pub struct Reading {
    pointed: Pointed,
    /// Why Python's parser could not be asked, if it could not.
    unparsed: Option<String>,
}

impl Readings {
    /// Reads code, or remembers what was read. A node that cannot sandbox tells what can be told without a parser.
    pub async fn read(&self, context: &Context, code: &Code) -> Arc<Reading> {
        let known = || {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(&code.hash).cloned()
        };
        if let Some(known) = known() {
            return known;
        }
        let _turn = self.turn.acquire().await;
        if let Some(known) = known() {
            return known;
        }
        let outlined = outlined(context, code.source.clone()).await;
        let reading = Arc::new(Reading::of(code, outlined));
        if reading.unparsed.is_none() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT {
                kept.pop_first();
            }
            kept.insert(code.hash, Arc::clone(&reading));
        }
        reading
    }
}

async fn outlined(context: &Context, source: String) -> Result<Outline, String> {
    let runtime = Arc::clone(&context.runtime);
    let outlined = off_the_arbiter(move || runtime.outline(&[source])).await;
    let outlined = outlined.map_err(|problem| problem.detail().to_owned())?;
    let outlined = outlined.map_err(|error| error.to_string())?;
    match outlined.into_iter().next() {
        Some(Ok(outline)) => Ok(outline),
        Some(Err(problem)) => Err(format!("it is not Python: {problem}")),
        None => Err("the parser gave no answer".to_owned()),
    }
}

impl Reading {
    /// Points out what there is. The rule is asked again: nobody here has held against it what came in a bundle.
    fn of(code: &Code, outlined: Result<Outline, String>) -> Self {
        let judged = outlined.as_ref().map(|outline| outline::judge(code, outline));
        let refused = judged.ok().and_then(Result::err).unwrap_or_default();
        Self {
            pointed: reading::read(&code.source, outlined.as_ref().ok(), &refused),
            unparsed: outlined.err(),
        }
    }

    /// The lines that ask for attention.
    pub fn marked(&self) -> Vec<u32> {
        let marked = self
            .pointed
            .facts
            .iter()
            .filter(|fact| fact.topic.asks_for_attention());
        marked.map(|fact| fact.line).collect()
    }

    /// What is pointed out, by topic; what was looked for and not found is said too. Links lead to lines by their anchor.
    pub fn shown(&self, anchor: &str) -> Markup {
        html! {
            @if let Some(why) = &self.unparsed {
                p { (badge(Tone::Warning, Icon::Warning, "not parsed")) " " (reveal(why)) }
            }
            dl.facts.reading {
                @for topic in Topic::ALL { @if self.has(topic) { (self.topic(topic, anchor)) } }
                @let absent = self.absent();
                @if self.pointed.more {
                    div {
                        dt { "Not all of it" " " (badge(Tone::Warning, Icon::Warning, "look")) }
                        dd { "There is more in this code than can be pointed out. What is not named here may be in it all the same." }
                    }
                } @else if !absent.is_empty() { div { dt { "Looked for and not seen" } dd { (absent.join("; ")) } } }
            }
            p.hint { "A reading aid. It finds what is written plainly, and code can be written to hide from it: read the source." }
        }
    }

    fn has(&self, topic: Topic) -> bool {
        self.pointed.facts.iter().any(|fact| fact.topic == topic)
    }

    /// What was looked for and not found. What could not be looked for is not among it.
    fn absent(&self) -> Vec<&'static str> {
        let looked_for = |topic: &Topic| self.unparsed.is_none() || !topic.needs_outline();
        let absent = Topic::ALL
            .into_iter()
            .filter(|topic| looked_for(topic) && !self.has(*topic));
        absent.map(Topic::title).collect()
    }

    fn topic(&self, topic: Topic, anchor: &str) -> Markup {
        let found: Vec<_> = self
            .pointed
            .facts
            .iter()
            .filter(|fact| fact.topic == topic)
            .collect();
        let mut by_what: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for fact in &found {
            by_what.entry(fact.what.as_str()).or_default().push(fact.line);
        }
        html! {
            div {
                dt {
                    (topic.title())
                    @if topic.asks_for_attention() { " " (badge(Tone::Warning, Icon::Warning, "look")) }
                }
                dd {
                    ul.plain {
                        @for (what, lines) in by_what.iter().take(LINES_SHOWN) {
                            li {
                                code { (reveal(what)) } " "
                                @for line in lines.iter().take(LINES_SHOWN) { a.line-link href=(format!("#{anchor}-{line}")) { "line " (line) } " " }
                                @if lines.len() > LINES_SHOWN { "and " (lines.len() - LINES_SHOWN) " more" }
                            }
                        }
                        @if by_what.len() > LINES_SHOWN { li { "and " (by_what.len() - LINES_SHOWN) " more" } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::UserId;
    use crate::domain::policy::{InputPolicy, OutputPolicy};

    #[test]
    fn the_rule_is_asked_again_of_code_that_may_have_come_from_elsewhere() {
        let (policy, once) = (
            InputPolicy::exact_match(BTreeMap::new()).unwrap(),
            OutputPolicy::SingleExecution,
        );
        let author = UserId(uuid::Uuid::nil());
        let code = Code::new("means", author, "print()\ndef f(): pass\n", "f", policy, once).unwrap();
        let mut outline = crate::acts::scene::outline(&[]);
        let shown = |outline: &Outline| {
            Reading::of(&code, Ok(outline.clone()))
                .shown("code")
                .into_string()
        };
        assert!(!shown(&outline).contains("runs at import"));
        outline.statements.push(outline::Statement {
            line: 1,
            kind: outline::StatementKind::Other("Expr".into()),
            binds: Vec::new(),
            origins: Vec::new(),
            evaluated: Vec::new(),
            body: Vec::new(),
        });
        let shown = shown(&outline);
        assert!(
            shown.contains("Against the rule for code")
                && shown.contains("a statement that runs at import (Expr)"),
            "{shown}"
        );
    }

    #[test]
    fn what_was_not_seen_is_named_only_where_everything_was_told() {
        let shown = |more| {
            let reading = Reading {
                pointed: Pointed {
                    facts: Vec::new(),
                    more,
                },
                unparsed: None,
            };
            reading.shown("code").into_string()
        };
        assert!(shown(false).contains("Looked for and not seen"));
        assert!(!shown(true).contains("Looked for and not seen"));
        assert!(shown(true).contains("more in this code than can be pointed out"));
    }
}
