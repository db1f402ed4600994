//! Responses drawn from a fitted model.

use ndarray::Array1;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, Gamma, Poisson, StandardNormal};

use crate::check::check;
use crate::{Design, Dispersion, Error, Family, Fit, Result, relative_factor};

/// Where the random effects of simulated responses come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Levels {
    /// New draws from their distribution, one for each level: what a parametric bootstrap needs.
    #[default]
    Redrawn,
    /// The conditional modes of the fit.
    Fitted,
}

impl Fit {
    /// One response for each row of the design that was fitted, `(N,)`; shares of successes for binomial data.
    ///
    /// The same seed gives the same draws.
    ///
    /// # Errors
    /// A design with other columns or levels than the fit's, or a mean too large for its distribution.
    pub fn simulate(&self, design: &Design, levels: Levels, seed: u64) -> Result<Vec<f64>> {
        self.simulate_from(design, levels, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn simulate_from(&self, design: &Design, levels: Levels, noise: &mut ChaCha8Rng) -> Result<Vec<f64>> {
        check(design)?;
        let predictor = match levels {
            Levels::Fitted => self.predict_linear(design, crate::NewLevels::Refuse)?,
            Levels::Redrawn => self.redraw(design, noise)?,
        };
        let weights = &design.response.weights;
        predictor.iter().zip(weights).map(|(eta, weight)| self.draw(*eta, *weight, noise)).collect()
    }

    /// `o + Xβ + ZΛσε` with standard normal `ε`.
    fn redraw(&self, design: &Design, noise: &mut ChaCha8Rng) -> Result<Vec<f64>> {
        let mut predictor = self.predict_population_linear(design)?;
        let mut theta = self.theta.as_slice();
        for term in &design.random {
            let size = term.effects.ncols();
            let n_theta = size * (size + 1) / 2;
            let own = theta.get(..n_theta).ok_or(Error::Size {
                part: "theta".into(),
                expected: n_theta,
                found: theta.len(),
            })?;
            theta = &theta[n_theta..];
            let factor = relative_factor(own, size)? * self.dispersion.scale();
            let effects: Vec<Array1<f64>> = term
                .levels
                .iter()
                .map(|_| factor.dot(&Array1::from_iter((0..size).map(|_| StandardNormal.sample(noise)))))
                .collect();
            for (row, value) in predictor.iter_mut().enumerate() {
                *value += term.effects.row(row).dot(&effects[term.codes[row]]);
            }
        }
        Ok(predictor)
    }

    fn draw(&self, eta: f64, weight: f64, noise: &mut ChaCha8Rng) -> Result<f64> {
        let mean = self.family.mean(eta);
        let poisson = |mean: f64, noise: &mut ChaCha8Rng| match mean {
            // The distribution itself has no zero mean.
            0.0 => Ok(0.0),
            _ => Poisson::new(mean).map(|counts| counts.sample(noise)).map_err(|_| out_of_range(mean)),
        };
        match (self.family, self.dispersion) {
            (Family::Gaussian, dispersion) => {
                let draw: f64 = StandardNormal.sample(noise);
                Ok(mean + dispersion.scale() / weight.sqrt() * draw)
            }
            (Family::Binomial(_), _) if weight == 0.0 => Ok(0.0),
            (Family::Binomial(_), _) => {
                // Trials are whole: fitting has checked.
                let counts = Binomial::new(weight.round() as u64, mean).map_err(|_| out_of_range(mean))?;
                Ok(counts.sample(noise) as f64 / weight.round())
            }
            (Family::NegativeBinomial, Dispersion::Size(size)) => {
                let gamma = Gamma::new(size, mean / size).map_err(|_| out_of_range(mean))?;
                let mixed = gamma.sample(noise);
                poisson(mixed, noise)
            }
            (Family::Gamma, Dispersion::Shape(shape)) => {
                let shape = shape * weight;
                let gamma = Gamma::new(shape, mean / shape).map_err(|_| out_of_range(mean))?;
                Ok(gamma.sample(noise))
            }
            _ => poisson(mean, noise),
        }
    }
}

fn out_of_range(mean: f64) -> Error {
    Error::Setting { name: "the mean of a simulated response", value: mean, expected: "a mean its family can have" }
}
