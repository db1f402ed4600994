//! Points on the unit circle. Paper, Section 4.2.1 and Figure 1.

use std::f64::consts::PI;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::mt19937::LegacyRandom;
use crate::signals::Component;

/// Angles from a stratified mixture of normal distributions; points `(cos θ, sin θ)`, without noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circle {
    /// The mixture of angles, in radians; rows come in this order, and in these numbers exactly.
    pub angles: Vec<Component>,
    /// Seed of the legacy generator.
    pub seed: u32,
}

/// Points on the circle and where each came from. There is no signal under noise here: the points are both.
#[derive(Debug, Clone, PartialEq)]
pub struct CircleData {
    /// `(cos θ, sin θ)`, `(N, 2)`; rows are observations.
    pub points: Array2<f64>,
    /// Which of [`Circle::angles`] each row was drawn from, counted from zero; for plots, not for training.
    pub components: Vec<usize>,
}

impl Circle {
    /// The published draw: 2,000 angles of `N(0, 0.4²)`, 3,000 of `N(π, 0.4²)`, seed 42.
    #[must_use]
    pub fn paper() -> Self {
        let right = Component { n_rows: 2000, mean: 0.0, std: 0.4 };
        let left = Component { n_rows: 3000, mean: PI, std: 0.4 };
        Self { angles: vec![right, left], seed: 42 }
    }

    fn check(&self) -> Result<()> {
        self.angles.iter().try_for_each(Component::check)?;
        if self.angles.iter().all(|component| component.n_rows == 0) { Err(Error::NoRows) } else { Ok(()) }
    }
}

/// Draws angles component by component and puts them on the circle.
///
/// # Errors
/// No rows, a mean that is not finite, or a standard deviation that is not positive and finite.
pub fn circle(settings: &Circle) -> Result<CircleData> {
    settings.check()?;
    let mut random = LegacyRandom::new(settings.seed);
    let mut angles = Vec::new();
    let mut components = Vec::new();
    for (index, component) in settings.angles.iter().enumerate() {
        angles.extend(component.draw(&mut random));
        components.resize(angles.len(), index);
    }

    let points = Array2::from_shape_fn((angles.len(), 2), |(row, coordinate)| match coordinate {
        0 => angles[row].cos(),
        _ => angles[row].sin(),
    });
    Ok(CircleData { points, components })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn points_lie_on_the_circle_on_their_side() {
        let data = circle(&Circle::paper()).unwrap();
        assert_eq!((data.points.dim(), data.components.len()), ((5000, 2), 5000));
        for (point, component) in data.points.rows().into_iter().zip(&data.components) {
            assert!((point[0].hypot(point[1]) - 1.0).abs() < 4.0 * f64::EPSILON);
            // The sides meet at π/2, almost four standard deviations away; no row of this draw crosses by much.
            assert!(if *component == 0 { point[0] > -0.3 } else { point[0] < 0.3 }, "{point}");
        }
    }

    #[test]
    fn bad_settings_are_refused() {
        assert_eq!(circle(&Circle { angles: vec![], seed: 1 }), Err(Error::NoRows));
        let angles = vec![Component { n_rows: 3, mean: 0.0, std: f64::NAN }];
        assert!(matches!(circle(&Circle { angles, seed: 1 }), Err(Error::NotPositive { name: "std", .. })));
    }
}
