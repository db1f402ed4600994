//! Seconds a mixed model takes to fit, and the memory.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use aais_distributions::Noise;
use aais_glmm::{BinomialLink, Data, DesignOptions, Family, Formula, Settings, fit};
use anyhow::{Context, Result, ensure};
use rand::Rng;
use rand_distr::StandardNormal;
use serde::Serialize;

use super::peak_megabytes;
use crate::task::Answers;

/// One measured fit.
#[derive(Debug, Serialize)]
pub struct FitTime {
    /// What is fitted to what.
    pub model: String,
    /// Rows of the data.
    pub rows: usize,
    /// The fastest of some fits, wall time.
    pub seconds: f64,
    /// Times the deviance was computed.
    pub evaluations: usize,
    /// Of the fit.
    pub log_likelihood: f64,
    /// The most memory that this process has had so far, where the system tells it.
    pub peak_megabytes: Option<f64>,
    /// lme4's fastest fit in the same run.
    pub peer_seconds: Option<f64>,
    /// lme4's log-likelihood.
    pub peer_log_likelihood: Option<f64>,
}

/// The peer's program.
const PEER: &str = include_str!("../../peers/glmm.R");

/// Fits of each model.
const REPETITIONS: usize = 10;

/// Models of VerbAgg, all with these fixed effects.
const FIXED: &str = "r2 ~ situ + btype + mode";
const RANDOM: [&str; 3] = ["(1 | id)", "(1 | id) + (1 | item)", "(1 + mode | id)"];

/// Rows and levels of the crossed model.
const CROSSED: (usize, [usize; 2]) = (100_000, [5000, 200]);

/// Times four binomial models by Laplace, with lme4 beside them where `Rscript` is named.
///
/// # Errors
/// If a model cannot be fitted, or the peer fails.
pub fn glmm(rscript: Option<&Path>) -> Result<Vec<FitTime>> {
    let answers = Answers::new()?;
    let mut times = Vec::new();
    for random in RANDOM {
        times.push(time(&format!("{FIXED} + {random}"), &answers.data()?, REPETITIONS, rscript)?);
    }
    times.push(time("y ~ x + (1 | subject) + (1 | item)", &crossed()?, 3, rscript)?);
    Ok(times)
}

fn time(model: &str, data: &Data, repetitions: usize, rscript: Option<&Path>) -> Result<FitTime> {
    let design = model.parse::<Formula>()?.design(data, &DesignOptions::default())?.design;
    let family = Family::Binomial(BinomialLink::Logit);
    let mut found = FitTime {
        model: model.to_owned(),
        rows: data.n_rows(),
        seconds: f64::INFINITY,
        evaluations: 0,
        log_likelihood: f64::NAN,
        peak_megabytes: None,
        peer_seconds: None,
        peer_log_likelihood: None,
    };
    for _ in 0..repetitions {
        let started = Instant::now();
        let fit = fit(&design, family, &Settings::default())?;
        found.seconds = found.seconds.min(started.elapsed().as_secs_f64());
        (found.evaluations, found.log_likelihood) = (fit.n_evaluations, fit.log_likelihood);
    }
    found.peak_megabytes = peak_megabytes();
    if let Some(rscript) = rscript {
        let peer = peer(rscript, model, data)?;
        found.peer_seconds = peer["seconds"].as_f64();
        found.peer_log_likelihood = peer["log_likelihood"].as_f64();
    }
    Ok(found)
}

/// Bernoulli rows of two crossed factors with normal effects.
fn crossed() -> Result<Data> {
    let (n_rows, levels) = CROSSED;
    let mut noise = Noise::new(1).fork("crossed");
    let mut normals = |n: usize| -> Vec<f64> { (0..n).map(|_| noise.sample(StandardNormal)).collect() };
    let effects = levels.map(&mut normals);
    let x = normals(n_rows);
    let mut noise = Noise::new(1).fork("levels");
    let (mut y, mut codes) = (Vec::new(), [Vec::new(), Vec::new()]);
    for x in &x {
        let drawn = levels.map(|n| noise.random_range(0..n));
        let logit = -0.3 + 0.5 * x + 0.8 * (effects[0][drawn[0]] + effects[1][drawn[1]]);
        y.push(f64::from(u8::from(noise.random::<f64>() < 1.0 / (1.0 + (-logit).exp()))));
        for (codes, level) in codes.iter_mut().zip(drawn) {
            codes.push(f64::from(u32::try_from(level)?));
        }
    }
    let [subject, item] = codes;
    Ok(Data::new().with("y", y)?.with("x", x)?.with("subject", subject)?.with("item", item)?)
}

/// The same model of the same data in lme4.
fn peer(rscript: &Path, model: &str, data: &Data) -> Result<serde_json::Value> {
    let path = std::env::temp_dir().join(format!("aais-bench-{}.csv", std::process::id()));
    std::fs::write(&path, csv(data)?).with_context(|| format!("writing {}", path.display()))?;
    let output = Command::new(rscript).args(["-e", PEER]).arg(&path).arg(model).output();
    let _ = std::fs::remove_file(&path);
    let output = output.with_context(|| format!("starting {}", rscript.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed; `--peer` needs R with lme4: {said}", rscript.display());
    serde_json::from_slice(&output.stdout).context("what the peer printed")
}

/// Text of the columns; levels by name.
fn csv(data: &Data) -> Result<String> {
    let names: Vec<String> = data.names().map(ToString::to_string).collect();
    let mut text = names.join(",") + "\n";
    let columns = names.iter().map(|name| data.column(name)).collect::<Result<Vec<_>, _>>()?;
    for row in 0..data.n_rows() {
        for (k, column) in columns.iter().enumerate() {
            let comma = if k == 0 { "" } else { "," };
            match column {
                aais_glmm::Column::Numeric(values) => write!(text, "{comma}{}", values[row])?,
                aais_glmm::Column::Categorical(levels) => {
                    let level = levels.codes()[row].map_or("NA", |code| levels.levels()[code].as_str());
                    write!(text, "{comma}\"{level}\"")?;
                }
            }
        }
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn data_for_the_peer_are_those_of_the_fit() {
        let data = Data::new().with("y", [1.0, 0.5]).unwrap().with("g", ["b", "a"]).unwrap();
        assert_eq!(csv(&data).unwrap(), "y,g\n1,\"b\"\n0.5,\"a\"\n");
    }
}
