//! Telling code from comments and literals in Rust text.

/// Rust text in two views of the same shape: what is not in a view is blank there, lines stay where they are.
pub struct Views {
    /// The text without comments and without what stands in quotes.
    pub code: String,
    /// The comments alone.
    pub comments: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// Splits Rust text into its views.
pub fn views(text: &str) -> Views {
    let chars: Vec<char> = text.chars().collect();
    let mut views = Views { code: String::with_capacity(text.len()), comments: String::new() };
    let mut at = 0;
    while at < chars.len() {
        let (kind, end) = token(&chars, at);
        for &c in &chars[at..end] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            views.code.push(if kind == Kind::Code { c } else { blank });
            views.comments.push(if kind == Kind::Comment { c } else { blank });
        }
        at = end;
    }
    views
}

/// The kind of what begins here, and where it ends; it ends after `at`.
fn token(chars: &[char], at: usize) -> (Kind, usize) {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => (Kind::Comment, until(chars, at, |c| c == '\n')),
        '/' if next == Some('*') => (Kind::Comment, block_comment_end(chars, at)),
        '"' => (Kind::Literal, string_end(chars, at)),
        '\'' if next == Some('\\') => {
            let quote = until(chars, at + 3, |c| c == '\'');
            (Kind::Literal, (quote + 1).min(chars.len()))
        }
        '\'' if chars.get(at + 2) == Some(&'\'') => (Kind::Literal, at + 3),
        c if is_word(c) => {
            let end = until(chars, at, |c| !is_word(c));
            match chars[at..end] {
                ['r'] | ['b' | 'c', 'r'] => match raw_string_end(chars, end) {
                    Some(end) => (Kind::Literal, end),
                    None => (Kind::Code, end),
                },
                _ => (Kind::Code, end),
            }
        }
        _ => (Kind::Code, at + 1),
    }
}

/// Whether a character can be part of an identifier.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn until(chars: &[char], from: usize, stop: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|&at| stop(chars[at])).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The end of a raw string whose `#`s or quote begin here; none for a raw identifier.
fn raw_string_end(chars: &[char], from: usize) -> Option<usize> {
    let quote = until(chars, from, |c| c != '#');
    if chars.get(quote) != Some(&'"') {
        return None;
    }
    let n_hashes = quote - from;
    let closes = |at: usize| chars[at] == '"' && chars[at + 1..].iter().take_while(|&&c| c == '#').count() >= n_hashes;
    let end = (quote + 1..chars.len()).find(|&at| closes(at)).map_or(chars.len(), |at| at + 1 + n_hashes);
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        views(text).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_are_blank_in_the_code() {
        assert_eq!(code("a // b\nc /* d /* e */ f */ g"), "a c g");
    }

    #[test]
    fn literals_are_blank_in_the_code() {
        assert_eq!(
            code(r##"f("a \" b", r"c\", r#"d " e"#, b"g", '"', '\'', '\u{1F600}', h)"##),
            "f( , , , b , , , , h)"
        );
    }

    #[test]
    fn a_lifetime_is_code() {
        assert_eq!(code("fn f<'a>(x: &'a str) -> &'a str { x }"), "fn f<'a>(x: &'a str) -> &'a str { x }");
    }

    #[test]
    fn a_raw_identifier_is_code() {
        assert_eq!(code("r#type + for_r"), "r#type + for_r");
    }

    #[test]
    fn lines_stay_where_they_are() {
        let text = "a\n/* b\nc */ \"d\ne\"\nf // g\n";
        let views = views(text);
        assert_eq!(views.code.lines().count(), text.lines().count());
        assert_eq!(views.code.lines().nth(4).map(str::trim), Some("f"));
        assert_eq!(views.comments.lines().nth(4).map(str::trim), Some("// g"));
    }

    #[test]
    fn unfinished_text_ends_quietly() {
        for text in ["\"a", "/* a", "r#\"a", "'\\", "'", "\"\\"] {
            assert_eq!(views(text).code.chars().count(), text.chars().count(), "{text}");
        }
    }
}
