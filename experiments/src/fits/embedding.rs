//! Embeddings of cells that are computed from their counts, and clusters in them.

use aais_embedding::{Pacmap, Tsne, Umap, pacmap, pca, tsne, umap};
use anyhow::{Result, ensure};
use ndarray::Array2;
use serde::Deserialize;

use super::Fit;
use crate::cell::Outcome;
use crate::config::Task;
use crate::task::Prepared;

/// What an embedding is computed from, and how many coordinates it has. All else is at the library's defaults.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Coordinates of a cell's point.
    pub dimension: usize,
    /// How it sees the counts.
    pub input: Input,
}

/// How counts are transformed before cells are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// Not at all.
    Counts,
    /// Each cell's counts are scaled to the median cell's total, then `log(1 + x)`.
    LogNormalized,
}

/// An embedding by one method.
pub struct Embedding {
    settings: Settings,
    embed: fn(&Array2<f64>, usize, u64) -> aais_embedding::Result<Array2<f64>>,
}

impl Embedding {
    /// Principal components; only the clusters in them have a seed.
    pub fn pca(settings: Settings) -> Self {
        Self { settings, embed: |points, dimension, _| Ok(pca(points, dimension)?.scores) }
    }

    /// PaCMAP.
    pub fn pacmap(settings: Settings) -> Self {
        Self {
            settings,
            embed: |points, dimension, seed| pacmap(points, &Pacmap { dimension, seed, ..Pacmap::default() }),
        }
    }

    /// t-SNE.
    pub fn tsne(settings: Settings) -> Self {
        Self {
            settings,
            embed: |points, dimension, seed| tsne(points, &Tsne { seed, ..Tsne::of_dimension(dimension) }),
        }
    }

    /// UMAP.
    pub fn umap(settings: Settings) -> Self {
        Self { settings, embed: |points, dimension, seed| umap(points, &Umap { dimension, seed, ..Umap::default() }) }
    }
}

impl Fit for Embedding {
    fn fit(&self, prepared: &Prepared, seed: u64) -> Result<Outcome> {
        let Settings { dimension, input } = self.settings;
        ensure!(dimension > 0, "`dimension` must be at least 1");
        let points = match input {
            Input::Counts => prepared.counts().clone(),
            Input::LogNormalized => log_normalized(prepared.counts()),
        };
        prepared.judge_representation(&(self.embed)(&points, dimension, seed)?, seed)
    }

    fn task(&self) -> Task {
        Task::Clusters
    }

    fn is_without_chance(&self) -> bool {
        false
    }
}

/// `log(1 + c x)` with `c` the median of the rows' sums over the row's own; rows without counts stay zero.
fn log_normalized(counts: &Array2<f64>) -> Array2<f64> {
    let totals: Vec<f64> = counts.rows().into_iter().map(|row| row.sum()).collect();
    let mut sorted: Vec<f64> = totals.iter().copied().filter(|total| *total > 0.0).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = |k: usize| sorted.get(k).copied().unwrap_or_default();
    let median = 0.5 * (middle(sorted.len().saturating_sub(1) / 2) + middle(sorted.len() / 2));
    let mut normalized = counts.clone();
    for (mut row, total) in normalized.rows_mut().into_iter().zip(totals) {
        let scale = if total > 0.0 { median / total } else { 0.0 };
        row.mapv_inplace(|count| (scale * count).ln_1p());
    }
    normalized
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_kind_are_equal_once_their_totals_are() {
        let counts = ndarray::array![[1.0, 3.0], [2.0, 6.0], [5.0, 1.0], [0.0, 0.0]];
        let normalized = log_normalized(&counts);
        // The median of 4, 8 and 6 is 6.
        assert!((normalized[(0, 1)] - 5.5_f64.ln()).abs() < 1e-15);
        assert!((normalized[(1, 0)] - normalized[(0, 0)]).abs() < 1e-15);
        assert_eq!(normalized[(2, 0)], 6.0_f64.ln());
        assert!(normalized.row(3).iter().all(|value| *value == 0.0));
    }

    #[test]
    fn of_an_even_number_the_median_lies_between() {
        let normalized = log_normalized(&ndarray::array![[2.0], [4.0]]);
        assert!(normalized.iter().all(|value| (value - 4.0_f64.ln()).abs() < 1e-15));
    }
}
