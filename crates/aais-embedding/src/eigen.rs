//! Leading eigenvectors of a symmetric positive semidefinite map, by subspace iteration with a Chebyshev filter.
//!
//! The map is known by its products with a block of vectors only, so that one solver serves covariances and sparse
//! graphs. Zhou, Saad, Tiago and Chelikowsky 2006, J. Comput. Phys. 219.

use ndarray::{Array1, Array2, ArrayView1, Axis, Slice};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// Below this size the whole space is the block, and the first Rayleigh-Ritz step is the answer.
const DENSE: usize = 64;

/// Vectors beyond those wanted: the more, the faster the last wanted ones converge.
const EXTRA: usize = 10;

/// Residuals relative to the largest eigenvalue; products of some thousand terms are good to 1e-14.
const TOLERANCE: f64 = 1e-12;

/// Rounds after which a block is taken as it is. Separated eigenvalues take ten.
const MOST_ROUNDS: usize = 100;

/// A filter may raise the largest eigenvalue over the damped ones by this much; more would cost digits.
const MOST_GAIN: f64 = 1e8;

/// Products of the map in one round.
const MOST_DEGREE: f64 = 12.0;

/// Eigenvalues, falling, and their vectors as rows of length one.
pub(crate) struct Leading {
    pub values: Array1<f64>,
    pub vectors: Array2<f64>,
}

/// The `count` leading eigenpairs of a map on vectors of length `n`; `apply` maps each row of a block.
///
/// The map must be symmetric with eigenvalues of zero or more.
pub(crate) fn leading(n: usize, count: usize, apply: impl Fn(&Array2<f64>) -> Array2<f64>) -> Leading {
    let width = count + EXTRA.max(count / 2);
    let mut block = if n <= DENSE.max(width) { Array2::eye(n) } else { start(width, n) };
    let mut rounds = 0;
    loop {
        let mut images = apply(&block);
        let mut ritz = symmetric(images.dot(&block.t()));
        block = ritz.vectors.dot(&block);
        images = ritz.vectors.dot(&images);

        let largest = ritz.values[0].max(0.0);
        let error = residual(&block, &images, &ritz.values, count);
        rounds += 1;
        if block.nrows() == n || error <= TOLERANCE * largest || rounds == MOST_ROUNDS {
            block.slice_axis_inplace(Axis(0), Slice::from(..count));
            ritz.values.slice_axis_inplace(Axis(0), Slice::from(..count));
            return Leading { values: ritz.values, vectors: block };
        }
        block = orthonormal(filtered(block, images, &ritz.values, &apply));
    }
}

/// Normal vectors from a fixed seed: eigenvectors do not depend on where the search began.
fn start(width: usize, n: usize) -> Array2<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    orthonormal(Array2::from_shape_simple_fn((width, n), || StandardNormal.sample(&mut rng)))
}

/// The largest `|A v − λ v|` of the first `count` pairs.
fn residual(vectors: &Array2<f64>, images: &Array2<f64>, values: &Array1<f64>, count: usize) -> f64 {
    let one = |k: usize| {
        let (image, vector) = (images.row(k), vectors.row(k));
        image.iter().zip(vector).map(|(a, v)| (a - values[k] * v).powi(2)).sum::<f64>().sqrt()
    };
    (0..count).map(one).fold(0.0, f64::max)
}

/// Chebyshev's polynomial of the map, which damps all eigenvalues below the block's smallest.
fn filtered(
    block: Array2<f64>,
    images: Array2<f64>,
    values: &Array1<f64>,
    apply: impl Fn(&Array2<f64>) -> Array2<f64>,
) -> Array2<f64> {
    // The damped interval [0, bound] goes to [−1, 1]. A map of low rank leaves no bound but rounding.
    let bound = values[values.len() - 1].max(f64::EPSILON * values[0]);
    let reach = (2.0 * values[0] / bound - 1.0).max(1.0 + f64::EPSILON).acosh();
    let degree = (MOST_GAIN.ln() / reach).clamp(1.0, MOST_DEGREE) as usize;

    let (mut before, mut now) = (block.clone(), images * (2.0 / bound) - &block);
    for _ in 1..degree {
        let next = (apply(&now) * (2.0 / bound) - &now) * 2.0 - &before;
        before = std::mem::replace(&mut now, next);
    }
    now
}

/// Rows of length one at right angles, by Gram-Schmidt twice over.
fn orthonormal(mut block: Array2<f64>) -> Array2<f64> {
    for k in 0..block.nrows() {
        let (done, mut rest) = block.view_mut().split_at(Axis(0), k);
        let mut row = rest.row_mut(0);
        normalize(&mut row);
        for _ in 0..2 {
            for other in done.rows() {
                let along = other.dot(&row);
                row.scaled_add(-along, &other);
            }
            normalize(&mut row);
        }
    }
    block
}

/// Divides by the length; a row of zeros stays.
fn normalize(row: &mut ndarray::ArrayViewMut1<f64>) {
    let length = row.dot(row).sqrt();
    if length > 0.0 {
        row.mapv_inplace(|x| x / length);
    }
}

