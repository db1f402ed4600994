//! Standard errors of fixed effects beside a law that is not parametrized.
//!
//! The law may be tilted by any factor `1 + t h(z)` with `E h(z) = 0`. A fixed effect that holds the mean of a random
//! effect moves by tilting with `h = [V⁻¹ (b − E b)]_k`, which moves that mean by `t` and no other; any other fixed effect
//! by itself. Tilts that leave the means, here Hermite polynomials of `z` less their regression on `b`, are what the law
//! could take on itself of such a move. What is left of the scores after projection on theirs is the efficient score
//! (van der Vaart 1998, chapter 25), and the sandwich of its curvature and its outer products, group by group, is the
//! covariance, dispersion held.

use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::dense::{block_mut, cholesky, rows as rows_of, solve};
use crate::grouped_design::GroupedDesign;
use crate::marginal::normalized;
use crate::posterior::Draws;

/// Highest degree of the polynomials, and groups that each must have for itself.
const HIGHEST_DEGREE: usize = 4;
const GROUPS_A_POLYNOMIAL: usize = 10;

/// Added to the diagonal of a matrix to be inverted, relative to its mean: tilts that a rotation of latent space makes
/// alike have one score.
const RIDGE: f64 = 1e-6;

/// Scores and curvatures of groups in the fixed effects and in tilts.
pub(crate) struct Scores {
    /// For each fixed effect, the random effect whose mean it holds.
    holds: Vec<Option<usize>>,
    /// Exponents of Hermite polynomials, `(polynomials, d)`.
    degrees: Vec<Vec<usize>>,
    /// `E b`, `(q,)`, and `V⁻¹`, `(q, q)`.
    mean: Array1<f64>,
    precision: Array2<f64>,
    /// Regression of the polynomials on `b − E b`, `(polynomials, q)`.
    regression: Array2<f64>,
    /// One row a group, `(G, p + tilts)`.
    scores: Vec<Array1<f64>>,
    /// `(p + tilts, p + tilts)`.
    curvature: Array2<f64>,
}

/// A group's rows: derivatives of `ℓ` in the linear predictor at each draw, times the weights, `(rows, M)` each.
pub(crate) struct RowDerivatives {
    pub score: Array2<f64>,
    pub information: Array2<f64>,
}

impl Scores {
    /// From latent draws of the prior, `(n, d)`, with their effects, `(n, q)`.
    pub fn new(design: &GroupedDesign, [z, effects]: [&Array2<f64>; 2]) -> Self {
        let p = design.fixed.ncols();
        let holds = (0..p).map(|column| design.twins.iter().position(|twin| *twin == Some(column))).collect();
        let fits = |degree: &usize| degrees(z.ncols(), *degree).len() * GROUPS_A_POLYNOMIAL <= design.sizes.len();
        let degree = (1..=HIGHEST_DEGREE).rev().find(fits).unwrap_or(1);
        let degrees = degrees(z.ncols(), degree);
        let mean = effects.mean_axis(Axis(0)).expect("a law has draws");
        let centred = effects - &mean;
        let n = effects.nrows() as f64;
        let mut variance = centred.t().dot(&centred) / n;
        ridge(&mut variance);
        let root = cholesky(&variance).unwrap_or_else(|| Array2::eye(variance.nrows()));
        let precision = solve(&root, &Array2::eye(variance.nrows()));
        let mut products = Array2::<f64>::zeros((degrees.len(), effects.ncols()));
        for (z, b) in z.rows().into_iter().zip(centred.rows()) {
            for (mut product, h) in products.rows_mut().into_iter().zip(polynomials(&degrees, z)) {
                product.scaled_add(h / n, &b);
            }
        }
        let n_tilts = effects.ncols() + degrees.len();
        let (regression, curvature) = (products.dot(&precision), Array2::zeros((p + n_tilts, p + n_tilts)));
        Self { holds, degrees, mean, precision, regression, scores: Vec::new(), curvature }
    }

    fn n_fixed(&self) -> usize {
        self.holds.len()
    }

    /// Tilts at a draw: toward each effect, then those that leave the means, `(tilts,)`.
    fn tilts(&self, z: ArrayView1<f64>, effects: ArrayView1<f64>) -> Array1<f64> {
        let away = &effects - &self.mean;
        let others = Array1::from(polynomials(&self.degrees, z)) - self.regression.dot(&away);
        ndarray::concatenate![Axis(0), self.precision.dot(&away), others]
    }

