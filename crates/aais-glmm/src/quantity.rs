//! The numbers of a fit that intervals are for, in the order and under the names of lme4.

use crate::{Dispersion, Fit};

/// A number of a fitted model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// The standard deviation of one effect of a random term.
    Std {
        /// The term, from zero.
        term: usize,
        /// The effect, from zero.
        effect: usize,
    },
    /// The correlation of two effects of a random term.
    Correlation {
        /// The term, from zero.
        term: usize,
        /// The later effect.
        effect: usize,
        /// The earlier one.
        other: usize,
    },
    /// The residual standard deviation, size or shape.
    Dispersion,
    /// A fixed effect.
    Fixed {
        /// Its column, from zero.
        index: usize,
    },
}

impl Fit {
    /// Everything that [`Self::estimate`] knows: standard deviations and correlations term by term, column by column
    /// of the lower triangle, then the dispersion, then the fixed effects.
    pub fn quantities(&self) -> Vec<Quantity> {
        let mut quantities = Vec::new();
        for (term, effects) in self.random.iter().enumerate() {
            let size = effects.effect_names.len();
            for other in 0..size {
                quantities.push(Quantity::Std { term, effect: other });
                quantities.extend((other + 1..size).map(|effect| Quantity::Correlation { term, effect, other }));
            }
        }
        if !matches!(self.dispersion, Dispersion::One) {
            quantities.push(Quantity::Dispersion);
        }
        quantities.extend((0..self.fixed.len()).map(|index| Quantity::Fixed { index }));
        quantities
    }

    /// The estimate; none if the model has no such quantity, not a number for the correlation of an effect that does
    /// not vary.
    pub fn estimate(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::Std { term, effect } => self.random.get(term)?.std().get(effect).copied(),
            Quantity::Correlation { term, effect, other } => {
                (other < effect).then_some(())?;
                self.random.get(term)?.correlation().get((effect, other)).copied()
            }
            Quantity::Dispersion => match self.dispersion {
                Dispersion::One => None,
                Dispersion::ResidualStd(value) | Dispersion::Size(value) | Dispersion::Shape(value) => Some(value),
            },
            Quantity::Fixed { index } => self.fixed.get(index).copied(),
        }
    }

    /// The name as lme4 writes it, such as `sd_(Intercept)|id`, `cor_Days.(Intercept)|Subject`, `sigma` or `situself`;
    /// none if the model has no such quantity.
    pub fn quantity_name(&self, quantity: Quantity) -> Option<String> {
        self.estimate(quantity)?;
        Some(match quantity {
            Quantity::Std { term, effect } => {
                let term = &self.random[term];
                format!("sd_{}|{}", term.effect_names[effect], term.group)
            }
            Quantity::Correlation { term, effect, other } => {
                let term = &self.random[term];
                format!("cor_{}.{}|{}", term.effect_names[effect], term.effect_names[other], term.group)
            }
            Quantity::Dispersion => match self.dispersion {
                Dispersion::Size(_) => "size".into(),
                Dispersion::Shape(_) => "shape".into(),
                Dispersion::One | Dispersion::ResidualStd(_) => "sigma".into(),
            },
            Quantity::Fixed { index } => self.fixed_names[index].clone(),
        })
    }
}
