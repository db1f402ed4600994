//! One simulation: a law learned and held against the truth.

use std::path::Path;
use std::time::Instant;

use aais_distributions::Noise;
use aais_glmm::marginal_nll;
use aais_metrics::{ks_statistic_two_sample, wasserstein_1};
use aais_neural_glmm::{NeuralGlmm, Settings, neural_glmm};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::simulation::{Setting, TRUTH};
use crate::report::write_atomically;

/// Groups of a data set, and as many new ones.
pub const N_GROUPS: usize = 250;

/// Data sets drawn from the learned model of the first simulation of a setting, to see how far laws scatter.
pub const N_REFITS: usize = 19;

/// Draws of a true law that stand for it.
const N_TRUE: usize = 100_000;

/// Nodes of the quadrature that new groups are held against.
const NODES: usize = 25;

/// Probability of intervals.
const LEVEL: f64 = 0.95;

/// What a simulation tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// What was simulated.
    pub setting: Setting,
    /// Its number, which is its seed, from 1.
    pub simulation: u64,
    /// Version of the program.
    pub version: String,
    /// Fixed effects under the learned law.
    pub fixed: [f64; 2],
    /// Their standard errors.
    pub std_errors: [f64; 2],
    /// Degrees of freedom of these.
    pub degrees_of_freedom: [f64; 2],
    /// Their 95 % intervals.
    pub intervals: [[f64; 2]; 2],
    /// Fixed effects under the normal law.
    pub normal_fixed: [f64; 2],
    /// Standard deviation of the learned law.
    pub law_std: f64,
    /// Distance of the learned law to the truth.
    pub learned: Distance,
    /// Distance of the fitted normal law to the truth.
    pub normal: Distance,
    /// `log p` of new groups, learned less normal law, the latter by quadrature.
    pub gain_on_new_groups: f64,
    /// Standard error of that over groups.
    pub gain_std_error: f64,
    /// Laws learned from data drawn from the learned model, against it; of the first simulation.
    pub refits: Vec<Distance>,
    /// Seconds it took.
    pub seconds: f64,
}

/// Distance between two laws.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// Kolmogorov and Smirnov's.
    pub ks: f64,
    /// Wasserstein's of order one.
    pub wd: f64,
}

impl Distance {
    fn between(first: &[f64], second: &[f64]) -> Result<Self> {
        Ok(Self { ks: ks_statistic_two_sample(first, second)?, wd: wasserstein_1(first, second)? })
    }
}

impl Cell {
    /// Whether the 95 % interval of each fixed effect holds the truth.
    pub fn covered(&self) -> [bool; 2] {
        std::array::from_fn(|k| (self.intervals[k][0]..=self.intervals[k][1]).contains(&TRUTH[k]))
    }

    /// Simulates, learns and judges.
    ///
    /// # Errors
    /// If a training fails.
    pub fn run(setting: Setting, simulation: u64) -> Result<Self> {
        let started = Instant::now();
        let noise = Noise::new(simulation).fork(&setting.name());
        let data = setting.groups(N_GROUPS, TRUTH, &mut noise.fork("data"), |noise| setting.effect(noise))?;
        let model = learn(setting, &data, simulation)?;

        let mut of_truth = noise.fork("truth");
        let truth: Vec<f64> = (0..N_TRUE).map(|_| setting.effect(&mut of_truth)).collect();
        let law = model.law.effect(0).to_vec();
        let std = model.normal.random[0].std()[0];
        let of_normal: Vec<f64> = noise
            .fork("normal")
            .standard_normal(&[law.len()], &candle_core::Device::Cpu)?
            .to_vec1::<f32>()?
            .into_iter()
            .map(|z| std * f64::from(z))
            .collect();

        let new = setting.groups(N_GROUPS, TRUTH, &mut noise.fork("new"), |noise| setting.effect(noise))?;
        let (gain_on_new_groups, gain_std_error) = gain(&model, &new, setting)?;
        let refits = if simulation == 1 { refits(setting, &model, &law, &noise)? } else { Vec::new() };
        let errors = model.std_errors().context("standard errors")?;
        let degrees = &model.fixed_covariance.as_ref().context("a covariance")?.degrees_of_freedom;
        let intervals = model.intervals(LEVEL).context("intervals")?;
        Ok(Self {
            setting,
            simulation,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fixed: [model.fixed[0], model.fixed[1]],
            std_errors: [errors[0], errors[1]],
            degrees_of_freedom: [degrees[0], degrees[1]],
            intervals: [intervals[0], intervals[1]],
            normal_fixed: [model.normal.fixed[0], model.normal.fixed[1]],
            law_std: model.law.std[0],
            learned: Distance::between(&law, &truth)?,
            normal: Distance::between(&of_normal, &truth)?,
            gain_on_new_groups,
            gain_std_error,
            refits,
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
        let cell = serde_json::from_str(&text).with_context(|| format!("{} is no simulation", path.display()))?;
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

fn learn(setting: Setting, data: &aais_glmm::Design, seed: u64) -> Result<NeuralGlmm> {
    let settings = Settings { n_folds: None, seed, ..Settings::default() };
    Ok(neural_glmm(data, setting.family(), &settings, &mut |_| ())?)
}

/// Learned less normal law on new groups, and its standard error over groups.
fn gain(model: &NeuralGlmm, new: &aais_glmm::Design, setting: Setting) -> Result<(f64, f64)> {
    let learned = model.log_marginals(new)?;
    let parameters = model.normal.parameters();
    let mut differences = Vec::with_capacity(learned.len());
    for (group, learned) in learned.iter().enumerate() {
        let alone = aais_neural_glmm::groups_of(new, &[group])?;
        differences.push(learned.value + marginal_nll(&alone, setting.family(), &parameters, NODES)?);
    }
    let n = differences.len() as f64;
    let sum: f64 = differences.iter().sum();
    let squares: f64 = differences.iter().map(|d| (d - sum / n).powi(2)).sum();
    Ok((sum, (n * squares / (n - 1.0)).sqrt()))
}

/// How far from a law those are that are learned from data of its own.
fn refits(setting: Setting, model: &NeuralGlmm, law: &[f64], noise: &Noise) -> Result<Vec<Distance>> {
    (0..N_REFITS)
        .map(|refit| {
            let mut noise = noise.fork("refit").at(refit, 0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
            let pick =
                |noise: &mut Noise| law[(f64::from(noise.uniform(0.0, 1.0)) * law.len() as f64) as usize % law.len()];
            let data = setting.groups(N_GROUPS, [model.fixed[0], model.fixed[1]], &mut noise, pick)?;
            let seed = u64::try_from(1000 + refit)?;
            Distance::between(&learn(setting, &data, seed)?.law.effect(0).to_vec(), law)
        })
        .collect()
}