    /// Adds a group: `E S` and, by Louis' identity, `E[−∂S] − Cov S` under its posterior.
    ///
    /// `effects` are those of the draws on the scale of the data.
    pub fn add(
        &mut self,
        design: &GroupedDesign,
        rows: std::ops::Range<usize>,
        draws: &Draws,
        effects: &Array2<f64>,
        at: &RowDerivatives,
    ) {
        let (p, n) = (self.n_fixed(), self.curvature.nrows());
        let mut x = rows_of(&design.fixed, rows).to_owned();
        for (column, holds) in self.holds.iter().enumerate() {
            if holds.is_some() {
                x.column_mut(column).fill(0.0); // Moves by a tilt.
            }
        }
        let (mut first, mut second) = (Array1::<f64>::zeros(n), Array2::<f64>::zeros((n, n)));
        let mut own = Array2::<f64>::zeros((n, n));
        for (draw, weight) in normalized(&draws.log_weights).iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let of_fixed = x.t().dot(&at.score.column(draw));
            let tilts = self.tilts(draws.z.row(draw), effects.row(draw));
            let score = ndarray::concatenate![Axis(0), of_fixed, tilts];
            let informed = &x * &at.information.column(draw).insert_axis(Axis(1));
            block_mut(&mut own, 0..p, 0..p).scaled_add(*weight, &x.t().dot(&informed));
            // The second derivative of log(1 + t h) is −h².
            block_mut(&mut own, p..n, p..n).scaled_add(*weight, &outer(&tilts));
            second.scaled_add(*weight, &outer(&score));
            first.scaled_add(*weight, &score);
        }
        self.curvature += &(own - second + outer(&first));
        self.scores.push(first);
    }

    /// The covariance of the fixed effects, `(p, p)`; `None` where the efficient scores are collinear.
    pub fn fixed_covariance(&self) -> Option<Array2<f64>> {
        let (p, n) = (self.n_fixed(), self.curvature.nrows());
        let q = self.mean.len();
        let views: Vec<_> = self.scores.iter().map(|score| score.view()).collect();
        let scores = ndarray::stack(Axis(0), &views).ok()?;
        // Away from the exact maximum a mean is left.
        let scores = &scores - &scores.mean_axis(Axis(0))?;
        let products = scores.t().dot(&scores);

        // Columns that stand for the fixed effects, and the others, which the law takes on itself.
        let of_fixed: Vec<usize> = (0..p).map(|k| self.holds[k].map_or(k, |effect| p + effect)).collect();
        let others: Vec<usize> = (p..n).filter(|column| *column >= p + q || !of_fixed.contains(column)).collect();
        let pick = |matrix: &Array2<f64>, rows: &[usize], columns: &[usize]| {
            matrix.select(Axis(0), rows).select(Axis(1), columns)
        };
        let mut of_others = pick(&products, &others, &others);
        ridge(&mut of_others);
        let taken = solve(&cholesky(&of_others)?, &pick(&products, &others, &of_fixed));
        // The least favourable direction: fixed effects up by one, the law tilted by what takes it on.
        let mut direction = Array2::<f64>::zeros((n, p));
        of_fixed.iter().enumerate().for_each(|(k, &row)| direction[(row, k)] = 1.0);
        for (row, taken) in others.iter().zip(taken.rows()) {
            direction.row_mut(*row).assign(&-&taken);
        }
        let meat = direction.t().dot(&products).dot(&direction);
        let bread = direction.t().dot(&self.curvature).dot(&direction);
        let bread = (&bread + &bread.t()) * 0.5;
        // Not at a maximum in some direction: the outer products estimate the same curvature.
        let root = cholesky(&bread).or_else(|| cholesky(&meat))?;
        let half = solve(&root, &meat);
        let n_groups = self.scores.len() as f64;
        Some(solve(&root, &half.t().to_owned()) * (n_groups / (n_groups - 1.0)))
    }
}

/// `v vᵀ`.
fn outer(vector: &Array1<f64>) -> Array2<f64> {
    let column = vector.view().insert_axis(Axis(1));
    column.dot(&vector.view().insert_axis(Axis(0)))
}

fn ridge(matrix: &mut Array2<f64>) {
    let added = RIDGE * matrix.diag().mean().unwrap_or(0.0);
    matrix.diag_mut().mapv_inplace(|value| value + added);
}

/// Exponents of total degree from one to the highest.
fn degrees(latent: usize, highest: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..latent {
        all = all
            .into_iter()
            .flat_map(|degrees| {
                let left = highest - degrees.iter().sum::<usize>();
                (0..=left).map(move |degree| [&degrees[..], &[degree]].concat())
            })
            .collect();
    }
    all.retain(|degrees| degrees.iter().sum::<usize>() > 0);
    all
}

/// Products of `He_k(z) / √k!`, each with mean zero and variance one under the prior.
fn polynomials(degrees: &[Vec<usize>], z: ArrayView1<f64>) -> Vec<f64> {
    let values: Vec<Vec<f64>> = z.iter().map(|z| hermite(*z, HIGHEST_DEGREE)).collect();
    let product = |degrees: &Vec<usize>| degrees.iter().zip(&values).map(|(degree, values)| values[*degree]).product();
    degrees.iter().map(product).collect()
}

/// `He_k(z) / √k!` for `k` from zero to the highest.
fn hermite(z: f64, highest: usize) -> Vec<f64> {
    let mut values = vec![1.0, z];
    for k in 1..highest {
        // √(k + 1) h_{k+1} = z h_k − √k h_{k−1}.
        let next = (z * values[k] - (k as f64).sqrt() * values[k - 1]) / ((k + 1) as f64).sqrt();
        values.push(next);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hermite_polynomials_are_the_known_ones() {
        let z: f64 = 0.7;
        let expected = [1.0, z, (z * z - 1.0) / 2f64.sqrt(), (z.powi(3) - 3.0 * z) / 6f64.sqrt()];
        for (found, expected) in hermite(z, 3).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn degrees_are_those_of_all_monomials_but_the_constant() {
        assert_eq!(degrees(1, 3), [[1], [2], [3]]);
        assert_eq!(degrees(2, 2), [[0, 1], [0, 2], [1, 0], [1, 1], [2, 0]]);
        assert_eq!(degrees(5, 3).len(), 55);
    }
}
