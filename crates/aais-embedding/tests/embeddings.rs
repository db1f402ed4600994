//! What holds for every embedding: groups stay apart, seeds decide, threads do not.

#![allow(clippy::unwrap_used)]

use aais_embedding::{Error, KMeans, Pacmap, Result, Tsne, Umap, kmeans, pacmap, pca, tsne, umap};
use aais_metrics::adjusted_rand_index;
use ndarray::Array2;
use proptest::prelude::*;

/// A method by name, of any dimension and seed.
struct Method {
    name: &'static str,
    embed: fn(&Array2<f64>, usize, u64) -> Result<Array2<f64>>,
}

const METHODS: &[Method] = &[
    Method {
        name: "t-SNE",
        embed: |points, dimension, seed| {
            tsne(points, &Tsne { perplexity: 8.0, n_steps: 150, seed, ..Tsne::of_dimension(dimension) })
        },
    },
    Method {
        name: "UMAP",
        embed: |points, dimension, seed| {
            umap(points, &Umap { dimension, n_neighbors: 8, n_epochs: Some(150), seed, ..Umap::default() })
        },
    },
    Method {
        name: "PaCMAP",
        embed: |points, dimension, seed| pacmap(points, &Pacmap { dimension, seed, ..Pacmap::default() }),
    },
];

const GROUPS: usize = 3;
const GROUP: usize = 25;
const COLUMNS: usize = 12;

fn labels() -> Vec<usize> {
    (0..GROUPS * GROUP).map(|i| i % GROUPS).collect()
}

/// Groups of spread 0.7 at distance 14 in twelve coordinates, waves for noise.
fn groups() -> Array2<f64> {
    let labels = labels();
    Array2::from_shape_fn((GROUPS * GROUP, COLUMNS), |(i, j)| {
        let centre = if labels[i] == j { 10.0 } else { 0.0 };
        centre + (1.7 * i as f64 + 2.3 * j as f64 + 0.1 * (i * j) as f64).sin()
    })
}

fn bits(embedding: &Array2<f64>) -> Vec<u64> {
    embedding.iter().map(|x| x.to_bits()).collect()
}

fn on_threads<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(work)
}

#[test]
fn groups_stay_apart_in_two_and_in_ten_dimensions() {
    for Method { name, embed } in METHODS {
        for dimension in [2, 10] {
            let embedding = embed(&groups(), dimension, 1).unwrap();
            assert_eq!(embedding.dim(), (GROUPS * GROUP, dimension));
            let clusters = kmeans(&embedding, &KMeans { clusters: GROUPS, restarts: 10, seed: 1 }).unwrap();
            assert_eq!(adjusted_rand_index(&clusters.labels, &labels()), Ok(1.0), "{name}, {dimension}");
        }
    }
}

#[test]
fn principal_components_keep_groups_apart() {
    let scores = pca(&groups(), 2).unwrap().scores;
    let clusters = kmeans(&scores, &KMeans { clusters: GROUPS, restarts: 10, seed: 1 }).unwrap();
    assert_eq!(adjusted_rand_index(&clusters.labels, &labels()), Ok(1.0));
}

#[test]
fn the_same_seed_has_the_same_bits_on_any_number_of_threads() {
    let points = groups();
    for Method { name, embed } in METHODS {
        let embedding = |n_threads| on_threads(n_threads, || bits(&embed(&points, 3, 5).unwrap()));
        let one = embedding(1);
        assert_eq!(one, embedding(1), "{name}");
        assert_eq!(one, embedding(4), "{name}");
    }
    let clusters =
        |n_threads| on_threads(n_threads, || kmeans(&points, &KMeans { clusters: 5, restarts: 3, seed: 2 }).unwrap());
    assert_eq!(clusters(1), clusters(4));
    assert_eq!(on_threads(1, || pca(&points, 4)), on_threads(4, || pca(&points, 4)));
}

