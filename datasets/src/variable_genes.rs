//! Genes that vary more between cells than genes of their abundance do (Stuart et al., 2019).

mod loess;

use loess::Loess;

use crate::counts::CountMatrix;
use crate::{Error, Result};

/// The share of genes that each local regression takes in, as in Seurat v3 and scanpy.
const SPAN: f64 = 0.3;

/// How counts vary, gene by gene.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneVariability {
    /// Means over cells.
    pub means: Vec<f64>,
    /// Variances over cells, with divisor `N − 1`.
    pub variances: Vec<f64>,
    /// Variances of counts that are standardized by the variance expected of their mean, and clipped at `√N`.
    pub normalized: Vec<f64>,
}

/// The `n` genes with the largest normalized variances, in the order of the table.
///
/// As `scanpy.pp.highly_variable_genes(flavor="seurat_v3")` and Seurat v3 select them; scanpy's callers leave out genes with
/// few counts first. Of genes that vary alike the first are taken.
///
/// # Errors
/// Fewer than `n` genes, and those of [`gene_variability`].
///
/// ```no_run
/// use aais_datasets::{cortex, highly_variable_genes};
///
/// let counts = cortex("data".as_ref())?.counts;
/// let counts = counts.select_genes(&counts.genes_with_total(3))?;
/// let counts = counts.select_genes(&highly_variable_genes(&counts, 1200)?)?; // The paper's 1,200.
/// # Ok::<(), aais_datasets::Error>(())
/// ```
pub fn highly_variable_genes(counts: &CountMatrix, n: usize) -> Result<Vec<usize>> {
    if n > counts.n_genes() {
        return Err(Error::TooFew { wanted: format!("{n} genes"), found: counts.n_genes() });
    }
    let mut genes = gene_variability(counts)?.ranking();
    genes.truncate(n);
    genes.sort_unstable();
    Ok(genes)
}

/// Means, variances, and variances relative to what is expected of genes of the same mean.
///
/// The expectation is a local quadratic regression, with span 0.3, of `log₁₀` variance on `log₁₀` mean over the genes that
/// vary. With `σ_g` its root, `c_g = σ_g √N + mean_g` and `N` cells, the normalized variance is
/// `Σᵢ (min(x_ig, c_g) − mean_g)² / ((N − 1) σ_g²)`. Genes that do not vary have `σ_g = 1`.
///
/// # Errors
/// Fewer than two cells, or so few genes that vary, or so many of equal means, that the regression has no solution.
pub fn gene_variability(counts: &CountMatrix) -> Result<GeneVariability> {
    let n = counts.n_cells();
    if n < 2 {
        return Err(Error::TooFew { wanted: "two cells".to_owned(), found: n });
    }
    let Moments { means, variances } = moments(counts);
    let varying: Vec<usize> = (0..means.len()).filter(|&gene| variances[gene] > 0.0).collect();
    let log = |values: &[f64]| varying.iter().map(|&gene| values[gene].log10()).collect::<Vec<_>>();
    let (log_means, log_variances) = (log(&means), log(&variances));
    let expected = Loess::fit(&log_means, &log_variances, SPAN)?;

    let mut stds = vec![1.0; means.len()];
    for (&gene, &log_mean) in varying.iter().zip(&log_means) {
        stds[gene] = 10_f64.powf(expected.at(log_mean)).sqrt();
    }
    let normalized = normalized_variances(counts, &means, &stds);
    Ok(GeneVariability { means, variances, normalized })
}

impl GeneVariability {
    /// All genes, from the largest normalized variance to the smallest; of equal ones the first comes first.
    #[must_use]
    pub fn ranking(&self) -> Vec<usize> {
        let mut genes: Vec<usize> = (0..self.normalized.len()).collect();
        genes.sort_by(|&one, &other| self.normalized[other].total_cmp(&self.normalized[one]));
        genes
    }
}

struct Moments {
    means: Vec<f64>,
    variances: Vec<f64>,
}

