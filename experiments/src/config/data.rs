//! The data set of an experiment, the table `[data]`.

use std::path::PathBuf;

use aais_datasets::{Circle, Counts, Exponential, Mixture};
use serde::{Deserialize, Serialize};

/// A data set by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Data {
    /// Paper, section 4.2.2.
    Exponential(Exponential),
    /// Paper, Eq. 20.
    Mixture(Mixture),
    /// Paper, section 4.2.1.
    Circle(CircleData),
    /// Paper, section 4.2.3.
    Copula(CopulaData),
    /// Paper, section 4.4; the program brings it along.
    #[serde(rename = "verbagg")]
    VerbAgg {},
    /// Paper, section 4.3.2; from a file.
    Cortex(CortexData),
    /// Paper, section 4.3.1; from files.
    Mnist(ImageData),
}

/// Counts with a signal of Clayton dependence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CopulaData {
    /// `θ` of the Clayton copula.
    pub theta: f64,
    /// Shape, scale and shift of the gamma margins.
    pub margin: [f64; 3],
    /// Coordinates of the signal.
    pub dimension: usize,
    /// Rows of a draw of our own; the authors' has 10,000.
    pub n_rows: usize,
    /// How counts are observed.
    pub counts: Counts,
    /// Which draw it is, once it has been looked for; part of the settings that a cell remembers.
    #[serde(skip_deserializing)]
    pub draw: Option<CopulaDraw>,
    /// The authors' file, where it was found.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// Whose draw of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CopulaDraw {
    /// The authors', read from their file.
    Published,
    /// Ours, of the same law.
    Own,
}

/// Counts of genes in cells of mouse cortex.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CortexData {
    /// Genes with fewer counts over all cells are left out first.
    pub least_total: u64,
    /// Genes that are kept, those that vary most for their abundance.
    pub n_genes: usize,
    /// Which table it is, once it has been looked for; part of the settings that a cell remembers.
    #[serde(skip_deserializing)]
    pub table: Option<CortexTable>,
    /// The data folder.
    #[serde(skip)]
    pub folder: Option<PathBuf>,
}

/// Black and white images, some to train on and others to reconstruct.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageData {
    /// Images to train on, the first ones of their file.
    pub train_rows: usize,
    /// Images to reconstruct, the first ones of their file.
    pub test_rows: usize,
    /// IDX files below the data folder, to train on and to reconstruct, instead of the published ones of MNIST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<[String; 2]>,
    /// Of these files, once they have been looked for; part of the settings that a cell remembers.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<[String; 2]>,
    /// The data folder.
    #[serde(skip)]
    pub folder: Option<PathBuf>,
}

/// How many genes there are to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CortexTable {
    /// All 19,972 of the published table.
    Published,
    /// The 4,000 that are seen in the most cells.
    Extract,
}

/// The circle and the likelihood's variance on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CircleData {
    /// Mixture of angles.
    pub angles: Vec<aais_datasets::Component>,
    /// Seed of numpy's legacy generator.
    pub seed: u32,
    /// Variance of `p(x | z)`.
    pub noise_variance: f64,
}

impl CircleData {
    /// The draw's settings.
    pub fn draw(&self) -> Circle {
        Circle { angles: self.angles.clone(), seed: self.seed }
    }
}
