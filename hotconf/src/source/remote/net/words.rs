//! What a server says is wrong, as a part of a message of ours.
//!
//! Pure. A server may say anything: what it was shown, lines that look like those of a log, or a book.

/// No server has more to say that helps.
const LONGEST: usize = 300;
const HUSHED: &str = "(its words are not shown: they repeat a secret)";

/// `said` in one line, cut short; and nothing of it where it repeats one of `secrets`.
#[allow(dead_code)] // stores whose servers have words of their own
pub(crate) fn words(said: &str, secrets: &[&str]) -> String {
    if secrets.iter().any(|secret| !secret.is_empty() && said.contains(secret)) {
        return HUSHED.to_owned();
    }
    let plain = said.chars().take(2 * LONGEST).map(|c| if c.is_control() { ' ' } else { c });
    let line = plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_short_line_without_a_secret() {
        assert_eq!(words(" no\r\n\u{1b}[2Jsuch  user ", &["hunter2", ""]), "no [2Jsuch user");
        assert_eq!(words("no such password: hunter2", &["", "hunter2"]), HUSHED);
        assert_eq!(words(&"x".repeat(9000), &[]).len(), LONGEST);
    }
}
