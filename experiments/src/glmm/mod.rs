//! `glmm`: a mixed model of anybody's table.

pub(crate) mod learned;
mod output;

use std::path::PathBuf;
use std::time::Instant;

use aais_datasets::{ColumnValues, Table, TableOptions, read_table};
use aais_glmm::{
    Approximation, BinomialLink, Categorical, Criterion, Data, DesignOptions, Error, Family, Formula, Missing,
    Prepared, Settings, check_counts, check_shares, check_varies, fit, profile,
};
use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Args, ValueEnum};

use crate::report::write_atomically;

use learned::LearnedArgs;
use output::Told;

/// What is fitted to what.
#[derive(Args, Clone, Debug)]
pub struct Glmm {
    /// As in R and lme4: "y ~ x + (1 + x | g)"
    pub formula: String,
    /// Table with one line of names: CSV, TSV or `;`, gzipped or not
    pub data: PathBuf,
    /// Distribution of the response
    #[arg(long, value_enum, default_value_t = FamilyName::Gaussian)]
    pub family: FamilyName,
    /// Link of a binomial response [default: logit]
    #[arg(long, value_enum)]
    pub link: Option<LinkName>,
    /// 1 for Laplace; 0 for Laplace with the fixed effects profiled out; more for that many nodes of quadrature [default: 1]
    #[arg(long, value_name = "N")]
    pub nagq: Option<usize>,
    /// Restricted maximum likelihood of a gaussian model, instead of maximum likelihood
    #[arg(long)]
    pub reml: bool,
    /// Column of prior weights; for a binomial share of successes, the trials
    #[arg(long, value_name = "COLUMN")]
    pub weights: Option<String>,
    /// Column of known parts of the linear predictor
    #[arg(long, value_name = "COLUMN")]
    pub offset: Option<String>,
    /// Columns of numbers that are levels
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub categorical: Vec<String>,
    /// Reference levels, such as `mode=do` [default: the first in order]
    #[arg(long, value_name = "COLUMN=LEVEL", value_delimiter = ',')]
    pub reference: Vec<String>,
    /// Leave out rows with missing values, and say how many
    #[arg(long)]
    pub drop_missing: bool,
    /// Profile likelihood intervals of all parameters at this level, such as 0.95
    #[arg(long, value_name = "LEVEL")]
    pub intervals: Option<f64>,
    /// Write the fit to this file too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Law of the random effects; a learned one is told after the normal one, from which it starts
    #[arg(long, value_enum, default_value_t = LawName::Gaussian)]
    pub random_effects: LawName,
    /// Of a learned law
    #[command(flatten)]
    pub learned: LearnedArgs,
}

/// A law of random effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LawName {
    /// Normal
    Gaussian,
    /// Whatever the groups say, by importance sampling; one grouping factor
    Learned,
}

/// A family by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FamilyName {
    /// Normal, identity link
    Gaussian,
    /// Successes among trials
    Binomial,
    /// Counts, log link
    Poisson,
    /// Counts with estimated dispersion, log link
    NegativeBinomial,
    /// Positive values, log link
    Gamma,
}

/// A link of binomial data by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinkName {
    /// Log odds
    Logit,
    /// Normal quantile
    Probit,
    /// Complementary log-log
    Cloglog,
}

impl Glmm {
    /// Fits, prints, and writes the JSON file if one is asked for.
    ///
    /// # Errors
    /// If the table, the formula or an option is wrong, or the model cannot be fitted; nothing is written then.
    pub fn run(&self) -> Result<()> {
        let formula: Formula = self.formula.parse()?;
        let (family, settings) = (self.family()?, self.settings()?);
        self.check_law()?;
        let prepared = self.prepare(&formula)?;

        match family {
            Family::Binomial(_) => check_shares(&prepared.design)?,
            Family::Poisson | Family::NegativeBinomial => check_counts(&prepared.design)?,
            Family::Gaussian | Family::Gamma => check_varies(&prepared.design)?,
        }

        let started = Instant::now();
        let fit = fit(&prepared.design, family, &settings)?;
        let intervals = self.intervals.map(|level| profile(&prepared.design, &fit, level)).transpose()?;
        let seconds = started.elapsed().as_secs_f64();

        let learned = match self.random_effects {
            LawName::Gaussian => None,
            LawName::Learned => Some(self.learned.learn(&prepared.design, family)?),
        };
        let (formula, left_out) = (&self.formula, left_out(&prepared));
        let told =
            Told { formula, fit: &fit, intervals: intervals.as_ref(), learned: learned.as_ref(), left_out, seconds };
        print!("{}", told.text());
        if let (Some(learned), Some(folder)) = (&learned, &self.learned.figures) {
            learned.draw(folder)?;
        }
        if let Some(path) = &self.json {
            write_atomically(path, told.json()?.as_bytes())?;
        }
        Ok(())
    }

