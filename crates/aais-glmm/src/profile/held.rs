//! One quantity held at a value: a map from free vectors to those that have it.
//!
//! A vector of parameters is `(θ, β, log dispersion)`, for linear models `(θ, log σ)`. With `λ_i` the rows of a term's
//! `Λ`, a standard deviation is `σ |λ_i|` and a correlation the cosine of two rows. So rows are stretched to a length,
//! or turned to an angle, and the search beneath needs no constraints.

use crate::covariance::TermBlock;
use crate::dense::{add_scaled, dot};

/// What is held, as places in the vector.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// A parameter itself.
    Coordinate { index: usize },
    /// A fixed effect of a linear model, which its vector does not have: the deviance holds it.
    Outside { fixed: usize },
    /// `σ |λ_i|`; `log_std` is the place of `log σ` where the model has it.
    Length { row: Vec<usize>, log_std: Option<usize> },
    /// `λ_i · λ_j / (|λ_i| |λ_j|)`, where `j < i`.
    Cosine { row: Vec<usize>, other: Vec<usize> },
}

/// The places of row `effect` of a term's `Λ` in `θ`.
pub(super) fn row(term: &TermBlock, effect: usize) -> Vec<usize> {
    let first = |column: usize| term.first_theta + column * term.size - column * column.saturating_sub(1) / 2;
    (0..=effect).map(|column| first(column) + effect - column).collect()
}

/// The parts of a turned row: `λ_i = L (ρ e + √(1 − ρ²) w)` with unit vectors `e ⟂ w`.
struct Turned {
    length: f64,
    along: Vec<f64>,
    other_length: f64,
    across: Vec<f64>,
    across_length: f64,
}

impl Held {
    /// The vector that has the value and otherwise follows the free one.
    pub(super) fn apply(&self, value: f64, free: &[f64]) -> Vec<f64> {
        let mut vector = free.to_vec();
        match self {
            Self::Coordinate { index } => vector[*index] = value,
            Self::Outside { .. } => {}
            Self::Length { row, log_std } => {
                let length = value / std(*log_std, free);
                let (unit, _) = unit(&take(free, row));
                put(&mut vector, row, &unit, length);
            }
            Self::Cosine { row, other } => {
                let turned = Turned::new(&take(free, row), &take(free, other));
                put(&mut vector, row, &turned.direction(value), turned.length);
            }
        }
        vector
    }

    /// The gradient in the free vector from that in the vector.
    pub(super) fn pull_back(&self, value: f64, free: &[f64], mut gradient: Vec<f64>) -> Vec<f64> {
        match self {
            Self::Coordinate { index } => gradient[*index] = 0.0,
            Self::Outside { .. } => {}
            Self::Length { row, log_std } => {
                let length = value / std(*log_std, free);
                let slopes = take(&gradient, row);
                let (unit, before) = unit(&take(free, row));
                let radial = dot(&slopes, &unit);
                let stretch = if before > 0.0 { length / before } else { 0.0 };
                for ((place, slope), unit) in row.iter().zip(slopes).zip(&unit) {
                    gradient[*place] = stretch * (slope - radial * unit);
                }
                if let Some(place) = log_std {
                    gradient[*place] -= length * radial;
                }
            }
            Self::Cosine { row, other } => {
                let turned = Turned::new(&take(free, row), &take(free, other));
                let (own, along) = turned.pull_back(value, &take(free, row), &take(&gradient, row));
                put(&mut gradient, row, &own, 1.0);
                other.iter().zip(along).for_each(|(place, slope)| gradient[*place] += slope);
            }
        }
        gradient
    }

