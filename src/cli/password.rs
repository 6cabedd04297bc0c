//! Passwords come from a prompt, a file or the environment; never from the command line, which others can see.

use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::failure::Failure;

/// Where the password comes from.
#[derive(Debug, Clone, Args)]
pub(super) struct PasswordSource {
    /// Read the password from this file (its first line), `-` for the standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// What shows once more who somebody is.
#[derive(Debug, Clone, Args)]
pub(super) struct Proof {
    #[command(flatten)]
    password: PasswordSource,
    /// What your authenticator shows, or a recovery code, where you have a second factor
    #[arg(long)]
    code: Option<String>,
}

impl Proof {
    /// Adds the password, and the code if there is one, to what is sent.
    pub(super) fn add_to(&self, body: &mut Map<String, Value>, prompt: &str) -> Result<(), Failure> {
        let password = self.password.read(prompt, false)?;
        body.insert("password".to_owned(), password.as_str().into());
        body.extend(self.code.as_deref().map(|code| ("code".to_owned(), code.into())));
        Ok(())
    }

    /// The members of a body with the password, and the code if there is one.
    pub(super) fn beside<const N: usize>(
        &self,
        members: [(&str, Value); N],
        prompt: &str,
    ) -> Result<Value, Failure> {
        let mut body = members
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect();
        self.add_to(&mut body, prompt)?;
        Ok(Value::Object(body))
    }
}

/// The variable that a password may stand in.
const VARIABLE: &str = "POUNDLOCK_PASSWORD";
/// The variable that a new one may stand in, where another is changed.
const NEW_VARIABLE: &str = "POUNDLOCK_NEW_PASSWORD";

impl PasswordSource {
    /// The password; `twice` asks a person to repeat a new one.
    pub(super) fn read(&self, prompt: &str, twice: bool) -> Result<Zeroizing<String>, Failure> {
        if let Some(path) = &self.password_file {
            return secret_file(path);
        }
        if let Ok(password) = std::env::var(VARIABLE) {
            return Ok(Zeroizing::new(password));
        }
        self::prompt(prompt, twice)
    }
}

/// Asks on the terminal; `twice` for a new one.
fn prompt(prompt: &str, twice: bool) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        let detail =
            format!("there is no terminal to ask for the password on; use --password-file or {VARIABLE}");
        return Err(Failure::usage(detail));
    }
    let ask = |prompt: &str| {
        let answer = rpassword::prompt_password(prompt).map(Zeroizing::new);
        answer.map_err(|error| Failure::failed(format!("the password cannot be read: {error}")))
    };
    let password = ask(&format!("{prompt}: "))?;
    if twice && *ask("Once more: ")? != *password {
        return Err(Failure::failed("the two passwords differ"));
    }
    Ok(password)
}

/// A new password, from a file or twice from a prompt.
pub(super) fn new_password(file: Option<&std::path::Path>) -> Result<Zeroizing<String>, Failure> {
    let source = PasswordSource {
        password_file: file.map(std::path::Path::to_path_buf),
    };
    match (file, std::env::var(NEW_VARIABLE)) {
        (None, Ok(password)) => Ok(Zeroizing::new(password)),
        (Some(_), _) => source.read("", false),
        (None, Err(_)) => prompt("New password", true),
    }
}

/// The first line of a file that holds a secret.
pub(super) fn secret_file(path: &std::path::Path) -> Result<Zeroizing<String>, Failure> {
    const MOST: u64 = 64 * 1024;
    let mut text = Zeroizing::new(String::new());
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::file(path, &error))?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
