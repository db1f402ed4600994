//! Training on groups.

use std::collections::BTreeMap;

use aais_distributions::Noise;
use aais_models::methods::{Aais, Iwae, IwaePrior, WeightGradient};
use aais_models::{
    Groups, LatentModel, Loss, Objective, Progress, Rule, Schedule, Step, TrainSettings, Trainer, Update,
};
use candle_core::Result as TensorResult;

use crate::adaptation::adapt;
use crate::error::Result;
use crate::settings::{Method, Settings};

/// An objective whose step length falls to zero over the second half of the epochs, so that the last iterate is still.
struct Settling {
    inner: Box<dyn Objective>,
    n_epochs: usize,
}

impl Settling {
    fn factor(&self, epoch: usize) -> f64 {
        let left = (self.n_epochs - epoch.min(self.n_epochs)) as f64 / self.n_epochs as f64;
        (2.0 * left).min(1.0)
    }
}

impl Objective for Settling {
    fn loss(&mut self, model: &LatentModel, step: &mut Step) -> TensorResult<Loss> {
        self.inner.loss(model, step)
    }

    fn check(&self, epochs: usize) -> aais_models::Result<()> {
        self.inner.check(epochs)
    }

    #[expect(clippy::cast_possible_truncation, reason = "training is in single precision")]
    fn update(&self, progress: Progress, settings: &TrainSettings) -> Update {
        let mut adam = settings.adam();
        adam.learning_rate *= self.factor(progress.epoch) as f32;
        Rule::Adam(adam).into()
    }

    fn state(&self) -> BTreeMap<String, Vec<f32>> {
        self.inner.state()
    }

    fn restore(&mut self, state: BTreeMap<String, Vec<f32>>) -> aais_models::Result<()> {
        self.inner.restore(state)
    }
}

fn objective(settings: &Settings) -> Box<dyn Objective> {
    let n_samples = settings.n_samples;
    match settings.method {
        Method::Aais => Box::new(Aais {
            n_samples,
            beta: Schedule::Constant(1.0),
            power: 1.0,
            fallback_below: f64::NEG_INFINITY,
            weight_gradient: WeightGradient::Stopped,
            weight_tail: 0.0,
        }),
        Method::Iwae => Box::new(Iwae { n_samples, prior: IwaePrior::Standard, weight_tail: 0.0 }),
    }
}

/// Steps between two adaptations of the proposals: so few that a law hardly moves, so many that they cost little.
const ADAPT_EVERY: usize = 50;

/// How many epochs the steps of the settings are, at least one.
pub(crate) fn n_epochs(settings: &Settings, n_groups: usize) -> usize {
    settings.n_steps.div_ceil(n_groups.div_ceil(settings.batch_size))
}

/// Trains a model to the end; `done` is told the share of epochs that are finished after each.
pub(crate) fn train(
    model: LatentModel,
    groups: Groups,
    settings: &Settings,
    noise: &Noise,
    done: &mut dyn FnMut(f64),
) -> Result<Trainer> {
    let n_epochs = n_epochs(settings, groups.len());
    let objective = Settling { inner: objective(settings), n_epochs };
    #[expect(clippy::cast_possible_truncation, reason = "training is in single precision")]
    let train = TrainSettings {
        batch_size: settings.batch_size,
        learning_rate: settings.learning_rate as f32,
        // Of the mean over groups; the skip paths, which are the normal law, are free.
        weight_decay: (1.0 / (groups.len() as f64 * settings.weight_std.powi(2))) as f32,
        average_rate: 0.0,
        join_equal_rows: false,
    };
    let between = ADAPT_EVERY.div_ceil(groups.len().div_ceil(settings.batch_size));
    let mut trainer = Trainer::new(model, Box::new(objective), train, groups.clone(), noise.fork("train"))?;
    let mut groups = groups;
    for epoch in 0..n_epochs {
        if epoch % between == 0 {
            groups = adapt(trainer.model(), groups, settings.n_samples, &noise.fork("adapt").at(epoch, 0))?;
            trainer.replace_data(groups.clone())?;
        }
        trainer.run_epoch()?;
        done((epoch + 1) as f64 / n_epochs as f64);
    }
    Ok(trainer)
}