/// All eigenpairs of a symmetric matrix, by cyclic Jacobi rotations (Golub and Van Loan, section 8.5).
fn symmetric(mut matrix: Array2<f64>) -> Leading {
    const MOST_SWEEPS: usize = 60;
    let n = matrix.nrows();
    let mut vectors = Array2::eye(n);
    let size = matrix.iter().map(|x| x * x).sum::<f64>();
    for _ in 0..MOST_SWEEPS {
        let off: f64 = (0..n).map(|p| matrix.row(p).iter().skip(p + 1).map(|x| x * x).sum::<f64>()).sum();
        if off <= 1e-32 * size {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut matrix, &mut vectors, p, q);
            }
        }
    }

    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| matrix[[b, b]].total_cmp(&matrix[[a, a]]));
    let values = order.iter().map(|&k| matrix[[k, k]]).collect();
    Leading { values, vectors: vectors.select(Axis(0), &order) }
}

/// One rotation, which makes `matrix[p, q]` zero.
fn rotate(matrix: &mut Array2<f64>, vectors: &mut Array2<f64>, p: usize, q: usize) {
    let between = matrix[[p, q]];
    if between == 0.0 {
        return;
    }
    let theta = 0.5 * (matrix[[q, q]] - matrix[[p, p]]) / between;
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;

    for k in 0..matrix.nrows() {
        let (x, y) = (matrix[[k, p]], matrix[[k, q]]);
        matrix[[k, p]] = cosine * x - sine * y;
        matrix[[k, q]] = sine * x + cosine * y;
    }
    turn(matrix, p, q, cosine, sine);
    turn(vectors, p, q, cosine, sine);
}

/// Rows `p < q` turned in their plane.
fn turn(matrix: &mut Array2<f64>, p: usize, q: usize, cosine: f64, sine: f64) {
    let (mut above, mut below) = matrix.view_mut().split_at(Axis(0), q);
    for (x, y) in above.row_mut(p).iter_mut().zip(&mut below.row_mut(0)) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

/// The sign that makes the entry of largest size positive; of equal ones the first decides.
pub(crate) fn sign(vector: ArrayView1<f64>) -> f64 {
    let largest = vector.iter().fold(0.0_f64, |best, &x| if x.abs() > best.abs() { x } else { best });
    if largest < 0.0 { -1.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Q diag(values) Qᵀ` with a reflection `Q = I − 2 v vᵀ`, whose rows are the eigenvectors.
    fn matrix(values: &Array1<f64>) -> (Array2<f64>, Array2<f64>) {
        let n = values.len();
        let v = Array1::from_shape_fn(n, |i| (0.7 * i as f64 + 0.3).sin());
        let v = (&v / v.dot(&v).sqrt()).insert_axis(Axis(0));
        let reflection = Array2::eye(n) - v.t().dot(&v) * 2.0;
        (reflection.t().dot(&(&reflection * &values.view().insert_axis(Axis(1)))), reflection)
    }

    fn check(values: &Array1<f64>, count: usize) {
        let (matrix, expected) = matrix(values);
        let found = leading(values.len(), count, |block| block.dot(&matrix));
        for k in 0..count {
            assert!((found.values[k] - values[k]).abs() < 1e-13 * values[0], "{k}: {}", found.values[k]);
            // An angle is the residual over the gap, here 1e-12 over 1e-3 at least.
            let cosine = found.vectors.row(k).dot(&expected.row(k)).abs();
            assert!((cosine - 1.0).abs() < 1e-9, "{k}: {cosine}");
        }
    }

    #[test]
    fn small_and_large_matrices_have_their_eigenvectors() {
        check(&Array1::from_shape_fn(20, |k| 1.0 / (1.0 + k as f64)), 20);
        check(&Array1::from_shape_fn(300, |k| 1.0 / (1.0 + 0.1 * k as f64)), 5);
        // A thousandfold gap, and a flat end.
        check(&Array1::from_shape_fn(200, |k| if k < 3 { 1e3 * (3 - k) as f64 } else { 1.0 }), 3);
    }

    #[test]
    fn a_map_of_lower_rank_is_fine() {
        check(&Array1::from_shape_fn(150, |k| if k < 4 { 4.0 - k as f64 } else { 0.0 }), 4);
        let nothing = leading(100, 2, |block| Array2::zeros(block.dim()));
        assert_eq!(nothing.values, Array1::<f64>::zeros(2));
    }

    #[test]
    fn equal_eigenvalues_have_orthogonal_vectors() {
        let (matrix, _) = matrix(&Array1::from_shape_fn(120, |k| if k < 3 { 2.0 } else { 1.0 }));
        let found = leading(120, 3, |block| block.dot(&matrix));
        let products = found.vectors.dot(&found.vectors.t());
        assert!((products - Array2::<f64>::eye(3)).iter().all(|x| x.abs() < 1e-13));
        assert!(found.values.iter().all(|value| (value - 2.0).abs() < 1e-13));
    }
}
