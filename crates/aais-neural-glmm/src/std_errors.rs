//! Standard errors of fixed effects beside a law that is not parametrized.
//!
//! The law may be tilted by any factor `1 + t h(z)` with `E h(z) = 0`. A fixed effect that holds the mean of a random
//! effect moves by tilting with `h = [V⁻¹ (b − E b)]_k`, which moves that mean by `t` and no other; any other fixed effect
//! by itself. Tilts that leave the means, here Hermite polynomials of `z` less their regression on `b`, are what the law
//! could take on itself of such a move. What is left of the scores after projection on theirs is the efficient score
//! (van der Vaart 1998, chapter 25), and the jackknife over groups, each left out by one Newton step along the least
//! favourable direction, gives the covariance, dispersion held: a sandwich whose every group's score is set against the
//! curvature of the others (CR3; Bell and McCaffrey 2002). Where some groups tell much, such a variance scatters itself:
//! intervals take quantiles of t with the degrees of freedom that Satterthwaite's rule gives it.

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
    /// One matrix a group, `(p + tilts, p + tilts)`.
    curvatures: Vec<Array2<f64>>,
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
        let regression = products.dot(&precision);
        Self { holds, degrees, mean, precision, regression, scores: Vec::new(), curvatures: Vec::new() }
    }

    fn n_fixed(&self) -> usize {
        self.holds.len()
    }

    /// Fixed effects and tilts.
    fn n_columns(&self) -> usize {
        self.n_fixed() + self.mean.len() + self.degrees.len()
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
        let (p, n) = (self.n_fixed(), self.n_columns());
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
        self.curvatures.push(own - second + outer(&first));
        self.scores.push(first);
    }

    /// The covariance of the fixed effects, `(p, p)`; `None` where the efficient scores are collinear, or one group alone
    /// tells a coefficient.
    pub fn fixed_covariance(&self) -> Option<FixedCovariance> {
        let (p, n) = (self.n_fixed(), self.n_columns());
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
        // The least favourable direction: fixed effects up by one, the law tilted by what takes it on.
        let direction = |information: &Array2<f64>| -> Option<Array2<f64>> {
            let mut of_others = pick(information, &others, &others);
            ridge(&mut of_others);
            let taken = solve(&cholesky(&of_others)?, &pick(information, &others, &of_fixed));
            let mut direction = Array2::<f64>::zeros((n, p));
            of_fixed.iter().enumerate().for_each(|(k, &row)| direction[(row, k)] = 1.0);
            for (row, taken) in others.iter().zip(taken.rows()) {
                direction.row_mut(*row).assign(&-&taken);
            }
            Some(direction)
        };
        let along = |direction: &Array2<f64>, matrix: &Array2<f64>| {
            let bread = direction.t().dot(matrix).dot(direction);
            (&bread + &bread.t()) * 0.5
        };
        let by_curvature = |direction: &Array2<f64>| {
            let curvatures: Vec<_> = self.curvatures.iter().map(|matrix| along(direction, matrix)).collect();
            jackknife(&scores.dot(direction), &curvatures)
        };
        // Outer products of scores estimate the same information. As a projection they would fit the scores' noise, most
        // where few groups tell most, and leave errors too small; they stand in where there is no maximum in some direction.
        let curvature = self.curvatures.iter().fold(Array2::<f64>::zeros((n, n)), |sum, matrix| sum + matrix);
        direction(&curvature).and_then(|direction| by_curvature(&direction)).or_else(|| {
            let direction = direction(&products)?;
            by_curvature(&direction).or_else(|| {
                let efficient = scores.dot(&direction);
                let products: Vec<_> = efficient.rows().into_iter().map(|row| outer(&row.to_owned())).collect();
                jackknife(&efficient, &products)
            })
        })
    }
}

/// How far the fixed effects are known.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedCovariance {
    /// Their covariance, `(p, p)`.
    pub matrix: Array2<f64>,
    /// Degrees of freedom of each one's variance, `(p,)`: as many groups as would tell as much if all told the same.
    pub degrees_of_freedom: Vec<f64>,
}