    fn check_law(&self) -> Result<()> {
        if self.random_effects == LawName::Gaussian {
            return self.learned.refuse();
        }
        ensure!(!self.reml, "--reml has no learned law; it is for the normal one");
        Ok(())
    }

    fn family(&self) -> Result<Family> {
        let link = match self.link {
            None | Some(LinkName::Logit) => BinomialLink::Logit,
            Some(LinkName::Probit) => BinomialLink::Probit,
            Some(LinkName::Cloglog) => BinomialLink::Cloglog,
        };
        let is_binomial = self.family == FamilyName::Binomial;
        ensure!(self.link.is_none() || is_binomial, "--link is for --family binomial; every other family has one link");
        Ok(match self.family {
            FamilyName::Gaussian => Family::Gaussian,
            FamilyName::Binomial => Family::Binomial(link),
            FamilyName::Poisson => Family::Poisson,
            FamilyName::NegativeBinomial => Family::NegativeBinomial,
            FamilyName::Gamma => Family::Gamma,
        })
    }

    fn settings(&self) -> Result<Settings> {
        let is_gaussian = self.family == FamilyName::Gaussian;
        ensure!(is_gaussian || !self.reml, "--reml is for --family gaussian; others have no restricted likelihood");
        ensure!(!is_gaussian || self.nagq.is_none(), "--nagq is for other families; a gaussian likelihood is exact");
        let criterion = if self.reml { Criterion::Reml } else { Criterion::MaximumLikelihood };
        let approximation = match self.nagq {
            Some(0) => Approximation::ProfiledLaplace,
            None | Some(1) => Approximation::Laplace,
            Some(n_nodes) => Approximation::Quadrature { n_nodes },
        };
        Ok(Settings { criterion, approximation, ..Settings::default() })
    }

    fn prepare(&self, formula: &Formula) -> Result<Prepared> {
        let table = read_table(&self.data, &TableOptions::default())?;
        let mut data = columns(table).with_context(|| format!("columns of {}", self.data.display()))?;
        for column in &self.categorical {
            data = data.categorical(column).context("--categorical")?;
        }
        for reference in &self.reference {
            let Some((column, level)) = reference.split_once('=') else {
                bail!("--reference takes COLUMN=LEVEL, such as mode=do; got `{reference}`");
            };
            data = data.relevel(column, level).context("--reference")?;
        }
        let missing = if self.drop_missing { Missing::Drop } else { Missing::Refuse };
        let options = DesignOptions { missing, weights: self.weights.clone(), offset: self.offset.clone() };
        formula.design(&data, &options).map_err(|error| {
            let option = match error {
                Error::Missing { .. } => " (here `--drop-missing`)",
                Error::NotCategorical { .. } => " (here `--categorical COLUMN`)",
                _ => "",
            };
            anyhow!("{}: {error}{option}", self.data.display())
        })
    }
}

/// Which rows are not in the fit, and why; none if all are.
fn left_out(prepared: &Prepared) -> Option<String> {
    let n = prepared.dropped_rows.len();
    let of = n + prepared.design.fixed.nrows();
    let columns: Vec<String> = prepared.missing.iter().map(|(column, n)| format!("{n} in `{column}`")).collect();
    (n > 0).then(|| format!("{n} of {of} rows are left out: missing values, {}", columns.join(", ")))
}

/// The columns of a table as the engine takes them.
///
/// # Errors
/// If two have one name, or lengths differ.
pub(crate) fn columns(table: Table) -> Result<Data> {
    let mut data = Data::new();
    for column in table.columns {
        data = match column.values {
            ColumnValues::Numbers(values) => data.with(&column.name, values)?,
            ColumnValues::Text(text) => data.with(&column.name, Categorical::from_codes(&text.levels, text.codes)?)?,
        };
    }
    Ok(data)
}
