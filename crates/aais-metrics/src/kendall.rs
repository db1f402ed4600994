//! The Kendall distribution of a bivariate sample, by which Archimedean copulas are told apart.

use crate::empirical::check;
use crate::{Error, Result};

/// Points of the grid on which the paper compares two functions `λ`.
const GRID: usize = 400;

/// `K_n`, the distribution function of `C_n(a, b)` at the sample's own points, `C_n` the empirical copula.
///
/// For an Archimedean copula with generator `φ`, `K(t) = t − φ(t) / φ'(t)` (Nelsen 2006, Theorem 4.3.4), so
/// `λ(t) = t − K(t)` characterizes the copula whatever the margins.
///
/// ```
/// use aais_metrics::KendallDistribution;
///
/// // Two equal coordinates: C(u, u) = u, K(t) = t and λ = 0 but for the steps of size 1/n.
/// let sample: Vec<f64> = (0..100).map(f64::from).collect();
/// let kendall = KendallDistribution::new(&sample, &sample)?;
/// assert_eq!(kendall.cdf(0.5), 0.5);
/// assert!(kendall.lambda(0.123).abs() <= 0.01);
/// # Ok::<(), aais_metrics::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct KendallDistribution {
    /// `C_n` at each point, rising.
    values: Vec<f64>,
}

impl KendallDistribution {
    /// Of two coordinates of one sample; `O(n log n)`.
    ///
    /// Point `i` has the share of points that are nowhere above it, itself included: `#{j : a_j <= a_i, b_j <= b_i} / n`.
    ///
    /// # Errors
    /// Empty samples, samples of different lengths, or a value that is not finite.
    pub fn new(first: &[f64], second: &[f64]) -> Result<Self> {
        check(first)?;
        check(second)?;
        if first.len() != second.len() {
            return Err(Error::Lengths { first: first.len(), second: second.len() });
        }
        let n = first.len() as f64;
        let mut values: Vec<f64> = counts_below(first, second).into_iter().map(|count| count as f64 / n).collect();
        values.sort_unstable_by(f64::total_cmp);
        Ok(Self { values })
    }

    /// `K_n(t)`, continuous from the right.
    pub fn cdf(&self, t: f64) -> f64 {
        self.values.partition_point(|value| *value <= t) as f64 / self.values.len() as f64
    }

    /// `λ_n(t) = t − K_n(t)`.
    pub fn lambda(&self, t: f64) -> f64 {
        t - self.cdf(t)
    }

    /// `L₁(λ, λ_n) = ∫₀¹ |λ(t) − λ_n(t)| dt` as the mean over 400 equidistant points from 0 to 1. Paper, section 4.2.3.
    pub fn lambda_l1(&self, lambda: impl Fn(f64) -> f64) -> f64 {
        let grid = (0..GRID).map(|k| k as f64 / (GRID - 1) as f64);
        grid.map(|t| (lambda(t) - self.lambda(t)).abs()).sum::<f64>() / GRID as f64
    }
}

/// `λ(t) = (t^(θ+1) − t) / θ` of the Clayton copula with `θ > 0`; `−(t − t³) / 2` for the paper's `θ = 2`.
pub fn clayton_lambda(theta: f64, t: f64) -> f64 {
    (t.powf(theta + 1.0) - t) / theta
}

/// For each point, how many lie nowhere above it. Points are swept by the first coordinate and counted by the second.
fn counts_below(first: &[f64], second: &[f64]) -> Vec<usize> {
    let ranks = dense_ranks(second);
    // Zero of either sign is one value.
    let key = |i: usize| first[i] + 0.0;
    let mut order: Vec<usize> = (0..first.len()).collect();
    order.sort_unstable_by(|&i, &k| key(i).total_cmp(&key(k)).then(ranks[i].cmp(&ranks[k])));

    let mut seen = Counts::new(first.len());
    let mut counts = vec![0; first.len()];
    // Points with both coordinates equal lie below each other: all are in before one is counted. Of equal first
    // coordinates the smaller second ones are in already, the larger ones are not below.
    for equal in order.chunk_by(|&i, &k| key(i) == key(k) && ranks[i] == ranks[k]) {
        equal.iter().for_each(|&i| seen.add(ranks[i]));
        equal.iter().for_each(|&i| counts[i] = seen.up_to(ranks[i]));
    }
    counts
}

/// The rank of each value among the distinct ones, from zero.
fn dense_ranks(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&i, &k| values[i].total_cmp(&values[k]));
    let mut ranks = vec![0; values.len()];
    for (rank, equal) in order.chunk_by(|&i, &k| values[i] == values[k]).enumerate() {
        equal.iter().for_each(|&i| ranks[i] = rank);
    }
    ranks
}

