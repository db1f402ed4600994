//! k-means clusters.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans as Search, KMeansInit};
use ndarray::{Array2, ArrayView1, Axis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::random::{below, unit};
use crate::{Error, Result, check};

/// Settings of [`kmeans`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KMeans {
    /// How many clusters.
    pub clusters: usize,
    /// Searches from different starts, of which the best is kept; scikit-learn long had 10.
    pub restarts: usize,
    /// Of the starts.
    pub seed: u64,
}

/// A partition of points into clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct Clustering {
    /// The cluster of each point, from zero; clusters are numbered in the order of their first points.
    pub labels: Vec<usize>,
    /// The mean of each cluster, `(clusters, D)`; zeros for one without points, see [`kmeans`].
    pub centroids: Array2<f64>,
    /// The sum of squared distances to the centroids.
    pub inertia: f64,
}

/// Where linfa's search ends: centroids move less than this share of the points' spread.
const TOLERANCE: f64 = 1e-8;

/// Steps of linfa's search and of ours after it.
const MOST_STEPS: u64 = 1000;

/// Clusters points, one a row, such that the squared distances to the clusters' means are small.
///
/// Each restart draws centroids by k-means++ (Arthur and Vassilvitskii 2007), the best of `2 + ln k` draws for each, as
/// scikit-learn does; of linfa's single draws many more are needed. They move by linfa-clustering's m_k-means, in which a centroid counts as a point of its cluster. Its fixed points are Lloyd's (1982), whose steps then
/// follow until no point changes its cluster; a cluster that has lost all points takes the point farthest from its
/// centroid. The least inertia wins, of equal ones the first. `O(N k D)` a step.
///
/// A cluster is without points only where there are fewer distinct points than clusters. The bits are the same on any
/// number of threads.
///
/// # Errors
/// A coordinate that is not finite, fewer rows than clusters, no clusters, or no restarts.
///
/// ```
/// use aais_embedding::{KMeans, kmeans};
/// use ndarray::array;
///
/// let points = array![[0.0], [0.2], [5.0], [5.2], [5.4]];
/// let found = kmeans(&points, &KMeans { clusters: 2, restarts: 10, seed: 1 })?;
/// assert_eq!(found.labels, [0, 0, 1, 1, 1]);
/// assert!((found.inertia - 0.1).abs() < 1e-12);
/// # Ok::<(), aais_embedding::Error>(())
/// ```
pub fn kmeans(points: &Array2<f64>, settings: &KMeans) -> Result<Clustering> {
    let KMeans { clusters, restarts, seed } = *settings;
    check::count("clusters", clusters, 1)?;
    check::count("restarts", restarts, 1)?;
    check::points(points, clusters, || format!("{clusters} clusters"))?;

    let spread = spread(points);
    let dataset = DatasetBase::from(points.view());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut best: Option<Clustering> = None;
    for _ in 0..restarts {
        let search = Search::params(clusters)
            .init_method(KMeansInit::Precomputed(plus_plus(points, clusters, &mut rng)))
            .n_runs(1)
            .max_n_iterations(MOST_STEPS)
            .tolerance(if spread > 0.0 { TOLERANCE * spread } else { TOLERANCE });
        let start = search.fit(&dataset).map_err(|error| Error::KMeans { reason: error.to_string() })?;
        let found = lloyd(points, start.centroids().to_owned());
        if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
            best = Some(found);
        }
    }
    best.map(in_order).ok_or(Error::KMeans { reason: "no restarts".to_owned() })
}

/// The largest range of a coordinate.
fn spread(points: &Array2<f64>) -> f64 {
    let range = |column: ArrayView1<f64>| {
        let low = column.iter().copied().fold(f64::INFINITY, f64::min);
        column.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low
    };
    points.axis_iter(Axis(1)).map(range).fold(0.0, f64::max)
}