    /// The gradient of what is held, zeros where it has none.
    pub(super) fn slopes(&self, vector: &[f64]) -> Vec<f64> {
        let mut slopes = vec![0.0; vector.len()];
        match self {
            Self::Coordinate { index } => slopes[*index] = 1.0,
            Self::Outside { .. } => {}
            Self::Length { row, log_std } => {
                let (unit, length) = unit(&take(vector, row));
                put(&mut slopes, row, &unit, std(*log_std, vector));
                log_std.iter().for_each(|place| slopes[*place] = length * std(*log_std, vector));
            }
            Self::Cosine { row, other } => {
                let (own, length) = unit(&take(vector, row));
                let (mut along, other_length) = unit(&take(vector, other));
                along.resize(own.len(), 0.0);
                if length > 0.0 && other_length > 0.0 {
                    let cosine = dot(&own, &along);
                    for (k, place) in row.iter().enumerate() {
                        slopes[*place] = (along[k] - cosine * own[k]) / length;
                    }
                    for (k, place) in other.iter().enumerate() {
                        slopes[*place] = (own[k] - cosine * along[k]) / other_length;
                    }
                }
            }
        }
        slopes
    }
}

impl Turned {
    fn new(row: &[f64], other: &[f64]) -> Self {
        let length = dot(row, row).sqrt();
        let (mut along, other_length) = unit(other);
        along.resize(row.len(), 0.0);
        let mut across = row.to_vec();
        add_scaled(&mut across, -dot(row, &along), &along);
        // Parallel rows part along the diagonal, which the other row does not have.
        let rest = dot(&across, &across).sqrt();
        let (across, across_length) = if rest > 1e-10 * length { unit(&across) } else { (last(row.len()), 0.0) };
        Self { length, along, other_length, across, across_length }
    }

    fn direction(&self, cosine: f64) -> Vec<f64> {
        let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
        self.along.iter().zip(&self.across).map(|(along, across)| cosine * along + sine * across).collect()
    }

    /// Slopes in the row and in the other row. With `q = L √(1 − ρ²) (I − wwᵀ) g / |p|`, where `p` is the part of the
    /// row across `e`: `(g·λ_i / L) λ / L + q − (q·e) e`, and through `e`: `L ρ g − (q·e) λ − (λ·e) q`.
    fn pull_back(&self, cosine: f64, row: &[f64], slopes: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
        let stretch = if self.across_length > 0.0 { self.length * sine / self.across_length } else { 0.0 };
        let mut turn: Vec<f64> = slopes.to_vec();
        add_scaled(&mut turn, -dot(slopes, &self.across), &self.across);
        turn.iter_mut().for_each(|entry| *entry *= stretch);

        let turn_along = dot(&turn, &self.along);
        let radial = if self.length > 0.0 { dot(slopes, &self.direction(cosine)) / self.length } else { 0.0 };
        let mut own = turn.clone();
        add_scaled(&mut own, -turn_along, &self.along);
        add_scaled(&mut own, radial, row);

        let mut through: Vec<f64> = slopes.iter().map(|slope| self.length * cosine * slope).collect();
        add_scaled(&mut through, -turn_along, row);
        add_scaled(&mut through, -dot(row, &self.along), &turn);
        let radial = dot(&through, &self.along);
        add_scaled(&mut through, -radial, &self.along);
        let scale = if self.other_length > 0.0 { 1.0 / self.other_length } else { 0.0 };
        through.iter_mut().for_each(|entry| *entry *= scale);
        (own, through)
    }
}

/// The direction and the length; the diagonal's where there is no length.
fn unit(row: &[f64]) -> (Vec<f64>, f64) {
    let length = dot(row, row).sqrt();
    if length > 0.0 { (row.iter().map(|entry| entry / length).collect(), length) } else { (last(row.len()), 0.0) }
}

fn last(n: usize) -> Vec<f64> {
    (0..n).map(|k| f64::from(u8::from(k + 1 == n))).collect()
}

fn std(log_std: Option<usize>, vector: &[f64]) -> f64 {
    log_std.map_or(1.0, |place| vector[place].exp())
}

fn take(vector: &[f64], places: &[usize]) -> Vec<f64> {
    places.iter().map(|place| vector[*place]).collect()
}

