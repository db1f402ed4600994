//! Counts of transcripts by cell and gene.

mod delimited;
mod embedding;
mod h5ad;
mod labels;
mod lines;
mod market;
mod names;
mod read;
mod sparse;

use ndarray::{Array2, ArrayView2};

pub use embedding::write_embedding;
pub use labels::Labels;
pub use lines::Place;
pub use read::{CountOptions, GeneNames, LabelSource, Orientation, read_counts};

pub(crate) use lines::{Line, Lines, count};
pub(crate) use names::Names;
pub(crate) use sparse::{SparseCounts, number};

use crate::{Error, Result};

/// Counts with the names of cells and genes, `N` cells by `D` genes, zeros not stored.
///
/// No two genes have the same name; names of cells may repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountMatrix {
    counts: SparseCounts,
    genes: Vec<String>,
    cells: Vec<String>,
    labels: Option<Labels>,
}

impl CountMatrix {
    /// From all counts, `(N, D)`, and the names of cells and genes.
    ///
    /// # Errors
    /// Other numbers of names than of rows and columns, or two genes of one name.
    ///
    /// ```
    /// use aais_datasets::CountMatrix;
    /// use ndarray::array;
    ///
    /// let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    /// let counts = array![[0, 3, 1], [2, 0, 0]];
    /// let counts = CountMatrix::from_dense(counts.view(), names(&["cell 1", "cell 2"]), names(&["Actb", "Sst", "Mbp"]))?;
    /// assert_eq!(counts.library_sizes(), [4, 2]);
    /// assert_eq!(counts.select_genes(&[2, 1])?.to_dense(), array![[1.0, 3.0], [0.0, 0.0]]);
    /// # Ok::<(), aais_datasets::Error>(())
    /// ```
    pub fn from_dense(counts: ArrayView2<'_, u32>, cells: Vec<String>, genes: Vec<String>) -> Result<Self> {
        let (n_cells, n_genes) = counts.dim();
        Error::expect_length("names of cells", n_cells, cells.len())?;
        Error::expect_length("names of genes", n_genes, genes.len())?;
        let mut known = Names::new("gene");
        genes.iter().enumerate().try_for_each(|(at, gene)| known.add(gene, &Place::new("counts").column(at + 1)))?;

        let mut sparse = SparseCounts::new(n_genes);
        for row in counts.rows() {
            row.iter().enumerate().for_each(|(gene, &count)| sparse.push(number(gene), count));
            sparse.end_row();
        }
        Ok(Self::new(sparse, cells, genes))
    }

    /// Of rows of cells whose names are known to fit.
    pub(crate) fn new(counts: SparseCounts, cells: Vec<String>, genes: Vec<String>) -> Self {
        debug_assert_eq!((counts.n_rows(), counts.n_columns()), (cells.len(), genes.len()));
        Self { counts, genes, cells, labels: None }
    }

    /// The same counts with a label for each cell.
    ///
    /// # Errors
    /// More or fewer labels than cells.
    pub fn with_labels(self, labels: Labels) -> Result<Self> {
        Error::expect_length("labels", self.n_cells(), labels.codes.len())?;
        Ok(Self { labels: Some(labels), ..self })
    }

    /// How many cells there are.
    #[must_use]
    pub fn n_cells(&self) -> usize {
        self.counts.n_rows()
    }

    /// How many genes there are.
    #[must_use]
    pub fn n_genes(&self) -> usize {
        self.counts.n_columns()
    }

    /// The names of the cells.
    #[must_use]
    pub fn cells(&self) -> &[String] {
        &self.cells
    }

    /// The names of the genes.
    #[must_use]
    pub fn genes(&self) -> &[String] {
        &self.genes
    }

    /// The classes of the cells, where they are known.
    #[must_use]
    pub fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// Cells one after the other, each as its genes' positions, rising, and counts; zeros are left out.
    pub fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = (usize, u32)> + '_> + '_ {
        (0..self.n_cells()).map(|cell| self.counts.row(cell))
    }

