//! A design with one grouping factor, group after group.

use aais_glmm::{Design, Family, RandomTerm, Response};
use ndarray::{Array2, Axis, concatenate};
use statrs::function::gamma::ln_gamma;

use crate::error::{Error, Result};

/// The rows of a design sorted by group, equal ones joined where the family lets them be.
#[derive(Clone, Debug)]
pub(crate) struct GroupedDesign {
    pub levels: Vec<String>,
    /// Rows of each group, `(G,)`.
    pub sizes: Vec<usize>,
    /// `X`, `(R, p)`.
    pub fixed: Array2<f64>,
    /// `W`, `(R, q)`, all terms side by side.
    pub random: Array2<f64>,
    pub effect_names: Vec<String>,
    pub offset: Vec<f64>,
    pub response: Vec<f64>,
    pub weights: Vec<f64>,
    /// What the log-likelihood of each group leaves out, `(G,)`.
    pub constants: Vec<f64>,
    /// Column of `X` that is the same as each column of `W`, which then takes its effect's mean.
    pub twins: Vec<Option<usize>>,
}

impl GroupedDesign {
    /// From a design whose random terms all have one grouping factor.
    pub fn new(design: &Design, family: Family) -> Result<Self> {
        let first = single_factor(design)?;
        let effects: Vec<_> = design.random.iter().map(|term| term.effects.view()).collect();
        let random = concatenate(Axis(1), &effects).expect("terms have the rows of the design");
        let effect_names = design.random.iter().flat_map(|term| term.effect_names.clone()).collect();
        let twins = random.columns().into_iter().map(|w| design.fixed.columns().into_iter().position(|x| x == w));
        let twins = twins.collect();

        let mut grouped = Self {
            levels: first.levels.clone(),
            sizes: vec![0; first.levels.len()],
            constants: vec![0.0; first.levels.len()],
            fixed: design.fixed.clone(),
            random,
            effect_names,
            offset: design.offset.clone(),
            response: design.response.values.clone(),
            weights: design.response.weights.clone(),
            twins,
        };
        let mut order: Vec<usize> = (0..first.codes.len()).filter(|&row| grouped.weights[row] > 0.0).collect();
        order.sort_by_key(|&row| first.codes[row]);
        for &row in &order {
            grouped.sizes[first.codes[row]] += 1;
            grouped.constants[first.codes[row]] += constant(family, grouped.response[row], grouped.weights[row]);
        }
        grouped.take(&order);
        grouped.join(family);
        Ok(grouped)
    }

    /// Keeps these rows, in this order.
    fn take(&mut self, order: &[usize]) {
        self.fixed = self.fixed.select(Axis(0), order);
        self.random = self.random.select(Axis(0), order);
        for column in [&mut self.offset, &mut self.response, &mut self.weights] {
            *column = order.iter().map(|&row| column[row]).collect();
        }
    }

    /// Makes rows of a group with the same covariates one row of their total weight and mean response.
    ///
    /// Exact where a weight multiplies a log-likelihood that is linear in the response.
    fn join(&mut self, family: Family) {
        if !matches!(family, Family::Binomial(_) | Family::Poisson) {
            return;
        }
        let mut kept: Vec<usize> = Vec::new();
        let mut start = 0;
        for size in &mut self.sizes {
            let own = kept.len();
            for row in start..start + *size {
                let same = |&other: &usize| {
                    self.fixed.row(other) == self.fixed.row(row)
                        && self.random.row(other) == self.random.row(row)
                        && self.offset[other] == self.offset[row]
                };
                match kept[own..].iter().copied().find(same) {
                    None => kept.push(row),
                    Some(other) => {
                        let total = self.weights[other] + self.weights[row];
                        let sum = self.weights[other] * self.response[other] + self.weights[row] * self.response[row];
                        (self.weights[other], self.response[other]) = (total, sum / total);
                    }
                }
            }
            start += *size;
            *size = kept.len() - own;
        }
        self.take(&kept);
    }

    pub fn n_effects(&self) -> usize {
        self.random.ncols()
    }

    /// The rows of each group.
    pub fn spans(&self) -> Vec<std::ops::Range<usize>> {
        let mut start = 0;
        let span = |size: &usize| {
            start += size;
            start - size..start
        };
        self.sizes.iter().map(span).collect()
    }
}

/// The first random term, whose groups are those of all others.
fn single_factor(design: &Design) -> Result<&RandomTerm> {
    let mut found: Vec<String> = design.random.iter().map(|term| term.group.clone()).collect();
    found.dedup();
    match design.random.first() {
        Some(first) if found.len() == 1 => Ok(first),
        _ => Err(Error::GroupingFactors { found }),
    }
}

/// What a row's log-likelihood leaves out; see [`GroupedFamily`](aais_models::GroupedFamily).
fn constant(family: Family, response: f64, weight: f64) -> f64 {
    match family {
        Family::Gaussian => 0.5 * (weight / (2.0 * std::f64::consts::PI)).ln(),
        Family::Binomial(_) => {
            let (trials, successes) = (weight, weight * response);
            ln_gamma(trials + 1.0) - ln_gamma(successes + 1.0) - ln_gamma(trials - successes + 1.0)
        }
        Family::Poisson | Family::NegativeBinomial => -weight * ln_gamma(response + 1.0),
        Family::Gamma => -response.ln(),
    }
}

/// The rows of some groups, whose numbers rise, as a design of its own.
pub(crate) fn of_groups(design: &Design, groups: &[usize]) -> Result<Design> {
    let first = single_factor(design)?;
    let rows: Vec<usize> =
        (0..first.codes.len()).filter(|&row| groups.binary_search(&first.codes[row]).is_ok()).collect();
    let pick = |values: &[f64]| rows.iter().map(|&row| values[row]).collect::<Vec<f64>>();
    let term = |term: &RandomTerm| RandomTerm {
        group: term.group.clone(),
        levels: groups.iter().map(|&group| term.levels[group].clone()).collect(),
        codes: rows.iter().filter_map(|&row| groups.binary_search(&term.codes[row]).ok()).collect(),
        effects: term.effects.select(Axis(0), &rows),
        effect_names: term.effect_names.clone(),
    };
    Ok(Design {
        response: Response {
            name: design.response.name.clone(),
            values: pick(&design.response.values),
            weights: pick(&design.response.weights),
        },
        fixed: design.fixed.select(Axis(0), &rows),
        fixed_names: design.fixed_names.clone(),
        offset: pick(&design.offset),
        random: design.random.iter().map(term).collect(),
    })
}