fn put(vector: &mut [f64], places: &[usize], values: &[f64], scale: f64) {
    places.iter().zip(values).for_each(|(place, value)| vector[*place] = scale * value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A term of three effects, and `log σ` last.
    const FREE: [f64; 7] = [0.8, 0.3, -0.4, 0.6, 0.2, 0.5, 0.25];

    fn term() -> TermBlock {
        TermBlock { factor: 0, first_effect: 0, size: 3, first_theta: 0 }
    }

    fn all() -> [(Held, f64); 5] {
        let row = |effect| row(&term(), effect);
        [
            (Held::Coordinate { index: 3 }, 0.7),
            (Held::Length { row: row(2), log_std: Some(6) }, 1.3),
            (Held::Length { row: row(1), log_std: None }, 0.4),
            (Held::Cosine { row: row(2), other: row(1) }, -0.3),
            (Held::Cosine { row: row(1), other: row(0) }, 0.9),
        ]
    }

    /// What is held, at a vector.
    fn quantity(held: &Held, vector: &[f64]) -> f64 {
        match held {
            Held::Coordinate { index } => vector[*index],
            Held::Outside { .. } => f64::NAN,
            Held::Length { row, log_std } => {
                let row = take(vector, row);
                std(*log_std, vector) * dot(&row, &row).sqrt()
            }
            Held::Cosine { row, other } => {
                let [row, mut other] = [row, other].map(|places| take(vector, places));
                let lengths = (dot(&row, &row) * dot(&other, &other)).sqrt();
                other.resize(row.len(), 0.0);
                dot(&row, &other) / lengths
            }
        }
    }

    #[test]
    fn rows_stand_where_the_lower_triangle_has_them() {
        assert_eq!(row(&term(), 0), [0]);
        assert_eq!(row(&term(), 1), [1, 3]);
        assert_eq!(row(&term(), 2), [2, 4, 5]);
    }

    #[test]
    fn the_vector_has_the_value() {
        for (held, value) in all() {
            let vector = held.apply(value, &FREE);
            assert!((quantity(&held, &vector) - value).abs() < 1e-15, "{held:?}");
            // A vector that has it already stays.
            let again = held.apply(value, &vector);
            assert!(again.iter().zip(&vector).all(|(a, b)| (a - b).abs() < 1e-15), "{held:?}");
        }
    }

    #[test]
    fn slopes_and_pulled_back_gradients_are_difference_quotients() {
        let smooth = |v: &[f64]| v.iter().enumerate().map(|(k, x)| (x + 0.3 * k as f64).sin() * (1.0 + x)).sum::<f64>();
        let gradient = |v: &[f64]| -> Vec<f64> {
            let slope = |(k, x): (usize, &f64)| {
                let (sine, cosine) = (x + 0.3 * k as f64).sin_cos();
                cosine * (1.0 + x) + sine
            };
            v.iter().enumerate().map(slope).collect()
        };
        let quotient = |f: &dyn Fn(&[f64]) -> f64, at: usize| {
            let moved = |step: f64| {
                let mut moved = FREE;
                moved[at] += step;
                f(&moved)
            };
            (moved(1e-5) - moved(-1e-5)) / 2e-5
        };
        for (held, value) in all() {
            let pulled = held.pull_back(value, &FREE, gradient(&held.apply(value, &FREE)));
            let slopes = held.slopes(&FREE);
            for at in 0..FREE.len() {
                // Third derivatives of one times 1e-10, and rounding of 1e-16 over 1e-5.
                let expected = quotient(&|free| smooth(&held.apply(value, free)), at);
                assert!((pulled[at] - expected).abs() < 1e-8, "{held:?} {at}: {} {expected}", pulled[at]);
                let expected = quotient(&|free| quantity(&held, free), at);
                assert!((slopes[at] - expected).abs() < 1e-8, "{held:?} {at}: {} {expected}", slopes[at]);
            }
        }
    }

    #[test]
    fn vanished_and_parallel_rows_have_a_direction() {
        let places = |effect| row(&term(), effect);
        let zeros = [0.8, 0.0, 0.3, 0.0, 0.0, 0.0, 0.0];
        let length = Held::Length { row: places(1), log_std: None };
        assert_eq!(length.apply(0.5, &zeros)[3], 0.5);
        let cosine = Held::Cosine { row: places(2), other: places(0) };
        let turned = cosine.apply(0.6, &zeros);
        assert!((turned[2] - 0.18).abs() < 1e-15 && (turned[5] - 0.24).abs() < 1e-15, "{turned:?}");
    }
}
