//! The name that was meant.

/// The name that the fewest edits turn the given one into, if they are at most a third of its letters, but one.
///
/// An edit inserts, removes or replaces a letter (Levenshtein, 1966); upper and lower case are the same.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |text: &str| -> Vec<char> { text.to_lowercase().chars().collect() };
    let name = letters(name);
    let most = (name.len() / 3).max(1);
    let distances = known.map(|known| (distance(&name, &letters(known)), known));
    distances.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// Edits between two words, by rows of the usual table.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in to.iter().enumerate() {
            let replaced = above[j] + usize::from(letter != other);
            row.push(replaced.min(above[j + 1] + 1).min(row[j] + 1));
        }
        above = row;
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(from: &str, to: &str) -> usize {
        distance(&from.chars().collect::<Vec<_>>(), &to.chars().collect::<Vec<_>>())
    }

    #[test]
    fn the_distance_counts_edits() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("abc", "abc"), 0);
    }

    #[test]
    fn only_a_similar_name_is_near() {
        let known = ["period", "herd", "size"];
        assert_eq!(nearest("peroid", known.into_iter()), Some("period"));
        assert_eq!(nearest("HERD", known.into_iter()), Some("herd"));
        assert_eq!(nearest("incidence", known.into_iter()), None);
    }
}