/// Counts by rank with prefix sums in `O(log n)` (Fenwick 1994).
struct Counts {
    tree: Vec<usize>,
}

impl Counts {
    fn new(n: usize) -> Self {
        Self { tree: vec![0; n + 1] }
    }

    fn add(&mut self, rank: usize) {
        let mut at = rank + 1;
        while at < self.tree.len() {
            self.tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    /// How many have this rank or a lower one.
    fn up_to(&self, rank: usize) -> usize {
        let (mut at, mut count) = (rank + 1, 0);
        while at > 0 {
            count += self.tree[at];
            at &= at - 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    fn by_all_pairs(first: &[f64], second: &[f64]) -> Vec<usize> {
        let below = |i: usize| (0..first.len()).filter(|&j| first[j] <= first[i] && second[j] <= second[i]).count();
        (0..first.len()).map(below).collect()
    }

    /// Few distinct values, zeros of both signs among them, so that ties are common.
    fn pairs() -> impl Strategy<Value = Vec<(f64, f64)>> {
        let tied = prop_oneof![(-3_i8..4).prop_map(f64::from), Just(-0.0)];
        let free = -5.0..5.0;
        let coordinate = || prop_oneof![tied.clone(), free.clone()];
        prop::collection::vec((coordinate(), coordinate()), 1..60)
    }

    #[test]
    fn opposed_coordinates_have_points_above_themselves_only() {
        let rising: Vec<f64> = (0..50).map(f64::from).collect();
        let falling: Vec<f64> = rising.iter().rev().copied().collect();
        let kendall = KendallDistribution::new(&rising, &falling).unwrap();
        assert_eq!(kendall.cdf(0.019), 0.0);
        assert_eq!(kendall.cdf(0.02), 1.0);
        // λ(t) = t − 1 on the grid, but at 0, where K is 0 as yet.
        let l1 = kendall.lambda_l1(|t| if t < 0.02 { t } else { t - 1.0 });
        assert_eq!(l1, 0.0);
    }

    #[test]
    fn clayton_has_the_papers_lambda() {
        for k in 0..=10 {
            let t = 0.1 * f64::from(k);
            assert!((clayton_lambda(2.0, t) + 0.5 * (t - t.powi(3))).abs() < 1e-15);
        }
        // Toward independence λ is t log t.
        assert!((clayton_lambda(1e-7, 0.3) - 0.3 * 0.3_f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn a_clayton_sample_has_its_lambda() {
        // Conditional inversion: u2 = ((v^(-θ/(1+θ)) − 1) u1^-θ + 1)^(-1/θ), on a lattice of u1 and v (golden ratio).
        let (n, theta) = (10_000, 2.0);
        let lattice =
            (0..n).map(|i| ((f64::from(i) + 0.5) / f64::from(n), (f64::from(i) * 0.618_033_988_75 + 0.5).fract()));
        let second =
            |u: f64, v: f64| ((v.powf(-theta / (1.0 + theta)) - 1.0) * u.powf(-theta) + 1.0).powf(-1.0 / theta);
        let (first, second): (Vec<f64>, Vec<f64>) = lattice.map(|(u, v)| (u, second(u, v))).unzip();
        let kendall = KendallDistribution::new(&first, &second).unwrap();
        let l1 = kendall.lambda_l1(|t| clayton_lambda(theta, t));
        // Random samples of this size have .0018; a lattice is closer.
        assert!(l1 < 0.0018, "{l1}");
        let independent = kendall.lambda_l1(|t| if t > 0.0 { t * t.ln() } else { 0.0 });
        assert!((independent - 0.125).abs() < 0.003, "{independent}"); // ∫ |t ln t + (t − t³)/2| = 1/4 − 1/8.
    }

    #[test]
    fn bad_input_is_refused() {
        assert_eq!(KendallDistribution::new(&[], &[]), Err(Error::EmptySample));
        assert_eq!(KendallDistribution::new(&[1.0], &[1.0, 2.0]), Err(Error::Lengths { first: 1, second: 2 }));
        assert!(KendallDistribution::new(&[1.0, 2.0], &[1.0, f64::NAN]).is_err());
    }

    proptest! {
        #[test]
        fn the_sweep_counts_what_all_pairs_count(pairs in pairs()) {
            let (first, second): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            prop_assert_eq!(counts_below(&first, &second), by_all_pairs(&first, &second));
        }
    }
}
