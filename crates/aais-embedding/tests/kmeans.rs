//! k-means of the 150 irises against scikit-learn 1.9.1 on NumPy 2.4.6:
//! `KMeans(k, n_init=300, random_state=0, tol=0, max_iter=1000).fit(load_iris().data)`, `inertia_` and `labels_`.

#![allow(clippy::unwrap_used)]

use aais_embedding::{Clustering, KMeans, kmeans};
use aais_metrics::adjusted_rand_index;
use ndarray::Array2;

const THREE: &str = "1111111111111111111111111111111111111111111111111100200000000000000000000000020000000000000000000000\
    20222202222220022220202022002222202222022202220220";
const FIVE: &str = "1111111111111111111111111111111111111111111111111144424442422424244242424444444222242444222422222422\
    34033020303334333004340430443000344033433343334334";

/// Measurements, `(150, 4)`, and species.
fn irises() -> (Array2<f64>, Vec<usize>) {
    let cells: Vec<f64> = include_str!("iris.csv")
        .lines()
        .skip(2)
        .flat_map(|line| line.split(',').map(|cell| cell.parse::<f64>().unwrap()))
        .collect();
    let table = Array2::from_shape_vec((150, 5), cells).unwrap();
    let species = table.column(4).iter().map(|&species| species as usize).collect();
    (Array2::from_shape_fn((150, 4), |(i, j)| table[[i, j]]), species)
}

fn clusters(k: usize, seed: u64) -> Clustering {
    kmeans(&irises().0, &KMeans { clusters: k, restarts: 30, seed }).unwrap()
}

#[test]
fn irises_have_scikit_learns_clusters_from_any_seed() {
    for (k, inertia, labels) in [(3, 78.851441426146, THREE), (5, 46.446182051282065, FIVE)] {
        let labels: Vec<usize> = labels.bytes().map(|byte| usize::from(byte - b'0')).collect();
        for seed in 0..3 {
            let found = clusters(k, seed);
            // Sums of 600 rounded squares.
            assert!((found.inertia / inertia - 1.0).abs() < 1e-12, "{k}, {seed}: {}", found.inertia);
            assert_eq!(adjusted_rand_index(&found.labels, &labels), Ok(1.0));
        }
    }
}

#[test]
fn three_clusters_agree_with_the_species_as_far_as_scikit_learns() {
    let index = adjusted_rand_index(&clusters(3, 0).labels, &irises().1).unwrap();
    assert!((index - 0.7302382722834697).abs() < 1e-14, "{index}");
}

#[test]
fn more_restarts_never_have_a_larger_inertia() {
    let points = irises().0;
    let inertia = |restarts| kmeans(&points, &KMeans { clusters: 7, restarts, seed: 4 }).unwrap().inertia;
    assert!(inertia(20) <= inertia(5) && inertia(5) <= inertia(1));
    assert!(inertia(20) >= 34.29822966507178 - 1e-9); // scikit-learn's best of 300 starts.
}