#[test]
fn another_seed_is_another_embedding() {
    for Method { name, embed } in METHODS {
        let embedding = |seed| bits(&embed(&groups(), 2, seed).unwrap());
        assert_ne!(embedding(1), embedding(2), "{name}");
    }
}

#[test]
fn unusable_points_are_named() {
    let mut points = groups();
    points[[30, 7]] = f64::NAN;
    for Method { name, embed } in METHODS {
        let message = embed(&points, 2, 0).unwrap_err().to_string();
        assert!(message.ends_with("got NaN in row 30, column 7, counted from zero"), "{name}: {message}");
        let few = Array2::zeros((5, 4));
        assert!(matches!(embed(&few, 2, 0), Err(Error::TooFewRows { rows: 5, .. })), "{name}");
        assert_eq!(embed(&Array2::zeros((80, 0)), 2, 0), Err(Error::NoColumns { rows: 80 }), "{name}");
        let wide = |dimension| embed(&groups(), dimension, 0);
        assert_eq!(wide(0), Err(Error::Dimension { dimension: 0, most: COLUMNS }), "{name}");
        assert_eq!(wide(13), Err(Error::Dimension { dimension: 13, most: COLUMNS }), "{name}");
    }
}

#[test]
fn unusable_settings_are_named() {
    let points = groups();
    let message = |result: Result<Array2<f64>>| result.unwrap_err().to_string();
    assert_eq!(
        message(tsne(&points, &Tsne { perplexity: 74.0, ..Tsne::default() })),
        "expected at least 76 rows for a perplexity of 74, got 75"
    );
    assert!(message(tsne(&points, &Tsne { perplexity: f64::NAN, ..Tsne::default() })).contains("`perplexity`"));
    assert!(message(umap(&points, &Umap { n_neighbors: 1, ..Umap::default() })).contains("`n_neighbors`"));
    assert!(message(umap(&points, &Umap { n_epochs: Some(0), ..Umap::default() })).contains("`n_epochs`"));
    assert!(message(pacmap(&points, &Pacmap { n_neighbors: Some(0), ..Pacmap::default() })).contains("`n_neighbors`"));
    assert_eq!(
        message(pacmap(&points, &Pacmap { n_neighbors: Some(25), ..Pacmap::default() })),
        "expected at least 76 rows for 25 near, 13 mid-near and 50 further pairs, got 75"
    );
    let rate = f64::MAX;
    assert!(message(tsne(&points, &Tsne { learning_rate: Some(rate), ..Tsne::default() })).contains("t-SNE left"));
    assert!(message(umap(&points, &Umap { learning_rate: rate, ..Umap::default() })).contains("UMAP left"));
    assert!(message(pacmap(&points, &Pacmap { learning_rate: rate, ..Pacmap::default() })).contains("PaCMAP left"));
}

#[test]
fn equal_points_have_an_embedding() {
    for Method { name, embed } in METHODS {
        let embedding = embed(&Array2::from_elem((40, 3), 0.1), 2, 3).unwrap();
        assert!(embedding.iter().all(|x| x.is_finite()), "{name}");
    }
}

#[test]
fn points_whose_squares_vanish_are_embedded_as_others() {
    let points = groups();
    for Method { name, embed } in METHODS {
        let embedding = |points: &Array2<f64>| bits(&embed(points, 2, 3).unwrap());
        // A power of two, so that rounding is the same.
        assert_eq!(embedding(&(&points * 2.0_f64.powi(-560))), embedding(&points), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn points_of_any_scale_with_ties_have_an_embedding(
        values in prop::collection::vec(-2_i8..3, 99), exponent in -300_i32..110,
    ) {
        let points = Array2::from_shape_fn((33, 3), |(i, j)| f64::from(values[3 * i + j]) * 10.0_f64.powi(exponent));
        for Method { name, embed } in METHODS {
            let embedding = embed(&points, 3, 7);
            prop_assert!(embedding.is_ok_and(|embedding| embedding.iter().all(|x| x.is_finite())), "{}", name);
        }
    }
}
