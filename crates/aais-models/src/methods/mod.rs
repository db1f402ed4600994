//! The training methods, one file each; a method's struct is its table in a config.

mod aais;
mod almond;
mod amcvae;
mod iwae;
mod lmcvae;
mod scvi;
mod transitions;
mod vae;

pub use aais::{Aais, WeightGradient};
pub use almond::Almond;
pub use amcvae::Amcvae;
pub use iwae::{Iwae, IwaePrior};
pub use lmcvae::Lmcvae;
pub use scvi::Scvi;
pub use transitions::{Adaptation, Carried};
pub use vae::Vae;
