//! Links in Markdown files lead to files that are there.

use super::Finding;
use super::markdown::{self, Place};
use super::repository::Repository;
use crate::workspace;

/// Relative links whose file is missing.
pub fn check(repository: &Repository) -> Vec<Finding> {
    let exists = |path: &str| workspace::root().join(path).exists();
    repository.with_extension("md").flat_map(|file| broken(&file.path, &file.text, exists)).collect()
}

fn broken(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in markdown::lines(text).iter().filter(|line| line.place == Place::Prose) {
        for target in targets(line.text) {
            let file = target.split(['#', '?']).next().unwrap_or_default();
            if file.is_empty() || is_elsewhere(&target) {
                continue;
            }
            let wrong = match resolve(path, file) {
                Some(file) if exists(&file) => continue,
                Some(file) => format!("link to `{target}`, but `{file}` is not there"),
                None => format!("link to `{target}` leaves the repository"),
            };
            findings.push(Finding::new(path, line.number, wrong, "mend the link or add the file"));
        }
    }
    findings
}

/// Links to the web, and to Rust items in a crate's front page.
fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:") || target.contains("::")
}

/// What the links, images and definitions of a line point at.
fn targets(line: &str) -> Vec<String> {
    // Code spans show links without making them; one around a link's text is empty then, which is no matter.
    let prose: String = markdown::spans(line).map(|(is_code, part)| if is_code { "" } else { part }).collect();
    let inline = prose.match_indices("](").map(|(at, _)| destination(&prose[at + 2..]));
    let attributes = ["href=\"", "src=\""].into_iter().flat_map(|attribute| {
        let values = prose.match_indices(attribute).map(|(at, _)| &prose[at + attribute.len()..]);
        values.filter_map(|rest| rest.split_once('"')).map(|(value, _)| value).collect::<Vec<_>>()
    });
    inline.chain(attributes).chain(definition(&prose)).map(str::to_owned).collect()
}

/// `path` of `path "title")` or `<path>)`, parentheses within it balanced.
fn destination(rest: &str) -> &str {
    if let Some(rest) = rest.strip_prefix('<') {
        return rest.split('>').next().unwrap_or_default();
    }
    let mut depth = 0;
    let end = rest.find(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        depth < 0 || c.is_whitespace()
    });
    &rest[..end.unwrap_or(rest.len())]
}

/// `path` of `[name]: path`, which is not a footnote.
fn definition(line: &str) -> Option<&str> {
    let (name, rest) = line.trim_start().strip_prefix('[')?.split_once("]:")?;
    if name.starts_with('^') || name.contains(']') { None } else { rest.split_whitespace().next() }
}

/// A link's path from the root of the repository; none where it leaves it.
fn resolve(from: &str, target: &str) -> Option<String> {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    if target.starts_with('/') {
        return None;
    }
    for part in folder.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrongs(text: &str) -> Vec<String> {
        let there = ["", "LICENSE", "docs/a (1).md", "docs/notation.md", "docs/x.svg"];
        broken("docs/index.md", text, |path| there.contains(&path)).into_iter().map(|finding| finding.wrong).collect()
    }

    #[test]
    fn links_to_files_that_are_there_pass() {
        let text = "[a](notation.md#eq-5) ![b](x.svg \"title\") [c](../LICENSE) [d](#here) [`e`](./notation.md)\n\
                    [f](<a (1).md>) [g](https://a.b/c.md) [h](..)\n[i]: notation.md\n<img src=\"x.svg\">\n[j](crate::J)\n";
        assert_eq!(wrongs(text), [""; 0]);
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert_eq!(wrongs("[a](nothing.md)"), ["link to `nothing.md`, but `docs/nothing.md` is not there"]);
        assert_eq!(wrongs("![`a`](y.svg)\n[b]: z.md\n<img src=\"w.svg\">").len(), 3);
    }

    #[test]
    fn a_link_out_of_the_repository_is_found() {
        assert_eq!(wrongs("[a](../../b.md) [c](/d.md)").len(), 2);
    }

    #[test]
    fn what_looks_like_a_link_in_code_is_none() {
        assert_eq!(wrongs("`[a](nothing.md)`\n```rust\nx[i](j)\n```\n"), [""; 0]);
    }

    #[test]
    fn parentheses_in_a_path_are_part_of_it() {
        assert_eq!(destination("a(b).md) and"), "a(b).md");
    }
}