/// Points as centroids, each drawn with a chance that grows with its squared distance to those before.
fn plus_plus(points: &Array2<f64>, clusters: usize, rng: &mut impl RngCore) -> Array2<f64> {
    let n = points.nrows();
    let n_draws = 2 + (clusters as f64).ln() as usize;
    let mut centroids = Array2::zeros((clusters, points.ncols()));
    let closer = |squares: &[f64], to: usize| -> Vec<f64> {
        let distance = |point| squared_distance(point, points.row(to));
        points.rows().into_iter().zip(squares).map(|(point, square)| distance(point).min(*square)).collect()
    };

    let first = below(rng, n);
    centroids.row_mut(0).assign(&points.row(first));
    let mut squares = closer(&vec![f64::INFINITY; n], first);
    for k in 1..clusters {
        let (mut best, mut best_squares, mut least) = (0, squares.clone(), f64::INFINITY);
        for _ in 0..n_draws {
            let drawn = weighted(&squares, rng);
            let drawn_squares = closer(&squares, drawn);
            let sum = drawn_squares.iter().sum();
            if sum < least {
                (best, best_squares, least) = (drawn, drawn_squares, sum);
            }
        }
        centroids.row_mut(k).assign(&points.row(best));
        squares = best_squares;
    }
    centroids
}

/// A position drawn with these weights; of weights that are all zero the first.
fn weighted(weights: &[f64], rng: &mut impl RngCore) -> usize {
    let target = unit(rng) * weights.iter().sum::<f64>();
    let mut sum = 0.0;
    let passes = |weight: &f64| {
        sum += weight;
        sum > target
    };
    weights.iter().position(passes).unwrap_or(0)
}

/// Lloyd's steps until no point changes its cluster, or rounding keeps the inertia from falling.
fn lloyd(points: &Array2<f64>, centroids: Array2<f64>) -> Clustering {
    let mut now = assigned(points, centroids);
    for _ in 0..MOST_STEPS {
        let next = assigned(points, means(points, &now));
        if next.labels == now.labels {
            return next;
        }
        if next.inertia >= now.inertia {
            break;
        }
        now = next;
    }
    now
}

/// Each point in the cluster of the nearest centroid, of equal ones the first.
fn assigned(points: &Array2<f64>, centroids: Array2<f64>) -> Clustering {
    let nearest = |point: ArrayView1<f64>| {
        let squares = centroids.rows().into_iter().map(|centroid| squared_distance(point, centroid)).zip(0..);
        squares.fold((f64::INFINITY, 0), |best, next| if next.0 < best.0 { next } else { best })
    };
    let (squares, labels): (Vec<f64>, Vec<usize>) = points.rows().into_iter().map(nearest).unzip();
    Clustering { labels, inertia: squares.iter().sum(), centroids }
}

/// The means of the clusters. One without points takes the point farthest from its own centroid, if it is off at all.
fn means(points: &Array2<f64>, clustering: &Clustering) -> Array2<f64> {
    let mut sums = Array2::<f64>::zeros(clustering.centroids.dim());
    let mut counts = vec![0_usize; clustering.centroids.nrows()];
    for (point, &label) in points.rows().into_iter().zip(&clustering.labels) {
        sums.row_mut(label).scaled_add(1.0, &point);
        counts[label] += 1;
    }
    for (mut sum, &count) in sums.rows_mut().into_iter().zip(&counts) {
        sum.mapv_inplace(|x| x / count.max(1) as f64);
    }

    let mut squares: Vec<f64> = std::iter::zip(points.rows(), &clustering.labels)
        .map(|(point, &label)| squared_distance(point, clustering.centroids.row(label)))
        .collect();
    for empty in (0..counts.len()).filter(|&label| counts[label] == 0) {
        let farther = |best: usize, i: usize| if squares[i] > squares[best] { i } else { best };
        let farthest = (0..squares.len()).fold(0, farther);
        sums.row_mut(empty).assign(&points.row(farthest));
        squares[farthest] = 0.0;
    }
    sums
}

