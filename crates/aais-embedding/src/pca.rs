//! Principal components, the linear embedding and the start of the others.

use ndarray::{Array1, Array2, Axis};

use crate::eigen::{Leading, leading, sign};
use crate::unit::Unit;
use crate::{Result, check};

/// The directions of largest variance, and the points along them.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// Coordinates of the centred points along the components, `(N, d)`.
    pub scores: Array2<f64>,
    /// Directions of length one, `(d, D)`; each has its entry of largest size positive. Zeros where the variance is 0.
    pub components: Array2<f64>,
    /// Variances along the components, falling, with the divisor `N − 1`.
    pub variances: Array1<f64>,
}

/// Embeds points of `D` coordinates, one a row, along their first `dimension` principal components.
///
/// The components are eigenvectors of the covariance to 1e-12 of the largest variance, or of the inner products where
/// there are fewer points than coordinates. Coordinates are centred and not rescaled. Signs are those of scikit-learn.
///
/// # Errors
/// Fewer than two points, a coordinate that is not finite, or a dimension above `min(N − 1, D)`.
///
/// ```
/// use aais_embedding::pca;
/// use ndarray::array;
///
/// let points = array![[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]];
/// let line = pca(&points, 1)?;
/// assert!((&line.scores - array![[-5.0], [0.0], [5.0]]).iter().all(|gap| gap.abs() < 1e-12));
/// assert!((line.variances[0] - 25.0).abs() < 1e-12);
/// # Ok::<(), aais_embedding::Error>(())
/// ```
pub fn pca(points: &Array2<f64>, dimension: usize) -> Result<Pca> {
    check::points(points, 2, || "a variance".to_owned())?;
    let (rows, columns) = points.dim();
    check::dimension(dimension, columns.min(rows - 1))?;

    // Fourth powers of coordinates are to stay in the range of a double.
    let Unit { points: centred, size } = Unit::of(points);
    let mut pca = if columns <= rows { by_covariance(&centred, dimension) } else { by_products(&centred, dimension) };
    for k in 0..dimension {
        let sign = sign(pca.components.row(k));
        pca.components.row_mut(k).mapv_inplace(|x| sign * x);
        pca.scores.column_mut(k).mapv_inplace(|x| sign * size * x);
    }
    pca.variances *= size * size;
    Ok(pca)
}

fn by_covariance(centred: &Array2<f64>, dimension: usize) -> Pca {
    let covariance = centred.t().dot(centred) / (centred.nrows() - 1) as f64;
    let Leading { values, vectors } = leading(covariance.nrows(), dimension, |block| block.dot(&covariance));
    let variances = values.mapv(|value| value.max(0.0));
    Pca { scores: centred.dot(&vectors.t()), components: vectors, variances }
}

