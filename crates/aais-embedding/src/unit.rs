//! Points around zero, in a unit of their own.

use ndarray::{Array2, Axis};

/// Centred points whose coordinate of largest size is one: no square of a distance overflows or vanishes.
pub(crate) struct Unit {
    pub points: Array2<f64>,
    /// What they are to be multiplied by to be in the old unit; one for points that are all equal.
    pub size: f64,
}

impl Unit {
    pub fn of(points: &Array2<f64>) -> Self {
        let mut points = centred(points);
        let largest = points.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        let size = if largest > 0.0 { largest } else { 1.0 };
        points /= size;
        Self { points, size }
    }
}

/// The points less their mean.
pub(crate) fn centred(points: &Array2<f64>) -> Array2<f64> {
    let n = points.nrows() as f64;
    let mean = points.map_axis(Axis(0), |column| column.sum() / n);
    points - &mean
}
