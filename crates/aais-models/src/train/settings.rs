//! How a model is trained.

use serde::{Deserialize, Serialize};

use crate::adam::AdamSettings;
use crate::error::{Result, require};

/// How a model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSettings {
    /// Rows of a batch; the last one of an epoch may have fewer.
    pub batch_size: usize,
    /// Adam's step length.
    pub learning_rate: f32,
    /// L2 decay, coupled, of the parameters that the model's mask names.
    pub weight_decay: f32,
    /// Rate a step of the exponential average of the parameters; `0` keeps none.
    ///
    /// Until `1 / rate` steps are done the average is the plain mean, so that it does not remember the initialization.
    pub average_rate: f32,
    /// Whether equal rows of a batch are visited once, with their count, instead of each by itself.
    ///
    /// The expected gradient is the same, for every row has the same law. A row that repeats has fewer samples in all.
    #[serde(default)]
    pub join_equal_rows: bool,
}

impl TrainSettings {
    /// Adam as these settings have it.
    pub fn adam(&self) -> AdamSettings {
        let epsilon = AdamSettings::EPSILON;
        AdamSettings { learning_rate: self.learning_rate, weight_decay: self.weight_decay, epsilon }
    }
}

pub(super) fn check(settings: &TrainSettings) -> Result<()> {
    let TrainSettings { batch_size, learning_rate, weight_decay, average_rate, .. } = *settings;
    require(batch_size > 0, "batch_size", "at least 1", batch_size)?;
    let is_rate = learning_rate.is_finite() && learning_rate > 0.0;
    require(is_rate, "learning_rate", "a positive number", learning_rate)?;
    let is_decay = weight_decay.is_finite() && weight_decay >= 0.0;
    require(is_decay, "weight_decay", "zero or a positive number", weight_decay)?;
    require((0.0..1.0).contains(&average_rate), "average_rate", "at least 0 and below 1", average_rate)
}
