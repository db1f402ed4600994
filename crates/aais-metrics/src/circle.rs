//! How well generated points keep to the unit circle. Paper, Section 4.2.1 and Figure 1.

use crate::{Error, Result};

/// The mean distance of points from the unit circle, `(1/n) Σᵢ | ‖xᵢ‖ − 1 |`.
///
/// # Errors
/// No points, or a coordinate that is not finite (the index is the point's).
///
/// ```
/// assert_eq!(aais_metrics::mean_radius_error(&[[0.0, 1.0], [0.0, 0.0], [-3.0, 0.0]])?, 1.0);
/// # Ok::<(), aais_metrics::Error>(())
/// ```
pub fn mean_radius_error(points: &[[f64; 2]]) -> Result<f64> {
    let radii = radii(points)?;
    let errors: f64 = radii.iter().map(|radius| (radius - 1.0).abs()).sum();
    Ok(errors / radii.len() as f64)
}

/// The share of points nearer to the origin than `radius`, between 0 and 1.
///
/// With a radius clearly below one it counts the points that a model scatters between the circle's two clusters.
///
/// # Errors
/// No points, a coordinate that is not finite (the index is the point's), or a radius that is negative or NaN.
pub fn share_inside(points: &[[f64; 2]], radius: f64) -> Result<f64> {
    if radius.is_nan() || radius < 0.0 {
        return Err(Error::Radius { value: radius });
    }
    let radii = radii(points)?;
    let inside = radii.iter().filter(|distance| **distance < radius).count();
    Ok(inside as f64 / radii.len() as f64)
}

fn radii(points: &[[f64; 2]]) -> Result<Vec<f64>> {
    if points.is_empty() {
        return Err(Error::EmptySample);
    }
    let radius = |(index, [x, y]): (usize, &[f64; 2])| match [*x, *y].into_iter().find(|c| !c.is_finite()) {
        Some(value) => Err(Error::NonFinite { index, value }),
        None => Ok(x.hypot(*y)),
    };
    points.iter().enumerate().map(radius).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn points_on_a_circle_err_by_its_radius_less_one() {
        for radius in [0.25, 1.0, 1.5] {
            let points: Vec<[f64; 2]> = (0..360)
                .map(|degree| f64::from(degree).to_radians().sin_cos())
                .map(|(sin, cos)| [radius * cos, radius * sin])
                .collect();
            let error = mean_radius_error(&points).unwrap();
            assert!((error - (radius - 1.0_f64).abs()).abs() < 1e-14, "{radius}: {error}"); // Rounding only.
        }
    }

    #[test]
    fn the_edge_is_not_inside() {
        let points = [[0.5, 0.0], [0.0, -0.75], [3.0, 4.0], [0.0, 0.0]];
        assert_eq!(share_inside(&points, 0.75), Ok(0.5));
        assert_eq!(share_inside(&points, 0.0), Ok(0.0));
        assert_eq!(share_inside(&points, f64::INFINITY), Ok(1.0));
    }

    #[test]
    fn bad_input_is_refused() {
        assert_eq!(mean_radius_error(&[]), Err(Error::EmptySample));
        let infinite = Error::NonFinite { index: 1, value: f64::NEG_INFINITY };
        assert_eq!(share_inside(&[[0.0, 0.0], [1.0, f64::NEG_INFINITY]], 0.8), Err(infinite));
        assert_eq!(share_inside(&[[0.0, 0.0]], -0.1), Err(Error::Radius { value: -0.1 }));
        assert!(share_inside(&[[0.0, 0.0]], f64::NAN).is_err());
    }
}