    /// Positions of genes and counts of all cells, one cell after the other.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.counts.entries()
    }

    /// The sum of each cell's counts.
    #[must_use]
    pub fn library_sizes(&self) -> Vec<u64> {
        self.rows().map(|row| row.map(|(_, count)| u64::from(count)).sum()).collect()
    }

    /// The sum of each gene's counts.
    #[must_use]
    pub fn gene_totals(&self) -> Vec<u64> {
        let mut totals = vec![0; self.n_genes()];
        self.entries().for_each(|(gene, count)| totals[gene] += u64::from(count));
        totals
    }

    /// Positions of the genes that were counted at least this often in all cells together.
    #[must_use]
    pub fn genes_with_total(&self, at_least: u64) -> Vec<usize> {
        let totals = self.gene_totals();
        (0..self.n_genes()).filter(|&gene| totals[gene] >= at_least).collect()
    }

    /// These genes alone, in this order.
    ///
    /// # Errors
    /// A position beyond the last gene, or one given twice.
    pub fn select_genes(&self, genes: &[usize]) -> Result<Self> {
        let mut positions = vec![None; self.n_genes()];
        for (position, &gene) in genes.iter().enumerate() {
            let (wanted, n) = ("positions of genes that differ", self.n_genes());
            match positions.get_mut(gene) {
                Some(free @ None) => *free = Some(number(position)),
                _ => return Err(Error::Position { wanted, n, found: gene }),
            }
        }

        let mut counts = SparseCounts::new(genes.len());
        let mut selected = Vec::new();
        for row in self.rows() {
            selected.clear();
            selected.extend(row.filter_map(|(gene, count)| positions[gene].map(|position| (position, count))));
            selected.sort_unstable();
            selected.iter().for_each(|&(position, count)| counts.push(position, count));
            counts.end_row();
        }
        let genes = genes.iter().map(|&gene| self.genes[gene].clone()).collect();
        Ok(Self { counts, genes, cells: self.cells.clone(), labels: self.labels.clone() })
    }

    /// Some cells' counts in full, `(B, D)`, for training. Exact up to `2^24`, rounded beyond.
    ///
    /// # Errors
    /// A position beyond the last cell.
    pub fn dense_rows(&self, cells: &[usize]) -> Result<Array2<f32>> {
        let n = self.n_cells();
        if let Some(&found) = cells.iter().find(|&&cell| cell >= n) {
            return Err(Error::Position { wanted: "positions of cells", n, found });
        }
        let mut dense = Array2::zeros((cells.len(), self.n_genes()));
        for (mut row, &cell) in dense.rows_mut().into_iter().zip(cells) {
            #[expect(clippy::cast_precision_loss, reason = "documented")]
            self.counts.row(cell).for_each(|(gene, count)| row[gene] = count as f32);
        }
        Ok(dense)
    }

    /// All counts, zeros included, `(N, D)`. Exact up to `2^24`, rounded beyond.
    #[must_use]
    pub fn to_dense(&self) -> Array2<f32> {
        let all: Vec<usize> = (0..self.n_cells()).collect();
        self.dense_rows(&all).expect("these cells are there")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use ndarray::{Axis, array};
    use proptest::prelude::*;

    fn names(letter: char, n: usize) -> Vec<String> {
        (0..n).map(|at| format!("{letter}{at}")).collect()
    }

    fn matrix(dense: &Array2<u32>) -> CountMatrix {
        CountMatrix::from_dense(dense.view(), names('c', dense.nrows()), names('g', dense.ncols())).unwrap()
    }

    #[test]
    fn names_must_fit_and_genes_differ() {
        let dense = array![[1, 2], [3, 4]];
        let message = |cells, genes| CountMatrix::from_dense(dense.view(), cells, genes).unwrap_err().to_string();
        assert_eq!(message(names('c', 3), names('g', 2)), "expected 2 names of cells, got 3");
        assert_eq!(message(names('c', 2), names('g', 1)), "expected 2 names of genes, got 1");
        assert_eq!(
            message(names('c', 2), vec!["Actb".into(), "Actb".into()]),
            "counts, column 2: expected genes of different names, got `Actb` again, first in counts, column 1"
        );
        let labels = matrix(&dense).with_labels(Labels::new(&["a"]));
        assert_eq!(labels.unwrap_err().to_string(), "expected 2 labels, got 1");
    }

    #[test]
    fn positions_must_be_there_once() {
        let counts = matrix(&array![[1, 2], [3, 4]]);
        let message = counts.select_genes(&[0, 2]).unwrap_err().to_string();
        assert_eq!(message, "expected positions of genes that differ below 2, got 2");
        assert!(counts.select_genes(&[1, 1]).is_err() && counts.dense_rows(&[0, 2]).is_err());
    }

    #[test]
    fn sums_do_not_overflow() {
        let counts = matrix(&array![[u32::MAX, u32::MAX], [1, 0]]);
        assert_eq!(counts.library_sizes(), [2 * u64::from(u32::MAX), 1]);
        assert_eq!(counts.gene_totals(), [u64::from(u32::MAX) + 1, u64::from(u32::MAX)]);
        assert_eq!(counts.genes_with_total(u64::from(u32::MAX) + 1), [0]);
    }

    proptest! {
        #[test]
        fn selected_genes_are_columns_of_the_whole(cells in 1..6_usize, values in prop::collection::vec(0..4_u32, 5..30)) {
            let genes = values.len() / cells;
            prop_assume!(genes > 0);
            let dense = Array2::from_shape_vec((cells, genes), values[..cells * genes].to_vec()).unwrap();
            let (counts, wanted) = (matrix(&dense), dense.mapv(|count| f32::from(u8::try_from(count).unwrap())));
            prop_assert_eq!(&counts.to_dense(), &wanted);

            let chosen: Vec<usize> = (0..genes).rev().step_by(2).collect();
            let selected = counts.select_genes(&chosen).unwrap();
            prop_assert_eq!(selected.to_dense(), wanted.select(Axis(1), &chosen));
            prop_assert_eq!(&selected.genes()[0], &format!("g{}", genes - 1));
            prop_assert_eq!(counts.dense_rows(&[cells - 1, 0]).unwrap(), wanted.select(Axis(0), &[cells - 1, 0]));
        }
    }
}
