//! `poundlock rule`: rules that decide on requests to see as soon as they are made.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use ureq::http::Method;

use super::client::part;
use super::failure::Failure;
use super::request::SightType;
use super::{Session, print};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a rule, for the requests that are made from now on
    Add(Rule),
    /// List the rules, oldest first; those that deny come first, and of each the older
    List {
        /// The whole list, not its first page
        #[arg(long)]
        all: bool,
    },
    /// Show a rule, and how often it has granted something
    Show {
        /// Its id
        rule: String,
    },
    /// Replace all that a rule says; what it has granted stands, and counts on
    Change {
        /// Its id
        id: String,
        #[command(flatten)]
        rule: Rule,
    },
    /// Remove a rule; what it has granted stands
    Remove {
        /// Its id
        rule: String,
    },
}

/// What a rule does.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Effect {
    /// Grant requests for these types of things: mock, release
    #[arg(long, value_name = "TYPE", value_delimiter = ',', requires = "tag")]
    accept: Vec<SightType>,
    /// Deny requests for these types of things
    #[arg(long, value_name = "TYPE", value_delimiter = ',', requires = "reason")]
    deny: Vec<SightType>,
}

#[derive(Debug, Args)]
pub(super) struct Rule {
    /// What it is called; stands in the decisions that it makes
    name: String,
    #[command(flatten)]
    effect: Effect,
    /// A tag that the dataset bears; of several it must bear all
    #[arg(long)]
    tag: Vec<String>,
    /// What the requester is told; for a rule that denies
    #[arg(long, conflicts_with = "accept")]
    reason: Option<String>,
    /// How often it grants something to each person, ever
    #[arg(long, value_name = "COUNT", conflicts_with = "deny")]
    per_person: Option<u32>,
    /// How often it grants something in all, ever
    #[arg(long, value_name = "COUNT", conflicts_with = "deny")]
    in_all: Option<u32>,
    /// For how many days what it grants lasts
    #[arg(long, value_name = "DAYS", conflicts_with = "deny")]
    days: Option<u32>,
    /// When the rule ends: a day, or a moment like 2027-03-31T18:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<jiff::Timestamp>,
}

/// A moment, or the beginning of a day in UTC.
fn moment(text: &str) -> Result<jiff::Timestamp, String> {
    let day = || {
        text.parse::<jiff::civil::Date>()
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
    };
    match text.parse::<jiff::Timestamp>() {
        Ok(moment) => Ok(moment),
        Err(_) => day()
            .map(|day| day.timestamp())
            .ok_or_else(|| "write it as 2027-03-31, or as 2027-03-31T18:00:00Z".to_owned()),
    }
}

impl Rule {
    fn body(&self) -> Value {
        let words = |types: &[SightType]| types.iter().map(|of| of.word()).collect::<Vec<_>>();
        let mut body = json!({"name": self.name, "tags": self.tag, "until": self.until});
        if self.effect.deny.is_empty() {
            body["effect"] = json!("accept");
            body["types"] = json!(words(&self.effect.accept));
            body["quota"] = json!({"per_person": self.per_person, "in_all": self.in_all});
            body["days"] = json!(self.days);
        } else {
            body["effect"] = json!("deny");
            body["types"] = json!(words(&self.effect.deny));
            body["reason"] = json!(self.reason);
        }
        body
    }
}

pub(super) fn run(session: &Session, verb: &Verb) -> Result<(), Failure> {
    let client = &session.client;
    match verb {
        Verb::Add(rule) => {
            let made = client.post("/access-rules", &rule.body())?;
            session.out.show(&made, facts)
        }
        Verb::List { all } => session.out.show(&client.list("/access-rules", *all)?, |rules| {
            let columns = [
                ("ID", "id"),
                ("NAME", "name"),
                ("EFFECT", "effect"),
                ("TYPES", "types"),
                ("TAGS", "tags"),
                ("GRANTED", "granted"),
                ("UNTIL", "until"),
            ];
            print::listing(rules, &columns)
        }),
        Verb::Show { rule } => session.out.show(&client.get(&path(rule))?, facts),
        Verb::Change { id, rule } => {
            let body = rule.body().to_string();
            let changed = client.send(Method::PUT, &path(id), "application/json", body.as_bytes())?;
            session.out.show(&changed, facts)
        }
        Verb::Remove { rule } => {
            client.delete(&path(rule))?;
            session.out.show(&json!({"removed": rule}), |_| {
                "Removed; what it has granted stands.".to_owned()
            })
        }
    }
}

fn path(rule: &str) -> String {
    format!("/access-rules/{}", part(rule))
}

fn facts(rule: &Value) -> String {
    let mut facts = ["id", "name", "effect", "types", "tags", "reason"]
        .map(|name| (name, print::field(rule, name)))
        .to_vec();
    facts.push(("per person", print::field(&rule["quota"], "per_person")));
    facts.push(("in all", print::field(&rule["quota"], "in_all")));
    facts.push(("days", print::field(rule, "days")));
    facts.push(("until", print::field(rule, "until")));
    facts.push(("granted", print::field(rule, "granted")));
    facts.push(("by", print::field(rule, "by_name")));
    facts.push(("made", print::field(rule, "made_at")));
    print::facts(&facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_moment_too() {
        let moment = |text| moment(text).map(|moment| moment.to_string());
        assert_eq!(moment("2027-03-31").unwrap(), "2027-03-31T00:00:00Z");
        assert_eq!(
            moment("2027-03-31T18:00:00+02:00").unwrap(),
            "2027-03-31T16:00:00Z"
        );
        assert!(moment("tomorrow").is_err());
    }
}