/// From the eigenvectors `u` of `X Xᵀ`: scores are `σ u`, components `Xᵀ u / σ`.
fn by_products(centred: &Array2<f64>, dimension: usize) -> Pca {
    let products = centred.dot(&centred.t());
    let Leading { values, vectors } = leading(products.nrows(), dimension, |block| block.dot(&products));
    let sizes = values.mapv(|value| value.max(0.0).sqrt());
    let inverses = sizes.mapv(|size| if size > 0.0 { 1.0 / size } else { 0.0 });
    Pca {
        components: vectors.dot(centred) * inverses.insert_axis(Axis(1)),
        scores: vectors.reversed_axes() * &sizes,
        variances: sizes.mapv(|size| size * size / (centred.nrows() - 1) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::neighbours::rows;
    use crate::testing::{waves, within};
    use crate::unit::centred;
    use ndarray::{Slice, array};

    /// scikit-learn 1.9.1 on NumPy 2.4.6: `PCA(3, svd_solver="full").fit(x)` of
    /// `x[i, j] = sin(1.7 i + 2.3 j + 0.1 i j)`, 40 by 6; `explained_variance_`, `components_`, `transform(x)[:2]`.
    #[test]
    fn components_and_signs_are_scikit_learns() {
        let found = pca(&waves(40, 6), 3).unwrap();
        assert!(
            (&found.variances - array![0.7913434177507987, 0.6454516114531413, 0.4523747164201942])
                .iter()
                .all(|gap| gap.abs() < 1e-12)
        );
        let components = array![
            [
                0.2908371066578639,
                -0.446294677382898,
                0.5243031601781173,
                -0.4976109194820297,
                0.3799726772702109,
                -0.2221377318200906
            ],
            [
                0.4431316311966496,
                -0.4181715610823278,
                0.1472674703818114,
                0.1535474760543352,
                -0.4897541682632431,
                0.5862109026352461
            ],
            [
                0.6832721487429654,
                -0.06431299524982298,
                -0.364456389697831,
                0.3346270945507979,
                0.03147731048807378,
                -0.5321733137987271
            ],
        ];
        assert!(within(&found.components.slice_axis(Axis(1), Slice::from(..6)).to_owned(), &components, 1e-10));
        let scores = array![
            [-0.8507969379132997, -0.9960028529093177, 0.9597120931247318],
            [-0.03499012824554282, 1.884255506281421, 0.28634491521321]
        ];
        assert!(within(&rows(&found.scores, 0, 2).to_owned(), &scores, 1e-10));
    }

    /// The same of 8 by 30, with more columns than rows.
    #[test]
    fn fewer_points_than_coordinates_are_scikit_learns() {
        let found = pca(&waves(8, 30), 3).unwrap();
        assert!(
            (&found.variances - array![4.487831318471605, 4.480870163818122, 4.216984101683755])
                .iter()
                .all(|gap| gap.abs() < 1e-12)
        );
        let components = array![
            [
                0.009537109305336997,
                -0.01416356045292109,
                0.008072520238711897,
                0.01744928550840925,
                -0.0641324644499161,
                0.1211928605125692
            ],
            [
                0.02120200813455207,
                -0.0859143661675842,
                0.1637966166829182,
                -0.2177313639520888,
                0.2087636499504732,
                -0.1181325316114432
            ],
            [
                -0.1906329931152579,
                0.1856019249707135,
                -0.08772610195207124,
                -0.07782361587801037,
                0.2450329832907988,
                -0.3411755880317716
            ],
        ];
        assert!(within(&found.components.slice_axis(Axis(1), Slice::from(..6)).to_owned(), &components, 1e-10));
        let scores = array![
            [0.3035381567715797, 0.9685075807080212, 2.329660095473387],
            [-1.098752255734311, -2.438820342894534, -2.450249939662345]
        ];
        assert!(within(&rows(&found.scores, 0, 2).to_owned(), &scores, 1e-10));
    }

    #[test]
    fn scores_have_the_variances_and_rebuild_the_points() {
        for points in [waves(40, 6), waves(7, 30), waves(90, 80)] {
            let all = points.ncols().min(points.nrows() - 1);
            let found = pca(&points, all).unwrap();
            let rebuilt = found.scores.dot(&found.components);
            assert!(within(&rebuilt, &centred(&points), 1e-10));
            let variances = found.scores.map_axis(Axis(0), |column| column.dot(&column) / (points.nrows() - 1) as f64);
            assert!((variances - found.variances).iter().all(|gap| gap.abs() < 1e-12));
        }
    }

    #[test]
    fn equal_points_have_no_variance() {
        let found = pca(&Array2::from_elem((5, 3), 0.1), 2).unwrap();
        assert_eq!(found.scores, Array2::<f64>::zeros((5, 2)));
        assert_eq!(found.variances, array![0.0, 0.0]);
    }

    #[test]
    fn the_largest_coordinates_do_not_overflow() {
        let points = array![[1e120, 0.0], [-1e120, 1.0], [1e120, 0.5]];
        assert!(pca(&points, 2).unwrap().scores.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn a_dimension_beyond_the_points_is_refused() {
        let points = waves(4, 9);
        assert_eq!(pca(&points, 4), Err(Error::Dimension { dimension: 4, most: 3 }));
        assert_eq!(pca(&points, 0), Err(Error::Dimension { dimension: 0, most: 3 }));
        assert!(matches!(pca(&rows(&points, 0, 1).to_owned(), 1), Err(Error::TooFewRows { .. })));
    }
}
