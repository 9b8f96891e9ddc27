//! `dexd hash-password`: a password becomes a bcrypt hash; neither is kept.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::Context as _;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret as _, SecretString};

use crate::process;

/// Reads a password and prints its hash.
pub(crate) fn run(cost: u32) -> anyhow::Result<()> {
    let password = if std::io::stdin().is_terminal() {
        let first = ask("Password: ")?;
        let second = ask("Again: ")?;
        anyhow::ensure!(
            first.expose_secret() == second.expose_secret(),
            "the passwords differ"
        );
        first
    } else {
        read_line()?
    };
    process::print(&format!("{}\n", hash(&password, cost)?))
}

fn hash(password: &SecretString, cost: u32) -> anyhow::Result<String> {
    let password = password.expose_secret();
    anyhow::ensure!(!password.is_empty(), "the password is empty");
    anyhow::ensure!(
        password.len() <= MAX_PASSWORD,
        "the password is longer than {MAX_PASSWORD} bytes, of which bcrypt would use only so many"
    );
    anyhow::ensure!(
        !password.contains('\0'),
        "the password contains a NUL character"
    );
    bcrypt::hash(password, cost).context("cannot hash the password")
}

/// Asks on the terminal, which shows nothing of the answer.
fn ask(prompt: &str) -> anyhow::Result<SecretString> {
    let mut terminal = std::io::stderr().lock();
    terminal.write_all(prompt.as_bytes())?;
    terminal.flush()?;
    let stdin = std::io::stdin();
    let modes = tcgetattr(&stdin).context("cannot read the terminal's modes")?;
    let mut silent = modes.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Now, &silent).context("cannot silence the terminal")?;
    let answer = read_line();
    tcsetattr(&stdin, OptionalActions::Now, &modes).context("cannot restore the terminal")?;
    terminal.write_all(b"\n")?;
    answer
}

/// The first line of standard input without its end.
fn read_line() -> anyhow::Result<SecretString> {
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read the password")?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(SecretString::from(line))
}

/// What bcrypt looks at.
const MAX_PASSWORD: usize = 72;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_verifies_and_unusable_passwords_are_refused() {
        let hashed = hash(&SecretString::from("pässword"), 10).unwrap();
        assert!(hashed.contains("$10$"));
        assert!(bcrypt::verify("pässword", &hashed).unwrap());
        for password in [String::new(), "x".repeat(73), "a\0b".to_owned()] {
            assert!(hash(&SecretString::from(password), 10).is_err());
        }
    }
}
