//! Cells of mouse cortex, whose classes are to be found again. Paper, section 4.3.2.

use std::collections::BTreeMap;
use std::path::Path;

use aais_datasets::{Cortex, Labels, cortex, highly_variable_genes};
use aais_embedding::{KMeans, Umap, kmeans, umap};
use aais_metrics::{adjusted_rand_index, normalized_mutual_information};
use aais_models::LatentModel;
use anyhow::{Context, Result, bail};
use ndarray::Array2;

use super::{Observation, Prepared, Truth};
use crate::cell::{ClassPoints, Generated, Outcome};
use crate::config::{CortexData, CortexTable, Evaluate};

/// Where the published table lies in a data folder, gzipped or not.
const PUBLISHED: [&str; 2] = ["cortex/expression_mRNA_17-Aug-2014.txt", "cortex/expression_mRNA_17-Aug-2014.txt.gz"];

/// Seed of the planes of Figure 6, the authors'.
const PLANE_SEED: u64 = 42;

/// The one seed whose plane is kept; the figure shows no other.
const SHOWN_SEED: u64 = 1;

/// The class of each cell.
pub(super) struct Cells {
    labels: Labels,
}

/// Notes the folder, and whether the table there is the published one.
pub fn find(settings: &mut CortexData, folder: Option<&Path>) {
    let is_published = folder.is_some_and(|folder| PUBLISHED.iter().any(|file| folder.join(file).is_file()));
    settings.table = Some(if is_published { CortexTable::Published } else { CortexTable::Extract });
    settings.folder = folder.map(Path::to_path_buf);
}

pub(super) fn prepare(settings: &CortexData) -> Result<Prepared> {
    let folder = settings
        .folder
        .as_deref()
        .context("no folder for data; name one by --data-dir or the environment variable AAIS_DATA_DIR")?;
    let Cortex { counts, source } = cortex(folder)?;
    let counts = counts.select_genes(&counts.genes_with_total(settings.least_total))?;
    let counts = counts.select_genes(&highly_variable_genes(&counts, settings.n_genes)?)?;
    let labels = counts.labels().context("the cells have no classes")?.clone();
    let observation = Observation::NegativeBinomial { n_genes: settings.n_genes };
    let mut prepared = Prepared::of(counts.to_dense().mapv(f64::from), observation, Cells { labels });
    prepared.source = Some(source.to_string());
    Ok(prepared)
}

impl Cells {
    /// Agreement of the classes with clusters of the points `(N, d)`, as many as there are classes. Deviation 36.
    pub(super) fn judge(&self, points: &Array2<f64>, seed: u64, evaluate: &Evaluate) -> Result<Outcome> {
        let Labels { classes, codes } = &self.labels;
        let restarts = evaluate.restarts.context("cells need `evaluate.restarts`")?;
        let clusters = kmeans(points, &KMeans { clusters: classes.len(), restarts, seed })?;
        let metrics = BTreeMap::from([
            ("ari".to_owned(), adjusted_rand_index(codes, &clusters.labels)?),
            ("nmi".to_owned(), normalized_mutual_information(codes, &clusters.labels)?),
        ]);
        let plane = if seed == SHOWN_SEED { self.plane(points, evaluate)? } else { Vec::new() };
        Ok(Outcome { metrics, generated: Generated::Classes(plane) })
    }

    /// Some cells, evenly spaced in the table, in a plane that UMAP makes of all. Paper, Figure 6.
    fn plane(&self, points: &Array2<f64>, evaluate: &Evaluate) -> Result<Vec<ClassPoints>> {
        let plane = umap(points, &Umap { dimension: 2, seed: PLANE_SEED, ..Umap::default() })?;
        let Labels { classes, codes } = &self.labels;
        let mut shown: Vec<ClassPoints> =
            classes.iter().map(|name| ClassPoints { name: name.clone(), points: Vec::new() }).collect();
        let n = evaluate.n_points.unwrap_or_default().min(codes.len());
        for cell in (0..n).map(|k| k * codes.len() / n) {
            let rounded = [plane[(cell, 0)], plane[(cell, 1)]].map(|x| (x * 1e3).round() / 1e3);
            shown[codes[cell]].points.push(rounded);
        }
        Ok(shown)
    }
}

impl Truth for Cells {
    fn judge(&self, _: &[Vec<f64>], _: &LatentModel, _: &Evaluate) -> Result<Outcome> {
        bail!("cells are judged by their representation, not by what a model generates")
    }

    fn reference(&self, _: &Evaluate) -> Result<Option<Generated>> {
        Ok(None)
    }

    fn cells(&self) -> Option<&Cells> {
        Some(self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Three classes of 20 cells that lie apart.
    fn cells() -> (Cells, Array2<f64>) {
        let names: Vec<String> = (0..60).map(|cell| format!("class {}", cell % 3)).collect();
        let points = Array2::from_shape_fn((60, 4), |(cell, j)| {
            let wobble = f64::from(u8::try_from((7 * cell + 3 * j) % 11).unwrap()) / 11.0;
            10.0 * f64::from(u8::from(cell % 3 == j)) + wobble
        });
        (Cells { labels: Labels::new(&names) }, points)
    }

    fn evaluate() -> Evaluate {
        Evaluate { n_points: Some(30), restarts: Some(5), ..Evaluate::default() }
    }

    #[test]
    fn classes_that_lie_apart_are_found() {
        let (cells, points) = cells();
        let outcome = cells.judge(&points, 2, &evaluate()).unwrap();
        assert_eq!(outcome.metrics, BTreeMap::from([("ari".to_owned(), 1.0), ("nmi".to_owned(), 1.0)]));
        assert_eq!(outcome.generated, Generated::Classes(Vec::new()));
    }

    #[test]
    fn a_constant_representation_says_nothing_of_classes() {
        let (cells, _) = cells();
        let outcome = cells.judge(&Array2::zeros((60, 4)), 2, &evaluate()).unwrap();
        assert_eq!(outcome.metrics["ari"], 0.0);
    }

    #[test]
    fn the_first_seed_keeps_a_plane_of_some_cells() {
        let (cells, points) = cells();
        let Generated::Classes(shown) = cells.judge(&points, 1, &evaluate()).unwrap().generated else { panic!() };
        assert_eq!(
            shown.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(),
            ["class 0", "class 1", "class 2"]
        );
        assert_eq!(shown.iter().map(|class| class.points.len()).sum::<usize>(), 30);
    }
}
