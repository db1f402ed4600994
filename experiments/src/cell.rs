//! One finished cell of a table, (method, seed), as one JSON file.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

mod rows;

pub use rows::Rows;

/// How much of the paper's protocol a run followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The paper's epochs.
    Full,
    /// Few epochs and seeds, for a first look.
    Quick,
    /// Less than the paper's protocol, as the config says, or other settings than the program's own config of the table.
    Reduced,
}

/// The numbers of one trained model and what figures need of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// By metric name: `ks`, `wd`, `fp`, `edge`, `l1`, `radius_error` and so on; see `reported/`.
    pub metrics: BTreeMap<String, f64>,
    /// A summary of the sample that the metrics were computed from.
    pub generated: Generated,
}

/// A generated sample, small enough to commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Generated {
    /// Counts in equal bins of `[low, high)`; what falls outside is counted at its side.
    Histogram {
        /// Left end of the first bin.
        low: f64,
        /// Right end of the last bin.
        high: f64,
        /// Values left of `low`.
        below: u64,
        /// Values at or right of `high`.
        above: u64,
        /// One count a bin.
        counts: Vec<u64>,
    },
    /// Points of the plane.
    Points(Vec<[f64; 2]>),
    /// Rows of a sample in a few dimensions.
    Rows(Rows),
    /// Points of the plane by class, in a fixed order of classes.
    Classes(Vec<ClassPoints>),
}

/// Points of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassPoints {
    /// Of the class.
    pub name: String,
    /// In the plane.
    pub points: Vec<[f64; 2]>,
}

/// Means over one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochDiagnostics {
    /// Epochs finished, from 1.
    pub epoch: usize,
    /// By name: `loss`, `reconstruction`, `kl`, `ess`, `fallback`.
    pub values: BTreeMap<String, f64>,
}

/// What differs between two runs of the same cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Seconds of training and evaluation, over all resumptions.
    pub seconds: f64,
}

/// One (method, seed) of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// `table2`, for example.
    pub table: String,
    /// Row name, such as `aais` or `iwae-published`.
    pub method: String,
    /// Training seed.
    pub seed: u64,
    /// Full, quick or reduced.
    pub protocol: Protocol,
    /// Epochs trained.
    pub epochs: usize,
    /// SHA-256 of the resolved settings of this cell.
    pub config_hash: String,
    /// Version of the program.
    pub version: String,
    /// `avx512`, `avx2` or `portable`; `cuda` where networks were trained on a GPU.
    pub instruction_set: String,
    /// Processor it ran on.
    pub machine: String,
    /// Where its data came from, where they are not always made by the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// From the last iterate.
    pub outcome: Outcome,
    /// From exponentially averaged parameters, where the settings ask for them.
    pub averaged: Option<Outcome>,
    /// A thinned history of training.
    pub diagnostics: Vec<EpochDiagnostics>,
    /// What may differ between two runs with the same bits.
    pub timing: Timing,
}

impl Cell {
    /// Reads a cell's file.
    ///
    /// # Errors
    /// If the file cannot be read or is no cell; the message names the file, line and column.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| {
            format!("{} is not a finished cell; delete it and run the command again to train it anew", path.display())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_are_the_numbers_written() {
        // serde_json without `float_roundtrip` reads each of these one bit off.
        for value in [-0.978_722_274_303_436_3, 1.232_692_852_616_310_1, 0.395_415_414_124_727_25] {
            let written = serde_json::to_string(&Timing { seconds: value }).unwrap();
            let read: Timing = serde_json::from_str(&written).unwrap();
            assert!(read.seconds.to_bits() == f64::to_bits(value), "{written}");
        }
    }
}
