#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod adam;
mod architecture;
mod checkpoint;
mod error;
mod layers;
mod likelihood;
pub mod methods;
mod model;
mod network;
mod objective;
mod schedule;
mod scvi;
mod split;
mod train;
mod trainable;

pub use adam::{Adam, AdamSettings, SgdSettings};
pub use architecture::Architecture;
pub use checkpoint::Checkpoint;
pub use error::{Error, Result};
pub use likelihood::{Likelihood, Logistic, NegativeBinomial, Normal, Poisson};
pub use model::{Batch, Joint, LatentModel, Parameters};
pub use network::Network;
pub use objective::{Loss, Objective, Rule, Step, Update};
pub use schedule::{Progress, Schedule};
pub use scvi::{ScviModel, ScviWidths, Trained};
pub use split::Split;
pub use train::{EpochMeans, TrainSettings, Trainer};
pub use trainable::Model;