/// The covariance `(G − 1) / G Σ_g d_g d_gᵀ`, where `d_g = (Σ_{h ≠ g} C_h)⁻¹ s_g` is how far leaving out a group moves the
/// maximum. Were the `d_g` normal with variances `v_g = [C⁻¹ C_g C⁻¹]`, it would have `(Σ v_g)² / Σ v_g²` degrees of freedom.
///
/// `scores` are `(G, p)`, a curvature is `(p, p)`. `None` where some group's departure leaves no curvature in a direction.
fn jackknife(scores: &Array2<f64>, curvatures: &[Array2<f64>]) -> Option<FixedCovariance> {
    let (n_groups, p) = scores.dim();
    let all = curvatures.iter().fold(Array2::<f64>::zeros((p, p)), |sum, curvature| sum + curvature);
    let inverse = solve(&cholesky(&all)?, &Array2::eye(p));
    let mut matrix = Array2::<f64>::zeros((p, p));
    let (mut sums, mut squares) = (vec![0.0; p], vec![0.0; p]);
    for (score, curvature) in scores.rows().into_iter().zip(curvatures) {
        let root = cholesky(&(&all - curvature))?;
        let moved = solve(&root, &score.insert_axis(Axis(1)).to_owned());
        matrix += &moved.dot(&moved.t());
        for (k, variance) in inverse.dot(curvature).dot(&inverse).diag().iter().enumerate() {
            sums[k] += variance.max(0.0); // A group may have a curvature below zero.
            squares[k] += variance.max(0.0).powi(2);
        }
    }
    let degrees_of_freedom = sums.iter().zip(&squares).map(|(sum, squares)| sum * sum / squares).collect();
    Some(FixedCovariance { matrix: matrix * ((n_groups as f64 - 1.0) / n_groups as f64), degrees_of_freedom })
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
#[allow(clippy::unwrap_used)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_jackknife_of_a_regression_is_that_of_fits_without_each_group() {
        // Least squares of y on x, where one Newton step is exact: s_g = x_g (y_g − b x_g), C_g = x_g².
        let (x, y) = ([1.0, 2.0, -1.5, 0.3, 4.0], [1.2, 1.7, -2.1, 0.9, 3.1]);
        let sum =
            |of: &dyn Fn(usize) -> f64, but: Option<usize>| (0..5).filter(|g| Some(*g) != but).map(of).sum::<f64>();
        let fit = |but: Option<usize>| sum(&|g| x[g] * y[g], but) / sum(&|g| x[g] * x[g], but);
        let b = fit(None);
        let expected = 0.8 * (0..5).map(|g| (fit(Some(g)) - b).powi(2)).sum::<f64>();
        let scores = Array2::from_shape_fn((5, 1), |(g, _)| x[g] * (y[g] - b * x[g]));
        let curvatures: Vec<_> = x.iter().map(|x| array![[x * x]]).collect();
        let found = jackknife(&scores, &curvatures).unwrap().matrix[(0, 0)];
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn degrees_of_freedom_count_the_groups_that_tell() {
        // One coefficient is told alike by all four groups, the other mostly by two: (2.2)² / 2.02.
        let scores = Array2::from_shape_fn((4, 2), |(g, k)| if (g + k) % 2 == 0 { 1.0 } else { -1.0 });
        let curvatures = [1.0, 1.0, 0.1, 0.1].map(|second| array![[3.0, 0.0], [0.0, second]]);
        let found = jackknife(&scores, &curvatures).unwrap().degrees_of_freedom;
        assert!((found[0] - 4.0).abs() < 1e-12 && (found[1] - 4.84 / 2.02).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn a_group_that_alone_tells_a_coefficient_has_no_jackknife() {
        let scores = array![[0.5, 0.0], [-0.5, 0.2], [0.1, -0.1]];
        let curvatures =
            [array![[1.0, 0.0], [0.0, 3.0]], array![[1.0, 0.0], [0.0, 0.0]], array![[1.0, 0.0], [0.0, 0.0]]];
        assert!(jackknife(&scores, &curvatures).is_none());
    }

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
