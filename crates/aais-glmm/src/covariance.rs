//! Covariances of random effects as lme4 writes them: relative Cholesky factors and their entries `θ`.

use ndarray::Array2;

use crate::{Error, RandomTerm, Result};

/// Where each term's block stands, in `θ` and in the grouping factor that it shares with other terms.
#[derive(Debug, Clone)]
pub(crate) struct Covariance {
    pub terms: Vec<TermBlock>,
    /// Effects per level of each grouping factor.
    pub factor_sizes: Vec<usize>,
    pub n_theta: usize,
}

/// One term's lower triangle within the block of its factor.
#[derive(Debug, Clone)]
pub(crate) struct TermBlock {
    pub factor: usize,
    pub first_effect: usize,
    pub size: usize,
    pub first_theta: usize,
}

/// One entry of `θ` as an entry of its factor's block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThetaEntry {
    pub factor: usize,
    pub row: usize,
    pub column: usize,
}

/// `Λ_θ` for one value of `θ`: a lower triangle for each grouping factor, row by row.
#[derive(Debug, Clone)]
pub(crate) struct RelativeFactor {
    pub blocks: Vec<Vec<f64>>,
}

impl Covariance {
    /// Lays out terms whose factors are known: `factors[term]`, with factors numbered by elimination.
    pub(crate) fn new(sizes: &[usize], factors: &[usize], n_factors: usize) -> Self {
        let mut factor_sizes = vec![0; n_factors];
        let mut n_theta = 0;
        let terms = sizes
            .iter()
            .zip(factors)
            .map(|(&size, &factor)| {
                let term = TermBlock { factor, first_effect: factor_sizes[factor], size, first_theta: n_theta };
                factor_sizes[factor] += size;
                n_theta += n_lower(size);
                term
            })
            .collect();
        Self { terms, factor_sizes, n_theta }
    }

    /// The entries in the order of `θ`: term by term, column by column of the lower triangle.
    pub(crate) fn entries(&self) -> Vec<ThetaEntry> {
        let mut entries = Vec::with_capacity(self.n_theta);
        for term in &self.terms {
            for column in 0..term.size {
                for row in column..term.size {
                    let [row, column] = [row, column].map(|k| term.first_effect + k);
                    entries.push(ThetaEntry { factor: term.factor, row, column });
                }
            }
        }
        entries
    }

    /// `Λ_θ`.
    pub(crate) fn relative_factor(&self, theta: &[f64]) -> RelativeFactor {
        let mut blocks: Vec<Vec<f64>> = self.factor_sizes.iter().map(|size| vec![0.0; size * size]).collect();
        for (entry, value) in self.entries().into_iter().zip(theta) {
            blocks[entry.factor][entry.row * self.factor_sizes[entry.factor] + entry.column] = *value;
        }
        RelativeFactor { blocks }
    }

    /// The start of a search: the identity, random effects as variable as one unit of the linear predictor.
    pub(crate) fn identity(&self) -> Vec<f64> {
        self.entries().iter().map(|entry| f64::from(u8::from(entry.row == entry.column))).collect()
    }

    /// The same covariances with columns turned so that no diagonal is negative.
    pub(crate) fn with_nonnegative_diagonal(&self, theta: &[f64]) -> Vec<f64> {
        let mut theta = theta.to_vec();
        for term in &self.terms {
            let mut at = term.first_theta;
            for column in 0..term.size {
                let length = term.size - column;
                if theta[at].is_sign_negative() {
                    theta[at..at + length].iter_mut().for_each(|entry| *entry = -*entry);
                }
                at += length;
            }
        }
        theta
    }
}

fn n_lower(size: usize) -> usize {
    size * (size + 1) / 2
}

/// The lower triangle `Λ` of one term, `(q, q)`, from its `q (q + 1) / 2` entries of `θ`, column by column.
///
/// The term's covariance is `σ² Λ Λᵀ`. Bates et al. (2015), Section 2.2, doi:10.18637/jss.v067.i01.
///
/// # Errors
/// Another number of entries.
///
/// ```
/// let factor = aais_glmm::relative_factor(&[2.0, 0.5, 1.0], 2)?;
/// assert_eq!(factor, ndarray::array![[2.0, 0.0], [0.5, 1.0]]);
/// # Ok::<(), aais_glmm::Error>(())
/// ```
pub fn relative_factor(theta: &[f64], n_effects: usize) -> Result<Array2<f64>> {
    if theta.len() != n_lower(n_effects) {
        return Err(Error::Size { part: "theta".into(), expected: n_lower(n_effects), found: theta.len() });
    }
    let mut factor = Array2::zeros((n_effects, n_effects));
    let places = (0..n_effects).flat_map(|column| (column..n_effects).map(move |row| (row, column)));
    for (place, value) in places.zip(theta) {
        factor[place] = *value;
    }
    Ok(factor)
}

/// Names of the entries of `θ` as lme4 gives them: `id.(Intercept)`, `id.modedo.(Intercept)`, `id.modedo`.
pub(crate) fn theta_names(terms: &[RandomTerm]) -> Vec<String> {
    let mut names = Vec::new();
    for term in terms {
        for (column, second) in term.effect_names.iter().enumerate() {
            for (row, first) in term.effect_names.iter().enumerate().skip(column) {
                let pair = if row == column { first.clone() } else { format!("{first}.{second}") };
                names.push(format!("{}.{pair}", term.group));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn turning_columns_keeps_the_covariance() {
        let covariance = Covariance::new(&[2, 1], &[0, 0], 1);
        let theta = [-1.0, 0.5, -2.0, -0.25];
        let turned = covariance.with_nonnegative_diagonal(&theta);
        assert_eq!(turned, [1.0, -0.5, 2.0, 0.25]);
        let product = |theta: &[f64]| {
            let factor = relative_factor(&theta[..3], 2).unwrap();
            factor.dot(&factor.t())
        };
        assert_eq!(product(&theta), product(&turned));
    }

    #[test]
    fn terms_of_one_group_share_a_block() {
        let covariance = Covariance::new(&[1, 2], &[0, 0], 1);
        let factor = covariance.relative_factor(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(factor.blocks[0], [1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 3.0, 4.0]);
        assert!(relative_factor(&[1.0, 2.0], 2).is_err());
    }
}
