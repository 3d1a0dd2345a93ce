//! `rename_all`: serde's rules, to the letter, and the names of variants' tokens.

/// A rule of `rename_all`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

const RULES: &[(&str, Rule)] = &[
    ("lowercase", Rule::Lower),
    ("UPPERCASE", Rule::Upper),
    ("PascalCase", Rule::Pascal),
    ("camelCase", Rule::Camel),
    ("snake_case", Rule::Snake),
    ("SCREAMING_SNAKE_CASE", Rule::ScreamingSnake),
    ("kebab-case", Rule::Kebab),
    ("SCREAMING-KEBAB-CASE", Rule::ScreamingKebab),
];

impl Rule {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        RULES.iter().find(|(name, _)| *name == text).map(|(_, rule)| *rule)
    }

    /// The names of all rules, for an error message.
    pub(crate) fn names() -> String {
        let names: Vec<_> = RULES.iter().map(|(name, _)| format!("`{name}`")).collect();
        names.join(", ")
    }

    /// Renames a field, which is written in snake case.
    pub(crate) fn field(self, name: &str) -> String {
        match self {
            Self::Lower | Self::Snake => name.to_owned(),
            Self::Upper | Self::ScreamingSnake => name.to_ascii_uppercase(),
            Self::Pascal => name.split('_').map(|word| capital(word, char::to_ascii_uppercase)).collect(),
            Self::Camel => capital(&Self::Pascal.field(name), char::to_ascii_lowercase),
            Self::Kebab => name.replace('_', "-"),
            Self::ScreamingKebab => Self::Kebab.field(&name.to_ascii_uppercase()),
        }
    }

    /// Renames a variant, which is written in Pascal case.
    pub(crate) fn variant(self, name: &str) -> String {
        match self {
            Self::Pascal => name.to_owned(),
            Self::Lower => name.to_ascii_lowercase(),
            Self::Upper => name.to_ascii_uppercase(),
            Self::Camel => capital(name, char::to_ascii_lowercase),
            Self::Snake | Self::ScreamingSnake | Self::Kebab | Self::ScreamingKebab => {
                self.field(&snake(name))
            }
        }
    }
}

/// `HttpProxy` as `http_proxy`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (i, c) in name.char_indices() {
        if i > 0 && c.is_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

fn capital(word: &str, first: fn(&char) -> char) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |c| first(&c).to_string() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_changed_as_serde_does() {
        let serde = [
            ["very_tasty", "verytasty"],
            ["VERY_TASTY", "VERYTASTY"],
            ["VeryTasty", "VeryTasty"],
            ["veryTasty", "veryTasty"],
            ["very_tasty", "very_tasty"],
            ["VERY_TASTY", "VERY_TASTY"],
            ["very-tasty", "very-tasty"],
            ["VERY-TASTY", "VERY-TASTY"],
        ];
        for ((name, rule), expected) in RULES.iter().zip(serde) {
            assert_eq!([rule.field("very_tasty"), rule.variant("VeryTasty")], expected, "{name}");
        }
    }
}
