//! Predictions for new rows.

use crate::check::check;
use crate::{Design, Error, Fit, Result};

/// What to predict for a level that the fit has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewLevels {
    /// Nothing: it is an error.
    #[default]
    Refuse,
    /// The population's value: random effects of zero.
    Population,
    /// Not a number.
    Missing,
}

impl Fit {
    /// The linear predictor `o + Xβ + Zb` of new rows at the conditional modes, `(N,)`.
    ///
    /// Only the response of the design is not read. Levels are matched by name.
    ///
    /// # Errors
    /// A design with other fixed effects or random terms than the fit's, numbers that are not finite, or a new level
    /// where these are refused.
    pub fn predict_linear(&self, design: &Design, new_levels: NewLevels) -> Result<Vec<f64>> {
        let mut predictor = self.predict_population_linear(design)?;
        for (term, fitted) in design.random.iter().zip(&self.random) {
            if (&term.group, &term.effect_names) != (&fitted.group, &fitted.effect_names) {
                let reason = format!("the fit has the term of `{}`, the design that of `{}`", fitted.group, term.group);
                return Err(Error::Unavailable { asked: "a prediction", reason });
            }
            let known: Vec<Option<usize>> =
                term.levels.iter().map(|level| fitted.levels.iter().position(|other| other == level)).collect();
            for (row, value) in predictor.iter_mut().enumerate() {
                let code = term.codes[row];
                *value += match (known[code], new_levels) {
                    (Some(level), _) => term.effects.row(row).dot(&fitted.modes.row(level)),
                    (None, NewLevels::Population) => 0.0,
                    (None, NewLevels::Missing) => f64::NAN,
                    (None, NewLevels::Refuse) => {
                        let reason = format!("`{}` is a new level of `{}`", term.levels[code], term.group);
                        return Err(Error::Unavailable { asked: "a prediction", reason });
                    }
                };
            }
        }
        Ok(predictor)
    }

    /// The linear predictor `o + Xβ` of new rows, with random effects of zero, `(N,)`.
    ///
    /// # Errors
    /// Those of [`Self::predict_linear`], but for levels.
    pub fn predict_population_linear(&self, design: &Design) -> Result<Vec<f64>> {
        check(design)?;
        if design.fixed_names != self.fixed_names || design.random.len() != self.random.len() {
            let reason = format!("the fit has the fixed effects {:?}", self.fixed_names);
            return Err(Error::Unavailable { asked: "a prediction", reason });
        }
        let fixed = ndarray::aview1(&self.fixed);
        Ok(design.offset.iter().zip(design.fixed.rows()).map(|(offset, row)| offset + row.dot(&fixed)).collect())
    }

    /// The mean of new rows at the conditional modes, `g⁻¹(o + Xβ + Zb)`, `(N,)`.
    ///
    /// # Errors
    /// Those of [`Self::predict_linear`].
    pub fn predict(&self, design: &Design, new_levels: NewLevels) -> Result<Vec<f64>> {
        let predictor = self.predict_linear(design, new_levels)?;
        Ok(predictor.into_iter().map(|eta| self.family.mean(eta)).collect())
    }
}
