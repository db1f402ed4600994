//! The class of every cell.

use crate::table::TextColumn;

/// Classes of cells, none missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The names of the classes, every one of them in use.
    pub classes: Vec<String>,
    /// The class of each cell as a position in `classes`.
    pub codes: Vec<usize>,
}

impl Labels {
    /// From the name of each cell's class; classes are sorted by code point.
    ///
    /// ```
    /// use aais_datasets::Labels;
    ///
    /// let labels = Labels::new(&["microglia", "interneurons", "microglia"]);
    /// assert_eq!(labels.classes, ["interneurons", "microglia"]);
    /// assert_eq!((labels.codes.as_slice(), labels.class_sizes().as_slice()), (&[1, 0, 1][..], &[1, 2][..]));
    /// ```
    #[must_use]
    pub fn new<S: AsRef<str>>(names: &[S]) -> Self {
        let names: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_ref())).collect();
        let column = TextColumn::new(&names);
        Self { classes: column.levels, codes: column.codes.into_iter().flatten().collect() }
    }

    /// From classes in an order of their own, of which those without cells are left out.
    pub(super) fn in_order(classes: Vec<String>, mut codes: Vec<usize>) -> Self {
        let mut sizes = vec![0; classes.len()];
        codes.iter().for_each(|&code| sizes[code] += 1);
        let used: Vec<usize> = (0..classes.len()).filter(|&class| sizes[class] > 0).collect();
        let mut positions = vec![0; classes.len()];
        used.iter().enumerate().for_each(|(position, &class)| positions[class] = position);
        codes.iter_mut().for_each(|code| *code = positions[*code]);
        Self { classes: used.into_iter().map(|class| classes[class].clone()).collect(), codes }
    }

    /// The name of each cell's class.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().map(|&code| self.classes[code].as_str())
    }

    /// How many cells each class has.
    #[must_use]
    pub fn class_sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.classes.len()];
        self.codes.iter().for_each(|&code| sizes[code] += 1);
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_without_cells_are_left_out() {
        let classes = ["c", "a", "b"].map(str::to_owned).to_vec();
        let labels = Labels::in_order(classes, vec![2, 0, 2]);
        assert_eq!(
            (labels.classes.as_slice(), labels.codes.as_slice()),
            (&["c", "b"].map(str::to_owned)[..], &[1, 0, 1][..])
        );
        assert_eq!(labels.names().collect::<Vec<_>>(), ["b", "c", "b"]);
    }
}
