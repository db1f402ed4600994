//! The little of Markdown the checks need: which lines are prose, which are commands, what is in code spans.

/// A line of a Markdown text.
pub struct Line<'a> {
    /// Counted from one.
    pub number: usize,
    pub text: &'a str,
    pub place: Place,
}

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    Prose,
    /// In the fenced block of this number, whose language is a shell's or none.
    Shell(usize),
    /// In another fenced block, or a fence itself.
    Other,
}

const SHELLS: &[&str] = &["", "sh", "bash", "shell", "console", "zsh"];

struct Fence {
    character: char,
    length: usize,
    inside: Place,
}

/// The lines of a Markdown text.
pub fn lines(text: &str) -> Vec<Line<'_>> {
    let mut fence: Option<Fence> = None;
    let mut n_blocks = 0;
    let mut lines = Vec::new();
    for (at, text) in text.lines().enumerate() {
        let marker = marker(text);
        let place = match (&fence, marker) {
            (None, None) => Place::Prose,
            (None, Some((character, length, language))) => {
                n_blocks += 1;
                let inside = if SHELLS.contains(&language) { Place::Shell(n_blocks) } else { Place::Other };
                fence = Some(Fence { character, length, inside });
                Place::Other
            }
            (Some(open), Some((character, length, ""))) if character == open.character && length >= open.length => {
                fence = None;
                Place::Other
            }
            (Some(open), _) => open.inside,
        };
        lines.push(Line { number: at + 1, text, place });
    }
    lines
}

/// The character, length and language of a fence.
fn marker(line: &str) -> Option<(char, usize, &str)> {
    let line = line.trim();
    let character = line.chars().next().filter(|c| ['`', '~'].contains(c))?;
    let rest = line.trim_start_matches(character);
    let length = line.len() - rest.len();
    let language = rest.split([',', ' ', '{']).next().unwrap_or_default();
    // Three backticks that close on their own line are a code span.
    (length >= 3 && !rest.contains('`')).then_some((character, length, language))
}

/// A line of prose as its parts: `(is_code, text)`, code being what stands between backticks.
pub fn spans(line: &str) -> impl Iterator<Item = (bool, &str)> {
    line.split('`').enumerate().map(|(at, part)| (at % 2 == 1, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_divide_prose_from_commands() {
        let text = "a\n```sh\nb\n```\nc\n~~~rust,ignore\nd\n```\n~~~\n```\ne\n```\n";
        let places: Vec<Place> = lines(text).iter().map(|line| line.place).collect();
        let Place::Shell(first) = places[2] else { panic!("{:?}", places[2]) };
        let Place::Shell(second) = places[10] else { panic!("{:?}", places[10]) };
        assert_ne!(first, second);
        assert_eq!(
            (places[0], places[4], places[6], places[7]),
            (Place::Prose, Place::Prose, Place::Other, Place::Other)
        );
    }

    #[test]
    fn code_spans_stand_between_backticks() {
        assert_eq!(spans("a `b` c").collect::<Vec<_>>(), [(false, "a "), (true, "b"), (false, " c")]);
    }
}
