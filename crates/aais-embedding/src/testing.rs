//! Points for tests.

use ndarray::Array2;

/// `sin(1.7 i + 2.3 j + 0.1 i j)`, which any language computes alike.
pub(crate) fn waves(rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        let (i, j) = (i as f64, j as f64);
        (1.7 * i + 2.3 * j + 0.1 * i * j).sin()
    })
}

/// Whether two matrices agree entry by entry.
pub(crate) fn within(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) -> bool {
    a.dim() == b.dim() && a.iter().zip(b).all(|(x, y)| (x - y).abs() <= tolerance)
}
