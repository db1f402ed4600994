//! The shapes of the paper's models. Paper, Table 8.

use aais_kernels::{Activation, MlpSpec};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::set_encoder::SetEncoder;

/// Widths of an encoder and a decoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Width of an observation.
    pub observed: usize,
    /// Width of the signal, the decoder's output.
    pub signal: usize,
    /// Latent dimension `d`.
    pub latent: usize,
    /// Widths of the decoder's blocks; the encoder has them in reverse.
    pub hidden: Vec<usize>,
    /// Skip connections in the encoder.
    pub skip_encoder: bool,
    /// Skip connections in the decoder.
    pub skip_decoder: bool,
    /// Blocks of softplus without normalization, instead of normalization and a shared PReLU.
    #[serde(default)]
    pub softplus: bool,
    /// Trained parameters of the likelihood: fixed effects or dispersions.
    pub likelihood_parameters: usize,
    /// For data in groups, how the encoder takes a group's rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetEncoder>,
}

impl Architecture {
    /// The seven models of Table 8 by name, in its order.
    pub const TABLE_8: [&str; 7] = ["circle", "exp", "mix", "copula", "mnist", "cortex", "verbagg"];

    /// A model of the paper: one of Table 8, or one of those that its ALMOND has instead.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn paper(name: &str) -> Result<Self> {
        let of =
            |[observed, signal, latent]: [usize; 3], hidden: &[usize], [encoder, decoder]: [bool; 2], extra| Self {
                observed,
                signal,
                latent,
                hidden: hidden.to_vec(),
                skip_encoder: encoder,
                skip_decoder: decoder,
                softplus: false,
                likelihood_parameters: extra,
                set: None,
            };
        let almond = |[observed, signal, latent]: [usize; 3], hidden: &[usize], extra| Self {
            softplus: true,
            ..of([observed, signal, latent], hidden, [false, false], extra)
        };
        Ok(match name {
            "circle" => of([2, 2, 2], &[20; 3], [false, false], 0),
            "exp" => of([1, 1, 1], &[20; 3], [false, false], 0),
            "mix" => of([1, 1, 1], &[20; 3], [true, true], 0),
            "copula" => of([11, 5, 5], &[50], [false, true], 5),
            "mnist" => of([784, 784, 10], &[256, 512], [false, false], 0),
            "cortex" => of([1200, 1200, 10], &[128, 256], [false, false], 1200),
            "verbagg" => of([6, 5, 5], &[50; 3], [true, true], 0),
            "exp-almond" => almond([1, 1, 1], &[10], 0),
            "mix-almond" => almond([1, 1, 1], &[50, 100, 50], 0),
            "copula-almond" => almond([11, 5, 5], &[128, 256], 5),
            _ => {
                return Err(Error::Setting {
                    name: "architecture",
                    wanted: "one of circle, exp, mix, copula, mnist, cortex, verbagg, exp-almond, mix-almond, copula-almond",
                    found: name.to_owned(),
                });
            }
        })
    }

    /// Observation, or what is pooled of a group's, to mean and log variance.
    pub fn encoder(&self) -> MlpSpec {
        let hidden = self.hidden.iter().rev().copied().collect();
        MlpSpec {
            n_in: self.set.as_ref().map_or(self.observed, |set| set.pooled + 1),
            hidden,
            n_out: self.latent,
            n_heads: 2,
            skip: self.skip_encoder,
            activation: self.activation(),
        }
    }

    /// A row of a group to what is pooled, for an encoder of sets.
    pub fn row_encoder(&self) -> Option<MlpSpec> {
        self.set.as_ref().map(|set| MlpSpec {
            n_in: set.features,
            hidden: set.hidden.clone(),
            n_out: set.pooled,
            n_heads: 1,
            skip: self.skip_encoder,
            activation: self.activation(),
        })
    }

    /// The encoder's networks in the order of its parameters.
    pub(crate) fn encoders(&self) -> impl Iterator<Item = MlpSpec> {
        self.row_encoder().into_iter().chain([self.encoder()])
    }

    /// Latent point to signal.
    pub fn decoder(&self) -> MlpSpec {
        let hidden = self.hidden.clone();
        MlpSpec {
            n_in: self.latent,
            hidden,
            n_out: self.signal,
            n_heads: 1,
            skip: self.skip_decoder,
            activation: self.activation(),
        }
    }

    fn activation(&self) -> Activation {
        if self.softplus { Activation::Softplus } else { Activation::NormPrelu }
    }

    /// Everything trained: both networks, the shared slope if blocks have one, the likelihood's own.
    pub fn n_parameters(&self) -> usize {
        let slope = usize::from(!self.softplus);
        let encoders: usize = self.encoders().map(|spec| spec.n_parameters()).sum();
        encoders + self.decoder().n_parameters() + slope + self.likelihood_parameters
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn parameter_counts_are_those_of_table_8() {
        let counts = Architecture::TABLE_8.map(|name| Architecture::paper(name).unwrap().n_parameters());
        assert_eq!(counts, [2167, 2064, 6296, 4961, 1_078_053, 688_501, 38_936]);
    }
}
