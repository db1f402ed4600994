//! One quantity along its range, with everything else where the deviance is least.

use crate::dense::{add_scaled, dot};
use crate::optimize::{Objective, Search, Stop};
use crate::{Family, Quantity, Result};

use super::end::Domain;
use super::held::{self, Held};
use super::surface::HeldSurface;
use super::{LOWER, Profiler, missing, not_at_minimum};

/// Gain in the deviance at which the search over the other parameters stops: 1e-10 in the signed root at the ends.
const DECREASE: f64 = 1e-9;

/// Solutions with signed roots beyond this, six standard errors, start no other search.
const REMEMBERED: f64 = 6.0;

/// Diagonals of `Λ` start at least here: at zero the deviance has no slope, whether it falls from there or not.
const LIFTED: f64 = 0.05;

/// One quantity along its range, on a scale of its own: dispersions by their logarithm.
pub(super) struct Track<'p, 'a> {
    pub profiler: &'p mut Profiler<'a>,
    held: Held,
    pub domain: Domain,
    pub is_log: bool,
    /// Where an effect does not vary, its correlations may have any value at no cost.
    pub is_free: bool,
    pub centre: f64,
    pub std_error: f64,
    /// How the other parameters follow the quantity near the estimate.
    tangent: Vec<f64>,
    scale: Vec<f64>,
    /// The last two solutions, latest first: a value and all parameters.
    pub known: Vec<(f64, Vec<f64>)>,
}

impl<'a> Profiler<'a> {
    pub(super) fn track<'p>(&'p mut self, quantity: Quantity) -> Result<Track<'p, 'a>> {
        let estimate = self.fit.estimate(quantity).ok_or_else(missing)?;
        let terms = &self.surface.problem.covariance.terms;
        let is_linear = self.fit.family == Family::Gaussian;
        let last = self.estimate.len().wrapping_sub(1);
        let (held, domain) = match quantity {
            Quantity::Std { term, effect } => {
                let log_std = is_linear.then_some(last);
                (Held::Length { row: held::row(&terms[term], effect), log_std }, Domain { lower: 0.0, ..Domain::ALL })
            }
            Quantity::Correlation { term, effect, other } => {
                let [row, other] = [effect, other].map(|effect| held::row(&terms[term], effect));
                (Held::Cosine { row, other }, Domain { lower: -1.0, upper: 1.0 })
            }
            Quantity::Dispersion => (Held::Coordinate { index: last }, Domain::ALL),
            Quantity::Fixed { index } if is_linear => (Held::Outside { fixed: index }, Domain::ALL),
            Quantity::Fixed { index } => (Held::Coordinate { index: self.fit.theta.len() + index }, Domain::ALL),
        };
        let is_log = quantity == Quantity::Dispersion;
        let centre = if is_log { estimate.ln() } else { estimate };

        let n = self.estimate.len();
        let slopes = held.slopes(&self.estimate);
        let along: Vec<f64> = self.inverse.chunks(n.max(1)).map(|row| dot(row, &slopes)).collect();
        let variance = dot(&along, &slopes);
        let mut scale = self.inverse.clone();
        let mut tangent = vec![0.0; n];
        if variance > 0.0 {
            // The inverse of the Hessian on the other parameters.
            for (row, along_row) in scale.chunks_mut(n).zip(&along) {
                add_scaled(row, -along_row / variance, &along);
            }
            add_scaled(&mut tangent, 1.0 / variance, &along);
        }
        let std_error = match held {
            Held::Outside { fixed } => self.fit.fixed_covariance[(fixed, fixed)].sqrt(),
            // A perfect correlation has no slope; half of its range is as good a step as any.
            _ if variance <= 0.0 => 0.5,
            _ => (2.0 * variance).sqrt(),
        };
        let known = vec![(centre, self.estimate.clone())];
        let is_free = centre.is_nan();
        Ok(Track { profiler: self, held, domain, is_log, is_free, centre, std_error, tangent, scale, known })
    }
}

impl Track<'_, '_> {
    /// `|ζ|` at a value on the track's own scale; none where no deviance can be computed.
    pub(super) fn root(&mut self, value: f64) -> Result<Option<f64>> {
        let start = self.lifted(self.held.apply(value, &self.guess(value)));
        let surface = &mut self.profiler.surface;
        surface.held = match self.held {
            Held::Outside { fixed } => Some((fixed, value)),
            _ => None,
        };
        let mut held = HeldSurface { surface, held: &self.held, value };
        let search = Search::start(&mut held, start, self.scale.clone()).map(|mut search| {
            search
                .run(&mut held, Stop { decrease: DECREASE, max_iterations: self.profiler.fit.settings.max_iterations });
            search
        });
        self.profiler.surface.held = None;
        let Some(search) = search.filter(|search| search.converged) else {
            return Ok(None);
        };
        let excess = search.value - self.profiler.minimum;
        if excess < -LOWER {
            return Err(not_at_minimum(-excess));
        }
        let root = excess.max(0.0).sqrt();
        if root < REMEMBERED {
            self.known.truncate(1);
            self.known.insert(0, (value, self.held.apply(value, &search.point)));
        }
        Ok(Some(root))
    }

    fn lifted(&self, mut vector: Vec<f64>) -> Vec<f64> {
        for (index, entry) in vector.iter_mut().enumerate() {
            if self.profiler.surface.is_even(index) && entry.abs() < LIFTED {
                *entry = LIFTED;
            }
        }
        vector
    }

    /// All parameters at a value, on the line through the last two solutions, or along the tangent at the estimate.
    fn guess(&self, value: f64) -> Vec<f64> {
        let mut guess: Vec<f64>;
        match self.known.as_slice() {
            [(last, from), (before, to)] if last != before => {
                let share = (value - last) / (before - last);
                guess = from.iter().map(|entry| (1.0 - share) * entry).collect();
                add_scaled(&mut guess, share, to);
            }
            _ => {
                guess = self.profiler.estimate.clone();
                add_scaled(&mut guess, value - self.centre, &self.tangent);
            }
        }
        guess
    }
}
