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
