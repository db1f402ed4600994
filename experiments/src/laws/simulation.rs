//! Groups with known random effects.

use aais_distributions::Noise;
use aais_glmm::{BinomialLink, Categorical, Data, Design, DesignOptions, Family, Formula};
use anyhow::Result;
use rand_distr::{Distribution, Exp1, Poisson, StandardNormal};
use serde::{Deserialize, Serialize};

/// Fixed effects of every simulation.
pub const TRUTH: [f64; 2] = [0.3, 0.5];

/// Distribution of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// Yes or no with log odds `η`, twelve a group.
    Logistic,
    /// Counts of rate `exp(η)`, eight a group.
    Poisson,
}

/// Law of the random intercept, with mean zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrueLaw {
    /// `N(0, σ²)`.
    Normal,
    /// `σ` times the sum of two exponentials, less its mean, over `√2`.
    Skewed,
    /// One of two values, the lower with probability 0.7.
    TwoPoint,
}

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Distribution of the rows.
    pub rows: Rows,
    /// Law of the random intercept.
    pub law: TrueLaw,
}

impl Setting {
    /// All six.
    pub const ALL: [Self; 6] = {
        use Rows::{Logistic, Poisson};
        use TrueLaw::{Normal, Skewed, TwoPoint};
        [
            Self { rows: Logistic, law: Normal },
            Self { rows: Logistic, law: Skewed },
            Self { rows: Logistic, law: TwoPoint },
            Self { rows: Poisson, law: Normal },
            Self { rows: Poisson, law: Skewed },
            Self { rows: Poisson, law: TwoPoint },
        ]
    };

    /// `logistic-two-point` and the like.
    pub fn name(self) -> String {
        let rows = match self.rows {
            Rows::Logistic => "logistic",
            Rows::Poisson => "poisson",
        };
        let law = match self.law {
            TrueLaw::Normal => "normal",
            TrueLaw::Skewed => "skewed",
            TrueLaw::TwoPoint => "two-point",
        };
        format!("{rows}-{law}")
    }

    /// Of the rows.
    pub fn family(self) -> Family {
        match self.rows {
            Rows::Logistic => Family::Binomial(BinomialLink::Logit),
            Rows::Poisson => Family::Poisson,
        }
    }

    /// Standard deviation of the random intercept.
    pub fn std(self) -> f64 {
        match self.rows {
            Rows::Logistic => 1.2,
            Rows::Poisson => 0.7,
        }
    }

    fn n_rows(self) -> usize {
        match self.rows {
            Rows::Logistic => 12,
            Rows::Poisson => 8,
        }
    }

    /// A draw of the random intercept.
    pub fn effect(self, noise: &mut Noise) -> f64 {
        let standardized = match self.law {
            TrueLaw::Normal => StandardNormal.sample(noise),
            TrueLaw::Skewed => {
                let sum: f64 = (0..2).map(|_| -> f64 { Exp1.sample(noise) }).sum();
                (sum - 2.0) / 2f64.sqrt()
            }
            // Values −√(3/7) and √(7/3) have mean zero and variance one.
            TrueLaw::TwoPoint => {
                let is_low = f64::from(noise.uniform(0.0, 1.0)) < 0.7;
                if is_low { -(3f64 / 7.0).sqrt() } else { (7f64 / 3.0).sqrt() }
            }
        };
        self.std() * standardized
    }

    /// Groups whose intercepts come from `effect`, with these fixed effects.
    ///
    /// # Errors
    /// If the design cannot be made, which needs two groups.
    pub fn groups(
        self,
        n_groups: usize,
        fixed: [f64; 2],
        noise: &mut Noise,
        mut effect: impl FnMut(&mut Noise) -> f64,
    ) -> Result<Design> {
        let (mut id, mut x, mut y) = (Vec::new(), Vec::new(), Vec::new());
        for group in 0..n_groups {
            let intercept = effect(noise);
            for _ in 0..self.n_rows() {
                let covariate: f64 = StandardNormal.sample(noise);
                let eta = fixed[0] + fixed[1] * covariate + intercept;
                id.push(format!("{group:04}"));
                x.push(covariate);
                y.push(match self.rows {
                    Rows::Logistic => {
                        let is_yes = f64::from(noise.uniform(0.0, 1.0)) < 1.0 / (1.0 + (-eta).exp());
                        f64::from(u8::from(is_yes))
                    }
                    Rows::Poisson => Poisson::new(eta.exp())?.sample(noise),
                });
            }
        }
        let data = Data::new().with("id", Categorical::from_values(&id))?.with("x", x)?.with("y", y)?;
        Ok(Formula::parse("y ~ x + (1 | id)")?.design(&data, &DesignOptions::default())?.design)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn effects_have_mean_zero_and_their_standard_deviation() {
        for setting in Setting::ALL {
            let mut noise = Noise::new(1).fork(&setting.name());
            let effects: Vec<f64> = (0..20_000).map(|_| setting.effect(&mut noise)).collect();
            let mean = effects.iter().sum::<f64>() / 20_000.0;
            let std = (effects.iter().map(|b| b * b).sum::<f64>() / 20_000.0).sqrt();
            // Four standard errors of the mean; kurtosis five at most.
            assert!(mean.abs() < 4.0 * setting.std() / 20_000f64.sqrt(), "{} {mean}", setting.name());
            assert!((std / setting.std() - 1.0).abs() < 0.04, "{} {std}", setting.name());
        }
    }
}
