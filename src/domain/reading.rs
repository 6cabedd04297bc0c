//! What a person who reviews code wants pointed out before they read it. A reading aid: it decides nothing, and code that
//! wants to hide something from it can. What code may do is bounded by the sandbox, and what leaves by whoever releases it.

mod watched;

use std::collections::BTreeMap;

use super::outline::{CodeProblem, Outline};
use super::python::{self, Piece};
use super::text::is_invisible;
use watched::topic_of;

/// A line that is longer is pointed out: what stands at its end is easily overlooked.
pub const LINE_MAX: usize = 200;

/// What is pointed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// What the rule for code refuses: above all, what computes something as the source is imported.
    Rule,
    /// Modules that are imported.
    Imports,
    /// Files that are read or written.
    Files,
    /// The network.
    Network,
    /// Code that is made while it runs, other programs, and ways around what can be read.
    Dynamic,
    /// What prints: it goes to the log.
    Prints,
    /// A parameter that is returned as a whole.
    Returns,
    /// Literals that are too large to be read.
    Literals,
    /// Characters that are not seen, or that turn the direction of the text.
    Hidden,
    /// Names with letters beyond ASCII, which may look like others.
    Names,
    /// Lines that are too long to be seen whole.
    Lines,
}

impl Topic {
    /// Every topic, in the order in which they are read.
    pub const ALL: [Self; 11] = [
        Self::Rule,
        Self::Returns,
        Self::Dynamic,
        Self::Network,
        Self::Files,
        Self::Prints,
        Self::Hidden,
        Self::Names,
        Self::Literals,
        Self::Lines,
        Self::Imports,
    ];

    /// What the topic is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rule => "Against the rule for code",
            Self::Imports => "Imports",
            Self::Files => "Files",
            Self::Network => "Network",
            Self::Dynamic => "eval, pickle, ctypes and the like",
            Self::Prints => "Prints to the log",
            Self::Returns => "Returns its input",
            Self::Literals => "Large literals",
            Self::Hidden => "Invisible or turning characters",
            Self::Names => "Names beyond ASCII",
            Self::Lines => "Long lines",
        }
    }

    /// Whether finding something asks for attention. Imports and prints are what most code has.
    pub fn asks_for_attention(self) -> bool {
        !matches!(self, Self::Imports | Self::Prints)
    }

    /// Whether it takes Python's own parser to tell.
    pub fn needs_outline(self) -> bool {
        !matches!(self, Self::Hidden | Self::Names | Self::Lines)
    }
}

/// Something that is pointed out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// What it is about.
    pub topic: Topic,
    /// The line, from 1.
    pub line: u32,
    /// What stands there.
    pub what: String,
}

/// Facts of one topic.
pub const FACTS_MAX: usize = 500;

/// What is to be pointed out in a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pointed {
    /// By topic and line.
    pub facts: Vec<Fact>,
    /// Whether there is more than can be pointed out: then what is not among the facts may be in the source all the same.
    pub more: bool,
}

/// What is to be pointed out in a source. Without an outline only what can be told from its characters. `refused` is what the rule for code
/// says of it: whatever was submitted here has passed, and of what came in a bundle only its own node could know.
pub fn read(source: &str, outline: Option<&Outline>, refused: &[CodeProblem]) -> Pointed {
    let mut facts = characters(source);
    facts.extend(names(source));
    facts.extend(
        refused
            .iter()
            .map(|problem| fact(Topic::Rule, problem.line, &problem.problem)),
    );
    if let Some(outline) = outline {
        facts.extend(structure(outline));
    }
    facts.sort();
    facts.dedup();
    let found = facts.len();
    let facts = by_topic(facts);
    Pointed {
        more: facts.len() < found || outline.is_some_and(|outline| outline.more),
        facts,
    }
}

