//! What a password must be like, after NIST SP 800-63B-4 §3.1.1.2: long enough, and not one that is easily guessed. There are no
//! rules on which characters it holds, and it never has to be changed on a date.

use super::text::Invalid;

/// The shortest password, in characters: what NIST asks for where a password may be the only factor.
pub const MIN: usize = 15;
/// The longest password, in bytes: more would only slow the hash down.
pub const MAX: usize = 1024;
/// What is looked at of a longer one, in characters: the estimate takes time that grows faster than the length.
const ESTIMATED: usize = 100;

/// The program's own words, which a guesser of its passwords tries first.
const OWN_WORDS: [&str; 3] = ["poundlock", "password", "data owner"];

/// Checks a new password of somebody, of whom `words` are known to everybody: their name, address and institution, and the
/// node's name.
///
/// The deny-list is that of the estimator zxcvbn (Wheeler, USENIX Security 2016): the commonest passwords, names and words
/// in several languages, keyboard walks, dates, repetitions and what is made of them. A password is refused if it holds
/// fewer than 10^8 guesses' worth of anything else.
///
/// # Errors
/// The password is too short, too long or too easily guessed.
pub fn check(password: &str, words: &[&str]) -> Result<(), Invalid> {
    let wrong = |problem: String| Err(Invalid::new("password", problem));
    if password.chars().count() < MIN {
        return wrong(format!(
            "must have at least {MIN} characters; a few words that do not belong together are easily remembered"
        ));
    }
    if password.len() > MAX {
        return wrong(format!("must have at most {MAX} bytes"));
    }
    let looked_at: String = password.chars().take(ESTIMATED).collect();
    let known: Vec<&str> = words
        .iter()
        .flat_map(|words| words.split(['@', '.', ' ']).chain([*words]))
        .chain(OWN_WORDS)
        .filter(|word| word.chars().count() > 2)
        .collect();
    if zxcvbn::zxcvbn(&looked_at, &known).score() < zxcvbn::Score::Three {
        return wrong(
            "is easily guessed: it consists of common words, names, repetitions or rows of keys; add words that do not \
             belong together"
                .to_owned(),
        );
    }
    Ok(())
}

/// What is said of a password that stands in the node's list of leaked ones.
pub fn has_leaked() -> Invalid {
    Invalid::new(
        "password",
        "has leaked somewhere, so that whoever guesses tries it early; choose one that is used nowhere else",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_and_kinds_of_characters_do_not() {
        assert!(check("kiln otter ledge moss", &[]).is_ok());
        assert!(check("correct horse battery staple", &[]).is_ok());
        assert!(check("x7$Kq!9z", &[]).is_err());
        assert!(check(&"kiln otter ledge moss ".repeat(50), &[]).is_err());
        assert!(check("жабка кресло огурец синий", &[]).is_ok());
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for common in [
            "passwordpassword",
            "aaaaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfghjkl",
            "12345678901234567890",
            "abcdefghijklmnop",
            "PasswordPassword1",
        ] {
            assert!(check(common, &[]).is_err(), "{common}");
        }
    }

    #[test]
    fn ones_own_name_is_no_secret() {
        let words = [
            "Wilhelmina Featherstonehaugh",
            "wilhelmina@featherstonehaugh.example",
        ];
        assert!(check("wilhelminafeatherstonehaugh", &words).is_err());
        assert!(check("wilhelmina otter ledge moss", &words).is_ok());
    }
}
