//! The similarity of embedded points as a function of their distance.

/// `1 / (1 + a d^(2 b))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Curve {
    pub a: f64,
    pub b: f64,
}

/// Points of the fit, from 0 to three spreads, as in umap-learn.
const GRID: usize = 300;

/// Steps of the fit; it converges in about ten.
const MOST_STEPS: usize = 500;

impl Curve {
    /// The least squares fit to 1 within `min_dist` and `exp(−(d − min_dist) / spread)` beyond, by Levenberg and
    /// Marquardt's method from `a = b = 1`.
    pub fn fit(min_dist: f64, spread: f64) -> Self {
        // In units of the spread; `a` takes the unit along.
        let ratio = min_dist / spread;
        let grid: Vec<(f64, f64)> = (0..GRID)
            .map(|k| 3.0 * k as f64 / (GRID - 1) as f64)
            .map(|d| (d, if d < ratio { 1.0 } else { (ratio - d).exp() }))
            .collect();

        let (mut curve, mut damping) = (Self { a: 1.0, b: 1.0 }, 1e-3);
        let mut loss = curve.loss(&grid);
        for _ in 0..MOST_STEPS {
            let next = curve.step(&grid, damping);
            let next_loss = next.loss(&grid);
            if next_loss < loss {
                (curve, damping) = (next, damping * 0.1);
                loss = next_loss;
            } else if damping > 1e12 {
                break; // No step however short is downhill.
            } else {
                damping *= 10.0;
            }
        }
        Self { a: curve.a / spread.powf(2.0 * curve.b), b: curve.b }
    }

    fn at(&self, distance: f64) -> f64 {
        1.0 / (1.0 + self.a * distance.powf(2.0 * self.b))
    }

    /// The sum of squares; not finite where a parameter is out of range.
    fn loss(&self, grid: &[(f64, f64)]) -> f64 {
        if self.a <= 0.0 || self.b <= 0.0 {
            return f64::INFINITY;
        }
        grid.iter().map(|&(d, target)| (self.at(d) - target).powi(2)).sum()
    }

    fn step(&self, grid: &[(f64, f64)], damping: f64) -> Self {
        // Normal equations of the two parameters.
        let [mut aa, mut ab, mut bb, mut ga, mut gb] = [0.0; 5];
        for &(d, target) in grid.iter().filter(|(d, _)| *d > 0.0) {
            let power = d.powf(2.0 * self.b);
            let value = self.at(d);
            let by_a = -power * value * value;
            let by_b = 2.0 * self.a * d.ln() * by_a;
            let error = value - target;
            aa += by_a * by_a;
            ab += by_a * by_b;
            bb += by_b * by_b;
            ga += by_a * error;
            gb += by_b * error;
        }
        (aa, bb) = (aa * (1.0 + damping), bb * (1.0 + damping));
        let determinant = aa * bb - ab * ab;
        Self { a: self.a - (bb * ga - ab * gb) / determinant, b: self.b - (aa * gb - ab * ga) / determinant }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// umap-learn 0.5.12: `umap.umap_.find_ab_params(spread, min_dist)`.
    #[test]
    fn the_curve_is_that_of_umap_learn() {
        let golden = [
            (0.1, 1.0, 1.5769434602697652, 0.8950608778515733),
            (0.5, 1.0, 0.5830300203414425, 1.3341669924314914),
            (0.05, 2.0, 0.5937780353278276, 0.8160242235413551),
        ];
        for (min_dist, spread, a, b) in golden {
            let found = Curve::fit(min_dist, spread);
            // The reference stops where the sum of squares falls by less than 1.5e-8 of itself.
            assert!((found.a - a).abs() < 1e-5 && (found.b - b).abs() < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn the_fit_ends_for_odd_settings() {
        for (min_dist, spread) in [(0.0, 1.0), (3.0, 1.0), (50.0, 1.0), (0.1, 1e-6), (0.1, 1e6)] {
            let found = Curve::fit(min_dist, spread);
            assert!(found.a.is_finite() && found.b.is_finite() && found.b > 0.0, "{min_dist}, {spread}: {found:?}");
        }
    }
}
