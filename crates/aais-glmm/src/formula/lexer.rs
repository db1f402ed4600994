//! A formula cut into words.

use crate::FormulaError;

/// A word and where it begins, in characters from zero.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) position: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Name(String),
    /// A name in backquotes: always a column, never a function.
    Quoted(String),
    Number(f64),
    /// One of [`SYMBOLS`].
    Symbol(&'static str),
    End,
}

/// Longer ones first.
const SYMBOLS: [&str; 12] = ["||", "|", "~", "+", "-", "*", "/", "^", ":", "(", ")", ","];

impl Kind {
    /// As an error message names it.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Name(name) | Self::Quoted(name) => format!("`{name}`"),
            Self::Number(value) => format!("`{value}`"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::End => "the end of the formula".to_owned(),
        }
    }
}

/// The words of a formula; the last is `End`.
pub(super) fn tokens(formula: &str) -> Result<Vec<Token>, FormulaError> {
    let mut tokens = Vec::new();
    let mut rest = formula;
    let mut position = 0;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else {
            let (kind, length) = token(rest, first).map_err(|message| FormulaError::new(formula, position, message))?;
            (Some(kind), length)
        };
        tokens.extend(kind.map(|kind| Token { kind, position }));
        let (word, after) = rest.split_at(length);
        position += word.chars().count();
        rest = after;
    }
    tokens.push(Token { kind: Kind::End, position });
    Ok(tokens)
}

/// The first word of a text, and its length in bytes.
fn token(text: &str, first: char) -> Result<(Kind, usize), String> {
    if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| text.starts_with(symbol)) {
        return Ok((Kind::Symbol(symbol), symbol.len()));
    }
    if first == '`' {
        return quoted(&text[1..]);
    }
    if starts_number(text) {
        let length = number_length(text);
        let value: f64 = text[..length].parse().map_err(|_| format!("expected a number, got `{}`", &text[..length]))?;
        return match value.is_finite() {
            true => Ok((Kind::Number(value), length)),
            false => Err(format!("expected a number, got `{}`, which is too large", &text[..length])),
        };
    }
    match name_length(text) {
        0 => Err(format!("expected a column, a number or an operator, got `{}`", first.escape_debug())),
        length => Ok((Kind::Name(text[..length].to_owned()), length)),
    }
}

/// The name before the closing backquote; `text` begins after the opening one.
fn quoted(text: &str) -> Result<(Kind, usize), String> {
    match text.find('`') {
        None => Err("expected a closing backquote, got the end of the formula".to_owned()),
        Some(0) => Err("expected a name in backquotes, got nothing".to_owned()),
        Some(length) => Ok((Kind::Quoted(text[..length].to_owned()), length + 2)),
    }
}

fn starts_number(text: &str) -> bool {
    let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    digit(text) || text.strip_prefix('.').is_some_and(digit)
}

/// Digits, a point and digits, an exponent.
fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut length = digits(text);
    if text[length..].starts_with('.') {
        length += 1 + digits(&text[length + 1..]);
    }
    if let Some(exponent) = text[length..].strip_prefix(['e', 'E']) {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if starts_number(unsigned) && !unsigned.starts_with('.') {
            length = text.len() - unsigned.len() + digits(unsigned);
        }
    }
    length
}

/// Bytes of the name that a text begins with: letters, digits, `.` and `_`, no digit in front.
fn name_length(text: &str) -> usize {
    let is_inner = |c: char| c.is_alphanumeric() || c == '.' || c == '_';
    let is_first = |c: char| c.is_alphabetic() || c == '.' || c == '_';
    if !text.starts_with(is_first) || starts_number(text) {
        return 0;
    }
    text.find(|c| !is_inner(c)).unwrap_or(text.len())
}

/// Whether a column's name needs no backquotes. The name `.` does: in R it stands for all other columns.
pub(super) fn is_plain_name(name: &str) -> bool {
    !matches!(name, "" | ".") && name_length(name) == name.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn names_numbers_and_symbols_are_told_apart() {
        let name = |text: &str| Kind::Name(text.to_owned());
        assert_eq!(kinds("x.1_b"), [name("x.1_b"), Kind::End]);
        assert_eq!(kinds(".x"), [name(".x"), Kind::End]);
        assert_eq!(kinds("größe"), [name("größe"), Kind::End]);
        assert_eq!(kinds(".5"), [Kind::Number(0.5), Kind::End]);
        assert_eq!(kinds("2.5e-1"), [Kind::Number(0.25), Kind::End]);
        assert_eq!(kinds("2e"), [Kind::Number(2.0), name("e"), Kind::End]);
        assert_eq!(kinds("|||"), [Kind::Symbol("||"), Kind::Symbol("|"), Kind::End]);
        assert_eq!(kinds("`a b`"), [Kind::Quoted("a b".to_owned()), Kind::End]);
    }

    #[test]
    fn positions_count_characters() {
        let positions: Vec<usize> = tokens("ü ~ `é` + x").unwrap().iter().map(|token| token.position).collect();
        assert_eq!(positions, [0, 2, 4, 8, 10, 11]);
    }

    #[test]
    fn what_is_no_word_is_refused_where_it_stands() {
        for (text, position) in [("y ~ x & z", 6), ("y ~ `x", 4), ("``", 0), ("1e999", 0), ("y ~ \"a\"", 4)] {
            assert_eq!(tokens(text).unwrap_err().position, position, "{text}");
        }
    }

    #[test]
    fn names_that_need_backquotes_are_known() {
        assert!(is_plain_name("x") && is_plain_name(".x") && is_plain_name("_x.1"));
        assert!(!is_plain_name("") && !is_plain_name(".") && !is_plain_name("a b") && !is_plain_name(".5"));
    }
}
