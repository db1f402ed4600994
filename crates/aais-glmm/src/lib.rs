#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod border;
mod covariance;
mod dense;
mod design;
mod diagnostics;
mod error;
mod family;
mod fit;
mod gauss_hermite;
mod inference;
mod laplace;
mod linear;
mod marginal;
mod measures;
mod optimize;
mod pattern;
mod pirls;
mod problem;
mod quadrature;
mod quadrature_stage;
mod random_effects;
mod rows;
mod selected_inverse;
mod settings;
mod special;
mod stages;
mod start;
mod system;

pub use covariance::relative_factor;
pub use design::{Design, RandomTerm, Response};
pub use diagnostics::Diagnostic;
pub use error::{Error, Result};
pub use family::{BinomialLink, Family, Information};
pub use fit::{Dispersion, Fit, deviance, fit};
pub use gauss_hermite::GaussHermite;
pub use inference::Curvature;
pub use linear::Criterion;
pub use marginal::marginal_nll;
pub use measures::{Measures, bernoulli_measures};
pub use random_effects::RandomEffects;
pub use settings::{Approximation, Parameters, Settings};
