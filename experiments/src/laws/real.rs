//! Real data: persons and broods foretold by both laws.

use std::path::Path;
use std::time::Instant;

use aais_datasets::{Table, grouseticks, verbagg};
use aais_glmm::{BinomialLink, DesignOptions, Family, Formula};
use aais_neural_glmm::{Settings, neural_glmm};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::glmm::columns;
use crate::report::write_atomically;

/// A data set with its model.
pub struct DataSet {
    /// In file names.
    pub name: &'static str,
    /// What a group is.
    groups: &'static str,
    formula: &'static str,
    family: Family,
    table: fn() -> Table,
}

/// The data sets of the report.
pub const DATA_SETS: [DataSet; 2] = [
    DataSet {
        name: "verbagg",
        groups: "persons",
        formula: "r2 ~ situ + btype + mode + (1 + mode | id)",
        family: Family::Binomial(BinomialLink::Logit),
        table: verbagg,
    },
    DataSet {
        name: "grouseticks",
        groups: "broods",
        formula: "TICKS ~ YEAR + cHEIGHT + (1 | BROOD)",
        family: Family::Poisson,
        table: grouseticks,
    },
];

/// Parts that the groups are split into.
const N_FOLDS: usize = 10;

/// Both laws on groups held out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealCell {
    /// The data set.
    pub name: String,
    /// What a group is.
    pub groups: String,
    /// The model.
    pub formula: String,
    /// Version of the program.
    pub version: String,
    /// How many groups.
    pub n_groups: usize,
    /// `Σ_g log p_learned(y_g) − log p_normal(y_g)`, each group held out.
    pub difference: f64,
    /// Its standard error over groups.
    pub std_error: f64,
    /// The part of that which importance sampling makes.
    pub monte_carlo_error: f64,
    /// Two-sided.
    pub p_value: f64,
    /// The same difference with every group in both fits.
    pub in_sample: f64,
    /// Names of the random effects.
    pub effects: Vec<String>,
    /// Of the learned law.
    pub std: Vec<f64>,
    /// Of the learned law.
    pub skewness: Vec<f64>,
    /// Of the learned law.
    pub excess_kurtosis: Vec<f64>,
    /// Names of the fixed effects.
    pub fixed_names: Vec<String>,
    /// Under the learned law.
    pub fixed: Vec<f64>,
    /// Under the normal law.
    pub normal_fixed: Vec<f64>,
    /// Groups whose importance weights cannot be trusted.
    pub n_unreliable: usize,
    /// Seconds it took.
    pub seconds: f64,
}

impl RealCell {
    /// Learns on all groups, then foretells each part from the others.
    ///
    /// # Errors
    /// If a training fails.
    pub fn run(set: &DataSet) -> Result<Self> {
        let started = Instant::now();
        let data = columns((set.table)())?;
        let design = Formula::parse(set.formula)?.design(&data, &DesignOptions::default())?.design;
        let settings = Settings { n_folds: Some(N_FOLDS), ..Settings::default() };
        let model = neural_glmm(&design, set.family, &settings, &mut |_| ())?;
        let held_out = model.held_out.as_ref().context("groups held out")?;
        Ok(Self {
            name: set.name.to_owned(),
            groups: set.groups.to_owned(),
            formula: set.formula.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            n_groups: held_out.groups.len(),
            difference: held_out.difference(),
            std_error: held_out.std_error(),
            monte_carlo_error: held_out.monte_carlo_error(),
            p_value: held_out.p_value(),
            in_sample: model.log_likelihood.value - model.normal_log_likelihood.value,
            effects: model.law.effect_names.clone(),
            std: model.law.std.clone(),
            skewness: model.law.skewness.clone(),
            excess_kurtosis: model.law.excess_kurtosis.clone(),
            fixed_names: model.fixed_names.clone(),
            fixed: model.fixed.clone(),
            normal_fixed: model.normal.fixed.clone(),
            n_unreliable: model.n_unreliable(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Reads a finished one; none if it is not there.
    ///
    /// # Errors
    /// If the file is something else.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let cell = serde_json::from_str(&text).with_context(|| format!("{} is no result of laws", path.display()))?;
        Ok(Some(cell))
    }

    /// Writes it.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        write_atomically(path, format!("{}\n", serde_json::to_string_pretty(self)?).as_bytes())
    }
}
