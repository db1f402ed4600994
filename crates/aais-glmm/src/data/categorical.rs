//! A column of levels.

use std::collections::{BTreeSet, HashMap};

use crate::{Error, Result};

/// Levels in an order of their own, and the level of each row.
///
/// The first level is the reference of treatment contrasts; of a two-level response the second is success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Categorical {
    levels: Vec<String>,
    codes: Vec<Option<usize>>,
}

impl Categorical {
    /// Levels of texts, sorted by code point, as R's `factor` does in the C locale.
    #[must_use]
    pub fn from_values<S: AsRef<str>>(values: &[S]) -> Self {
        Self::sorted(values.iter().map(|value| Some(value.as_ref())))
    }

    /// Levels of texts as in [`from_values`](Self::from_values); `None` is a missing value.
    #[must_use]
    pub fn from_optional<S: AsRef<str>>(values: &[Option<S>]) -> Self {
        Self::sorted(values.iter().map(|value| value.as_ref().map(AsRef::as_ref)))
    }

    /// Levels of numbers, in numerical order as R's `factor` has them; NaN is a missing value.
    #[must_use]
    pub fn from_numbers(values: &[f64]) -> Self {
        // Minus zero is zero; without this it would be a level of its own.
        let values = || values.iter().map(|value| if *value == 0.0 { 0.0 } else { *value });
        let mut distinct: Vec<f64> = values().filter(|value| !value.is_nan()).collect();
        distinct.sort_by(f64::total_cmp);
        distinct.dedup();

        let code = |value: f64| distinct.binary_search_by(|level| level.total_cmp(&value)).ok();
        Self { codes: values().map(code).collect(), levels: distinct.iter().map(f64::to_string).collect() }
    }

    /// The level of each row as a position among the levels; `None` is a missing value.
    ///
    /// # Errors
    /// A level that occurs twice, or a code beyond the levels.
    pub fn from_codes<S: AsRef<str>>(levels: &[S], codes: Vec<Option<usize>>) -> Result<Self> {
        let levels = distinct(levels)?;
        let n_levels = levels.len();
        let beyond = |code: &Option<usize>| code.is_some_and(|code| code >= n_levels);
        match codes.iter().position(beyond) {
            Some(row) => Err(Error::Code { code: codes[row].unwrap_or_default(), n_levels, row }),
            None => Ok(Self { levels, codes }),
        }
    }

    /// The same values with the levels in this order; levels that do not occur may be among them.
    ///
    /// # Errors
    /// A level twice, or a value that is none of the levels.
    pub fn with_levels<S: AsRef<str>>(self, levels: &[S]) -> Result<Self> {
        let levels = distinct(levels)?;
        let positions: HashMap<&str, usize> =
            levels.iter().enumerate().map(|(at, level)| (level.as_str(), at)).collect();
        let moved: Vec<Option<usize>> =
            self.levels.iter().map(|level| positions.get(level.as_str()).copied()).collect();

        let mut codes = Vec::with_capacity(self.codes.len());
        for code in self.codes {
            let Some(code) = code else {
                codes.push(None);
                continue;
            };
            let unknown = || Error::UnknownLevel { level: self.levels[code].clone(), known: levels.clone() };
            codes.push(Some(moved[code].ok_or_else(unknown)?));
        }
        Ok(Self { levels, codes })
    }

    /// Makes this level the first; the others keep their order.
    ///
    /// # Errors
    /// No such level.
    pub fn relevel(mut self, reference: &str) -> Result<Self> {
        let found = self.levels.iter().position(|level| level == reference);
        let unknown = || Error::UnknownLevel { level: reference.to_owned(), known: self.levels.clone() };
        let at = found.ok_or_else(unknown)?;
        self.levels[..=at].rotate_right(1);
        for code in self.codes.iter_mut().flatten() {
            *code = match *code {
                code if code == at => 0,
                code if code < at => code + 1,
                code => code,
            };
        }
        Ok(self)
    }

    /// Levels, the reference first.
    #[must_use]
    pub fn levels(&self) -> &[String] {
        &self.levels
    }

    /// The level of each row as a position in [`levels`](Self::levels); `None` is a missing value.
    #[must_use]
    pub fn codes(&self) -> &[Option<usize>] {
        &self.codes
    }

    fn sorted<'a>(values: impl Iterator<Item = Option<&'a str>> + Clone) -> Self {
        let distinct: BTreeSet<&str> = values.clone().flatten().collect();
        let levels: Vec<&str> = distinct.into_iter().collect();
        let codes = values.map(|value| value.and_then(|value| levels.binary_search(&value).ok())).collect();
        Self { codes, levels: levels.into_iter().map(str::to_owned).collect() }
    }
}

fn distinct<S: AsRef<str>>(levels: &[S]) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    match levels.iter().map(AsRef::as_ref).find(|level| !seen.insert(*level)) {
        Some(level) => Err(Error::DuplicateLevel { level: level.to_owned() }),
        None => Ok(levels.iter().map(|level| level.as_ref().to_owned()).collect()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn levels_are_sorted_as_in_r() {
        assert_eq!(Categorical::from_values(&["10", "9", "10"]).levels(), ["10", "9"]);
        let numbers = Categorical::from_numbers(&[10.0, -0.5, 9.0, f64::NAN, 0.0, -0.0]);
        assert_eq!(numbers.levels(), ["-0.5", "0", "9", "10"]);
        assert_eq!(numbers.codes(), [Some(3), Some(0), Some(2), None, Some(1), Some(1)]);
    }

    #[test]
    fn levels_may_be_ordered_by_hand() {
        let mode = Categorical::from_optional(&[Some("do"), None, Some("want")]);
        let ordered = mode.clone().with_levels(&["want", "do", "never"]).unwrap();
        assert_eq!((ordered.levels().len(), ordered.codes()), (3, &[Some(1), None, Some(0)][..]));
        let error = mode.with_levels(&["want"]).unwrap_err().to_string();
        assert_eq!(error, "unknown level `do`; the levels are `want`");
    }

    #[test]
    fn codes_and_levels_that_do_not_fit_are_refused() {
        let beyond = Categorical::from_codes(&["a"], vec![None, Some(1)]);
        assert_eq!(beyond, Err(Error::Code { code: 1, n_levels: 1, row: 1 }));
        let twice = Categorical::from_codes(&["a", "a"], vec![None]);
        assert_eq!(twice, Err(Error::DuplicateLevel { level: "a".into() }));
        assert!(Categorical::from_values(&["a"]).relevel("b").is_err());
    }

    proptest! {
        #[test]
        fn releveling_changes_the_first_level_and_no_value(
            values in prop::collection::vec("[a-e]", 1..20),
            pick in 0_usize..5,
        ) {
            let before = Categorical::from_values(&values);
            let reference = before.levels()[pick % before.levels().len()].clone();
            let after = before.clone().relevel(&reference).unwrap();

            let texts = |column: &Categorical| -> Vec<String> {
                column.codes().iter().map(|code| column.levels()[code.unwrap()].clone()).collect()
            };
            prop_assert_eq!(texts(&after), values);
            prop_assert_eq!(&after.levels()[0], &reference);
            let others = |column: &Categorical| -> Vec<String> {
                column.levels().iter().filter(|level| **level != reference).cloned().collect()
            };
            prop_assert_eq!(others(&after), others(&before));
        }
    }
}