/// Clusters by their first points, those without points last and with zeros for a centroid.
fn in_order(found: Clustering) -> Clustering {
    let clusters = found.centroids.nrows();
    let mut places = vec![None; clusters];
    let mut centroids = Array2::zeros(found.centroids.dim());
    let mut known = 0;
    let mut labels = found.labels;
    for label in &mut labels {
        let place = *places[*label].get_or_insert_with(|| {
            centroids.row_mut(known).assign(&found.centroids.row(*label));
            known += 1;
            known - 1
        });
        *label = place;
    }
    Clustering { labels, centroids, inertia: found.inertia }
}

fn squared_distance(a: ArrayView1<f64>, b: ArrayView1<f64>) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::waves;
    use ndarray::array;
    use proptest::prelude::*;

    fn settings(clusters: usize) -> KMeans {
        KMeans { clusters, restarts: 10, seed: 0 }
    }

    #[test]
    fn one_cluster_is_the_mean_and_as_many_as_points_are_exact() {
        let points = waves(12, 3);
        let found = kmeans(&points, &settings(1)).unwrap();
        let centred = crate::unit::centred(&points);
        assert!((found.inertia - centred.iter().map(|x| x * x).sum::<f64>()).abs() < 1e-12);
        let found = kmeans(&points, &settings(12)).unwrap();
        assert_eq!((found.inertia, found.labels), (0.0, (0..12).collect()));
    }

    #[test]
    fn fewer_distinct_points_than_clusters_leave_clusters_empty() {
        let points = array![[1.0], [1.0], [4.0], [4.0], [1.0]];
        let found = kmeans(&points, &settings(4)).unwrap();
        assert_eq!(found.labels, [0, 0, 1, 1, 0]);
        assert_eq!((found.inertia, found.centroids), (0.0, array![[1.0], [4.0], [0.0], [0.0]]));
    }

    #[test]
    fn a_cluster_without_points_takes_the_farthest() {
        let points = array![[0.0], [1.0], [10.0]];
        let found = lloyd(&points, array![[0.5], [100.0]]);
        assert_eq!(found.labels, [0, 0, 1]);
        assert_eq!(found.inertia, 0.5);
    }

    #[test]
    fn scale_and_place_do_not_matter() {
        let points = waves(80, 2);
        let labels = |points: &Array2<f64>| kmeans(points, &settings(4)).unwrap().labels;
        // Powers of two, so that rounding is the same.
        assert_eq!(labels(&points), labels(&(&points * 2.0_f64.powi(60))));
        assert_eq!(labels(&points), labels(&(&points * 2.0_f64.powi(-60))));
    }

    #[test]
    fn bad_input_is_refused() {
        let message = |points: &Array2<f64>, settings: KMeans| kmeans(points, &settings).unwrap_err().to_string();
        assert_eq!(message(&waves(3, 2), settings(7)), "expected at least 7 rows for 7 clusters, got 3");
        assert_eq!(message(&waves(3, 2), settings(0)), "`clusters` must be at least 1, got 0");
        assert_eq!(
            message(&waves(3, 2), KMeans { restarts: 0, ..settings(2) }),
            "`restarts` must be at least 1, got 0"
        );
        assert!(message(&array![[f64::NAN]], settings(1)).contains("row 0, column 0"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn every_point_is_in_the_nearest_cluster_and_centroids_are_means(
            values in prop::collection::vec(-3_i8..4, 12..60), clusters in 1_usize..6, seed in any::<u64>(),
        ) {
            let points = Array2::from_shape_fn((values.len() / 2, 2), |(i, j)| f64::from(values[2 * i + j]));
            let found = kmeans(&points, &KMeans { clusters, restarts: 2, seed }).unwrap();
            let again = assigned(&points, means(&points, &found));
            prop_assert!((again.inertia - found.inertia).abs() < 1e-9);
            for (point, &label) in points.rows().into_iter().zip(&found.labels) {
                let own = squared_distance(point, found.centroids.row(label));
                for (k, centroid) in found.centroids.rows().into_iter().enumerate() {
                    let is_empty = !found.labels.contains(&k);
                    prop_assert!(is_empty || own <= squared_distance(point, centroid) + 1e-9);
                }
            }
        }
    }
}