/// Sums are whole numbers, so that nothing is lost to rounding before the last division.
#[expect(clippy::cast_precision_loss, reason = "the last step")]
fn moments(counts: &CountMatrix) -> Moments {
    let n = counts.n_cells() as u128;
    let (mut sums, mut squares) = (vec![0_u128; counts.n_genes()], vec![0_u128; counts.n_genes()]);
    for (gene, count) in counts.entries() {
        let count = u128::from(count);
        sums[gene] += count;
        squares[gene] += count * count;
    }
    let variance = |(sum, square): (&u128, &u128)| (n * square - sum * sum) as f64 / (n * (n - 1)) as f64;
    Moments {
        variances: sums.iter().zip(&squares).map(variance).collect(),
        means: sums.iter().map(|&sum| sum as f64 / n as f64).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of cells are small")]
fn normalized_variances(counts: &CountMatrix, means: &[f64], stds: &[f64]) -> Vec<f64> {
    let n = counts.n_cells() as f64;
    let (mut squares, mut n_positive) = (vec![0.0; means.len()], vec![0.0; means.len()]);
    for (gene, count) in counts.entries() {
        let clipped = f64::from(count).min(stds[gene] * n.sqrt() + means[gene]);
        squares[gene] += (clipped - means[gene]).powi(2);
        n_positive[gene] += 1.0;
    }
    let normalized = |gene: usize| {
        let of_zeros = (n - n_positive[gene]) * means[gene].powi(2);
        (squares[gene] + of_zeros) / ((n - 1.0) * stds[gene].powi(2))
    };
    (0..means.len()).map(normalized).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use ndarray::Array2;

    /// Counts of 60 cells: gene `g` has a mean of about `g / 2`, gene 30 alone is in bursts, and the first two are never seen.
    fn counts() -> CountMatrix {
        let count = |cell: usize, gene: usize| match gene {
            30 => 60 * u32::from(cell.is_multiple_of(4)),
            0 | 1 => 0,
            _ => u32::try_from((cell * (2 * gene + 3) + cell * cell) % (gene + 1)).unwrap(),
        };
        let dense = Array2::from_shape_fn((60, 50), |(cell, gene)| count(cell, gene));
        let names = |n: usize| (0..n).map(|i| format!("n{i}")).collect();
        CountMatrix::from_dense(dense.view(), names(60), names(50)).unwrap()
    }

    #[test]
    fn means_and_variances_are_those_of_the_counts() {
        let variability = gene_variability(&counts()).unwrap();
        assert_eq!((variability.means[30], variability.means[0], variability.variances[0]), (15.0, 0.0, 0.0));
        // 15 cells of 60 and 45 of 0: (15 · 45² + 45 · 15²) / 59.
        assert!((variability.variances[30] - 40_500.0 / 59.0).abs() < 1e-10);
    }

    #[test]
    fn a_gene_in_bursts_comes_first_and_those_without_counts_last() {
        let counts = counts();
        let ranking = gene_variability(&counts).unwrap().ranking();
        assert_eq!((ranking[0], &ranking[48..]), (30, &[0, 1][..]));
        let genes = highly_variable_genes(&counts, 3).unwrap();
        assert!(genes.is_sorted() && genes.contains(&30) && genes.len() == 3);
    }

    #[test]
    fn the_unclipped_variance_is_relative_to_the_expected_one() {
        let counts = counts();
        let GeneVariability { means, variances, .. } = gene_variability(&counts).unwrap();
        // Standard deviations so large that no count is clipped.
        let stds: Vec<f64> = variances.iter().map(|variance| 2.0 * variance.sqrt().max(1.0)).collect();
        for (gene, normalized) in normalized_variances(&counts, &means, &stds).iter().enumerate() {
            assert!((normalized - variances[gene] / stds[gene].powi(2)).abs() < 1e-12);
        }
    }

    #[test]
    fn too_little_data_is_refused() {
        let counts = counts();
        let message = highly_variable_genes(&counts, 51).unwrap_err().to_string();
        assert_eq!(message, "expected 51 genes, got 50; leave out genes with few counts, or add cells");
        let few = counts.select_genes(&[1, 2, 3, 4]).unwrap();
        assert!(matches!(gene_variability(&few), Err(Error::TooFew { .. })));
        let one = CountMatrix::from_dense(Array2::ones((1, 2)).view(), vec!["c".into()], vec!["a".into(), "b".into()]);
        assert!(matches!(gene_variability(&one.unwrap()), Err(Error::TooFew { .. })));
    }
}
