//! Minimization of smooth functions of a few variables: BFGS with exact gradients.
//! Nocedal & Wright, Numerical Optimization (2006), Section 6.1.
//!
//! Deviances are even functions of each column of `Λ`, so a component that vanishes is an ordinary minimum at zero.
//! What lies beyond zero is the mirror image of known ground: long steps stop short of it.

use crate::dense::{add_scaled, dot};

/// Sufficient decrease of a step, and the share of the slope that may remain before a step is lengthened.
const DECREASE: f64 = 1e-4;
const CURVATURE: f64 = 0.9;

/// Trials of one line search; the last is 1e-9 of the first.
const MAX_TRIALS: usize = 30;

/// A function with a gradient at the point where it was last evaluated.
pub(crate) trait Objective {
    /// `None` where the function has no finite value.
    fn value(&mut self, point: &[f64]) -> Option<f64>;

    fn gradient(&mut self, point: &[f64]) -> Vec<f64>;

    /// Whether a variable's sign means nothing, so that steps need not cross zero.
    fn is_even(&self, _index: usize) -> bool {
        false
    }
}

/// A step takes variables whose sign means nothing this share of the way to zero at most, until they are near it.
const TOWARD_ZERO: f64 = 0.8;
const NEAR_ZERO: f64 = 0.05;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    /// Stop once a full step promises to lower the function by less.
    pub decrease: f64,
    pub max_iterations: usize,
}

/// Where a search stands.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub point: Vec<f64>,
    pub value: f64,
    pub gradient: Vec<f64>,
    /// The inverse of the Hessian as far as the steps have shown it, `(n, n)`.
    pub inverse_hessian: Vec<f64>,
    pub converged: bool,
}

impl Search {
    /// A search about to start; `None` where the function has no value. `scale` is the inverse Hessian's guess.
    pub(crate) fn start(objective: &mut impl Objective, point: Vec<f64>, scale: Vec<f64>) -> Option<Self> {
        let value = objective.value(&point)?;
        let gradient = objective.gradient(&point);
        Some(Self { point, value, gradient, inverse_hessian: scale, converged: false })
    }

    /// Steps until nothing is left to gain, no step gains anything, or the iterations are spent.
    pub(crate) fn run(&mut self, objective: &mut impl Objective, stop: Stop) {
        let n = self.point.len();
        let scale = self.inverse_hessian.clone();
        let mut fresh = true;
        for _ in 0..stop.max_iterations {
            let direction = self.direction();
            let slope = dot(&self.gradient, &direction);
            if -0.5 * slope <= stop.decrease {
                self.converged = slope <= 0.0;
                if self.converged {
                    return;
                }
            }
            let before = (self.point.clone(), self.gradient.clone());
            if slope < 0.0 && self.line_search(objective, &direction, slope) {
                fresh = false;
                self.update(&before.0, &before.1, n);
            } else if fresh {
                return;
            } else {
                // The remembered curvature misleads: begin again from the guess.
                self.inverse_hessian.clone_from(&scale);
                fresh = true;
            }
        }
    }

    fn direction(&self) -> Vec<f64> {
        self.inverse_hessian.chunks(self.point.len().max(1)).map(|row| -dot(row, &self.gradient)).collect()
    }

    /// Moves along the direction; false, with everything as before, if no step lowers the function.
    fn line_search(&mut self, objective: &mut impl Objective, direction: &[f64], slope: f64) -> bool {
        let start = (self.point.clone(), self.value);
        let reach = self.reach(objective, direction);
        let mut length = reach.min(1.0);
        let mut longest = f64::INFINITY;
        let mut best: Option<(Vec<f64>, f64, Vec<f64>)> = None;
        for _ in 0..MAX_TRIALS {
            let mut point = start.0.clone();
            add_scaled(&mut point, length, direction);
            let value = objective.value(&point);
            let limit = best.as_ref().map_or(start.1 + DECREASE * length * slope, |(_, value, _)| *value);
            match value.filter(|value| *value <= limit) {
                Some(value) => {
                    let gradient = objective.gradient(&point);
                    let steep = dot(&gradient, direction) < CURVATURE * slope;
                    best = Some((point, value, gradient));
                    if !steep || longest.is_finite() || length >= reach {
                        break;
                    }
                    length = (3.0 * length).min(reach);
                }
                None if best.is_some() => break,
                None => {
                    longest = length;
                    length *= shrink(value.map(|value| (value - start.1) / (length * slope)));
                }
            }
        }
        match best {
            Some((point, value, gradient)) => {
                (self.point, self.value, self.gradient) = (point, value, gradient);
                true
            }
            None => false,
        }
    }

