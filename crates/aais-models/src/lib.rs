#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod adam;
mod architecture;
mod batch;
mod checkpoint;
mod error;
mod evaluation;
mod layers;
mod likelihood;
pub mod methods;
mod model;
mod network;
mod objective;
mod schedule;
mod scvi;
mod set_encoder;
mod split;
mod train;
mod trainable;

pub use adam::{Adam, AdamSettings, SgdSettings};
pub use architecture::Architecture;
pub use batch::{Batch, Groups, Observations};
pub use checkpoint::Checkpoint;
pub use error::{Error, Result};
pub use evaluation::{
    Amortized, AnnealedBounds, AnnealedImportance, ChainStart, Importance, MeanLogLikelihood, RowLogLikelihood,
    Simulated,
};
pub use likelihood::{
    Bernoulli, Grouped, GroupedColumns, GroupedFamily, Likelihood, Logistic, NegativeBinomial, Normal, Poisson,
};
pub use model::{Joint, LatentModel, Parameters};
pub use network::Network;
pub use objective::{Loss, Objective, Rule, Step, Update};
pub use schedule::{Progress, Schedule};
pub use scvi::{ScviModel, ScviWidths, Trained};
pub use set_encoder::SetEncoder;
pub use split::Split;
pub use train::{EpochMeans, TrainSettings, Trainer};
pub use trainable::Model;
