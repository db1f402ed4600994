#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

mod adaptation;
mod annealing;
mod bridge;
mod chain;
mod diagnostics;
mod step;

pub use adaptation::{Spread, by_spread, toward_acceptance};
pub use annealing::{Annealed, AnnealedPath, Spreads, anneal, anneal_back};
pub use bridge::{Bridge, BridgePoint, sigmoid_temperatures, temperatures};
pub use chain::{Chain, mala_chain, ula_chain};
pub use diagnostics::{effective_sample_size, split_r_hat};
pub use step::{Decision, Move, StepSize, log_kernel, metropolis, select, ula};
