use std::path::Path;

use super::*;
use clap::CommandFactory;

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn options_may_stand_before_and_behind_the_command() {
    let cli = Cli::try_parse_from(["poundlock", "--json", "whoami", "--node", "/n"]).unwrap();
    assert!(cli.common.json);
    assert_eq!(cli.common.folder().unwrap(), PathBuf::from("/n"));
    let cli = Cli::try_parse_from(["poundlock", "whoami", "--node", "http://n:1"]).unwrap();
    assert_eq!(cli.common.folder(), None);
}

#[test]
fn a_password_is_no_argument() {
    let wrong = Cli::try_parse_from(["poundlock", "login", "a@b.c", "--password", "x"]).unwrap_err();
    assert_eq!(wrong.exit_code(), 2);
}

fn parses(line: &str) -> bool {
    let words = std::iter::once("poundlock").chain(line.split_whitespace());
    Cli::try_parse_from(words).is_ok()
}

#[test]
fn the_documented_commands_are_understood() {
    let manual = include_str!("../../docs/CLI.md");
    let mut examples = 0;
    for line in manual
        .lines()
        .filter_map(|line| line.strip_prefix("$ poundlock "))
    {
        let words = std::iter::once("poundlock".to_owned()).chain(words(line));
        let parsed = Cli::try_parse_from(words);
        assert!(parsed.is_ok(), "{line}\n{}", parsed.unwrap_err());
        examples += 1;
    }
    assert!(examples > 60, "{examples}");
}

/// Words as a shell takes them: quotes hold them together, and what means something to it stands in quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (c, quoted) {
            ('"' | '\'', None) => quoted = Some(c),
            (c, Some(mark)) if c == mark => quoted = None,
            (' ', None) => words.push(std::mem::take(&mut word)),
            (c, None) => {
                assert!(
                    !"|&;<>()$`*?#~!".contains(c),
                    "a shell makes something else of {c}: {line}"
                );
                word.push(c);
            }
            (c, Some(_)) => word.push(c),
        }
    }
    words.push(word);
    words
}

#[test]
fn the_commands_that_are_handed_out_are_understood() {
    for line in [
        init::next(Path::new("/srv/low")),
        setup::next(Some("/srv/low"), "olga@example.org"),
        setup::next(None, "olga@example.org"),
        code::next("0198c0aa-0000-7000-8000-000000000001", None),
        code::next(
            "0198c0aa-0000-7000-8000-000000000001",
            Some(Path::new("my keys/sam")),
        ),
    ] {
        let parsed = Cli::try_parse_from(words(&line));
        assert!(parsed.is_ok(), "{line}\n{}", parsed.unwrap_err());
    }
}

#[test]
fn every_command_is_documented() {
    fn walk(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
        let verbs: Vec<_> = command
            .get_subcommands()
            .filter(|verb| verb.get_name() != "help")
            .collect();
        if verbs.is_empty() && !include_str!("../../docs/CLI.md").contains(&format!("$ {path}")) {
            missing.push(path.to_owned());
        }
        for verb in verbs {
            // `review` names its peer before its verb.
            let between = if path.ends_with(" review") { " low" } else { "" };
            walk(verb, &format!("{path}{between} {}", verb.get_name()), missing);
        }
    }
    let mut missing = Vec::new();
    walk(&Cli::command(), "poundlock", &mut missing);
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn a_choice_must_be_made_and_only_one() {
    assert!(!parses("review low apply"));
    assert!(!parses("review low apply --all r"));
    assert!(parses("review low apply r s"));
    assert!(!parses("asset mock a"));
    assert!(!parses("asset mock a f.csv --none"));
    assert!(!parses("asset mock a --none --real"));
    assert!(parses("asset mock a f.csv --real"));
    let submit = "code submit f.py --entry-point f";
    assert!(!parses(submit));
    assert!(!parses(&format!("{submit} --single-execution --execute-count 2")));
    assert!(parses(&format!("{submit} --execute-count 2")));
    assert!(!parses("run start"));
    assert!(!parses("run start r --code c"));
    assert!(!parses("project members p"));
    assert!(!parses("settings set"));
    assert!(!parses("bundle verify f"));
    assert!(!parses("request deny r"));
    assert!(!parses("request see a"));
    assert!(!parses("request see a --type private-data --reason r"));
    assert!(parses("request see a --type private-data --project p --reason r"));
    assert!(!parses("rule add n --tag t"));
    assert!(!parses("rule add n --accept mock"));
    assert!(!parses("rule add n --deny mock"));
    assert!(!parses("rule add n --accept mock --deny mock --tag t --reason r"));
    assert!(!parses("rule add n --deny mock --reason r --days 3"));
    assert!(parses("rule add n --deny mock --reason r"));
    assert!(!parses("release r result --hash abc"));
    assert!(!parses("bundle preview low --include decision"));
}
