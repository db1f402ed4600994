//! The training methods, one file each; a method's struct is its table in a config.

mod aais;
mod iwae;
mod vae;

pub use aais::{Aais, WeightGradient};
pub use iwae::{Iwae, IwaePrior};
pub use vae::Vae;