    /// The longest step along the direction.
    fn reach(&self, objective: &impl Objective, direction: &[f64]) -> f64 {
        let lengths = self.point.iter().zip(direction).enumerate().map(|(index, (value, step))| {
            let approaches = objective.is_even(index) && value * step < 0.0 && value.abs() > NEAR_ZERO;
            if approaches { -TOWARD_ZERO * value / step } else { f64::INFINITY }
        });
        lengths.fold(f64::INFINITY, f64::min)
    }

    fn update(&mut self, point: &[f64], gradient: &[f64], n: usize) {
        let step: Vec<f64> = self.point.iter().zip(point).map(|(new, old)| new - old).collect();
        let change: Vec<f64> = self.gradient.iter().zip(gradient).map(|(new, old)| new - old).collect();
        let curvature = dot(&step, &change);
        if curvature <= 1e-10 * (dot(&step, &step) * dot(&change, &change)).sqrt() {
            return;
        }
        let scaled: Vec<f64> = self.inverse_hessian.chunks(n).map(|row| dot(row, &change)).collect();
        let ratio = (1.0 + dot(&change, &scaled) / curvature) / curvature;
        for row in 0..n {
            let target = &mut self.inverse_hessian[row * n..(row + 1) * n];
            add_scaled(target, ratio * step[row] - scaled[row] / curvature, &step);
            add_scaled(target, -step[row] / curvature, &scaled);
        }
    }
}

/// The minimum of the parabola through the two values and the slope, kept between a tenth and a half of the step;
/// `gain` is the change as a share of what the slope promised.
fn shrink(gain: Option<f64>) -> f64 {
    gain.map_or(0.1, |gain| (0.5 / (1.0 - gain)).clamp(0.1, 0.5))
}

/// The Hessian by forward differences of a gradient known at the point, made symmetric, `(n, n)`.
///
/// Its error is in proportion to the steps, which exact gradients allow to be short. `None` where a gradient is missing.
pub(crate) fn hessian(objective: &mut impl Objective, at: &Search, steps: &[f64]) -> Option<Vec<f64>> {
    let n = at.point.len();
    let mut hessian = vec![0.0; n * n];
    for column in 0..n {
        let mut moved = at.point.clone();
        moved[column] += steps[column];
        objective.value(&moved)?;
        let gradient = objective.gradient(&moved);
        let taken = moved[column] - at.point[column];
        for row in 0..n {
            let slope = (gradient[row] - at.gradient[row]) / taken;
            hessian[row * n + column] += 0.5 * slope;
            hessian[column * n + row] += 0.5 * slope;
        }
    }
    hessian.iter().all(|entry| entry.is_finite()).then_some(hessian)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    struct Rosenbrock {
        n_values: usize,
    }

    impl Objective for Rosenbrock {
        fn value(&mut self, x: &[f64]) -> Option<f64> {
            self.n_values += 1;
            Some((1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2))
        }

        fn gradient(&mut self, x: &[f64]) -> Vec<f64> {
            let inner = x[1] - x[0] * x[0];
            vec![-2.0 * (1.0 - x[0]) - 400.0 * x[0] * inner, 200.0 * inner]
        }
    }

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        let mut objective = Rosenbrock { n_values: 0 };
        let scale = vec![1.0, 0.0, 0.0, 1.0];
        let mut search = Search::start(&mut objective, vec![-1.2, 1.0], scale).unwrap();
        search.run(&mut objective, Stop { decrease: 1e-16, max_iterations: 200 });
        assert!(search.converged);
        assert!((search.point[0] - 1.0).abs() < 1e-7 && (search.point[1] - 1.0).abs() < 1e-7);
        assert!(objective.n_values < 80, "{}", objective.n_values);
    }

    #[test]
    fn the_hessian_comes_from_the_gradient() {
        let mut objective = Rosenbrock { n_values: 0 };
        let at = Search::start(&mut objective, vec![1.0, 1.0], Vec::new()).unwrap();
        let hessian = hessian(&mut objective, &at, &[1e-7, 1e-7]).unwrap();
        for (found, expected) in hessian.iter().zip([802.0, -400.0, -400.0, 200.0]) {
            assert!((found - expected).abs() < 2e-4, "{found}"); // Half the third derivative, 2400, times the step.
        }
    }
}