/// Of each topic as many as may be pointed out; whatever is found, the first place of each before any second one. The facts are
/// sorted.
fn by_topic(facts: Vec<Fact>) -> Vec<Fact> {
    let mut seen: BTreeMap<(Topic, String), usize> = BTreeMap::new();
    let mut ranked: Vec<_> = facts
        .into_iter()
        .map(|fact| {
            let before = seen.entry((fact.topic, fact.what.clone())).or_default();
            *before += 1;
            (fact.topic, *before, fact)
        })
        .collect();
    ranked.sort();
    let mut kept: BTreeMap<Topic, usize> = BTreeMap::new();
    let mut facts: Vec<_> = ranked
        .into_iter()
        .filter_map(|(topic, _, fact)| {
            let count = kept.entry(topic).or_default();
            *count += 1;
            (*count <= FACTS_MAX).then_some(fact)
        })
        .collect();
    facts.sort();
    facts
}

fn fact(topic: Topic, line: u32, what: impl Into<String>) -> Fact {
    Fact {
        topic,
        line,
        what: what.into(),
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

fn characters(source: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (index, (_, line)) in python::lines(source).into_iter().enumerate() {
        for c in line
            .chars()
            .filter(|c| is_invisible(*c) || (c.is_control() && *c != '\t'))
        {
            facts.push(fact(
                Topic::Hidden,
                number(index),
                format!("U+{:04X}", u32::from(c)),
            ));
        }
        let length = line.chars().count();
        if length > LINE_MAX {
            facts.push(fact(Topic::Lines, number(index), format!("{length} characters")));
        }
    }
    // A carriage return alone: editors show what follows it on the same line, Python does not.
    let bare = source
        .split("\r\n")
        .map(|part| part.matches('\r').count())
        .sum::<usize>();
    if bare > 0 {
        facts.push(fact(
            Topic::Hidden,
            1,
            format!("{bare} carriage returns that end a line"),
        ));
    }
    facts
}

fn names(source: &str) -> Vec<Fact> {
    let lines = python::lines(source);
    let spans = python::spans(source).into_iter();
    let named = spans.filter(|span| matches!(span.piece, Piece::Name | Piece::Definition));
    named
        .filter_map(|span| {
            let name = source.get(span.start..span.end).filter(|name| !name.is_ascii())?;
            let line = lines.partition_point(|(start, _)| *start <= span.start);
            Some(fact(Topic::Names, u32::try_from(line).unwrap_or(u32::MAX), name))
        })
        .collect()
}

fn structure(outline: &Outline) -> Vec<Fact> {
    let imports = outline
        .imports
        .iter()
        .map(|import| fact(Topic::Imports, import.line, &import.module));
    let from_imports = outline.imports.iter().filter_map(|import| {
        Some(fact(
            topic_of(&import.module)?,
            import.line,
            format!("import {}", import.module),
        ))
    });
    let uses = outline
        .uses
        .iter()
        .filter_map(|used| Some(fact(topic_of(&used.name)?, used.line, &used.name)));
    let returned = outline.returned.iter().map(|told| {
        let what = format!("{} returns its parameter {}", told.function, told.parameter);
        fact(Topic::Returns, told.line, what)
    });
    let literals = outline.literals.iter().map(|literal| {
        let what = format!("{} of {} {}", literal.what, literal.size, unit(&literal.what));
        fact(Topic::Literals, literal.line, what)
    });
    imports
        .chain(from_imports)
        .chain(uses)
        .chain(returned)
        .chain(literals)
        .collect()
}

fn unit(what: &str) -> &'static str {
    match what {
        "str" => "characters",
        "bytes" | "int" => "bytes",
        _ => "items",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outline::{Import, Literal, Returned, Use};

    fn told(source: &str, outline: Option<&Outline>) -> Vec<(Topic, u32, String)> {
        let facts = read(source, outline, &[]).facts.into_iter();
        facts.map(|fact| (fact.topic, fact.line, fact.what)).collect()
    }

    #[test]
    fn characters_are_told_without_any_parser() {
        let source = format!(
            "a = 1\nb = '\u{202E}'\nvаlue = 2 # а is Cyrillic\n{}\n",
            "x".repeat(201)
        );
        assert_eq!(
            told(&source, None),
            [
                (Topic::Hidden, 2, "U+202E".to_owned()),
                (Topic::Names, 3, "vаlue".to_owned()),
                (Topic::Lines, 4, "201 characters".to_owned()),
            ]
        );
        assert_eq!(told("x = 1 # a\rexec(y)\n", None)[0].0, Topic::Hidden);
    }

    #[test]
    fn what_a_name_is_about_is_told_whatever_it_was_imported_as() {
        for (name, topic) in [
            ("os.system", Some(Topic::Dynamic)),
            ("socket.socket", Some(Topic::Network)),
            ("numpy.save", Some(Topic::Files)),
            (".to_csv", Some(Topic::Files)),
            ("women.to_pickle", Some(Topic::Dynamic)),
            ("x.__class__.__mro__", Some(Topic::Dynamic)),
            ("print", Some(Topic::Prints)),
            ("printer", None),
            ("women.mean", None),
            ("numpy.mean", None),
        ] {
            assert_eq!(topic_of(name), topic, "{name}");
        }
    }

    #[test]
    fn nothing_hides_behind_many_of_another_kind_or_name() {
        let import = |line| Import {
            module: format!("m{line}"),
            line,
        };
        let used = |line, name: &str| Use {
            line,
            name: name.into(),
        };
        let mut outline = Outline {
            imports: (1..=2_100).map(import).collect(),
            uses: (1..=2_100).map(|line| used(line, "getattr")).collect(),
            ..Outline::default()
        };
        outline.uses.push(used(2_101, "eval"));
        let told = read("", Some(&outline), &[]);
        assert!(told.more);
        assert!(told.facts.contains(&fact(Topic::Dynamic, 2_101, "eval")));
        for topic in [Topic::Imports, Topic::Dynamic] {
            let found = told.facts.iter().filter(|fact| fact.topic == topic);
            assert_eq!(found.count(), FACTS_MAX);
        }
        assert!(told.facts.is_sorted());
    }

    #[test]
    fn what_an_outline_left_out_is_told_as_left_out() {
        let short = Outline {
            more: true,
            ..Outline::default()
        };
        assert!(read("x = 1", Some(&short), &[]).more);
        assert!(!read("x = 1", Some(&Outline::default()), &[]).more);
    }

    #[test]
    fn what_the_rule_refuses_is_told_first() {
        let refused = CodeProblem {
            line: 3,
            problem: "a statement that runs at import (Expr)".into(),
            mend: "move it into a function".into(),
        };
        let pointed = read("x = 1", Some(&Outline::default()), &[refused]);
        assert_eq!(
            pointed.facts,
            [fact(Topic::Rule, 3, "a statement that runs at import (Expr)")]
        );
        assert!(Topic::Rule.asks_for_attention() && Topic::Rule.needs_outline());
    }

    #[test]
    fn structure_is_told_by_line() {
        let outline = Outline {
            imports: vec![Import {
                module: "pickle".into(),
                line: 1,
            }],
            uses: vec![Use {
                line: 4,
                name: "eval".into(),
            }],
            returned: vec![Returned {
                line: 5,
                function: "f".into(),
                parameter: "women".into(),
            }],
            literals: vec![Literal {
                line: 6,
                what: "str".into(),
                size: 900,
            }],
            ..Outline::default()
        };
        assert_eq!(
            told("", Some(&outline)),
            [
                (Topic::Imports, 1, "pickle".to_owned()),
                (Topic::Dynamic, 1, "import pickle".to_owned()),
                (Topic::Dynamic, 4, "eval".to_owned()),
                (Topic::Returns, 5, "f returns its parameter women".to_owned()),
                (Topic::Literals, 6, "str of 900 characters".to_owned()),
            ]
        );
    }
}
