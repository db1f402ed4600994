//! Whole chains, for sampling a density of your own.

use aais_distributions::{LogDensity, Noise};
use candle_core::{Result, Tensor};

use crate::step::{StepSize, log_kernel, metropolis, select, ula};

/// The states of many chains side by side.
#[derive(Clone, Debug)]
pub struct Chain {
    /// After each step, `(B, M, d)`: `B` times `M` chains.
    pub states: Vec<Tensor>,
    /// Mean probability of acceptance; `1` without Metropolis.
    pub acceptance: f64,
}

impl Chain {
    /// One coordinate of every chain, each over time, with the first `skip` states left out.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn coordinate(&self, coordinate: usize, skip: usize) -> Result<Vec<Vec<f64>>> {
        let mut chains: Vec<Vec<f64>> = Vec::new();
        for state in self.states.iter().skip(skip) {
            let values = state.narrow(2, coordinate, 1)?.flatten_all()?.to_dtype(candle_core::DType::F64)?;
            let values = values.to_vec1::<f64>()?;
            chains.resize(values.len(), Vec::new());
            for (chain, value) in chains.iter_mut().zip(values) {
                chain.push(value);
            }
        }
        Ok(chains)
    }
}

/// Unadjusted Langevin chains from `start`, `(B, M, d)`; their law is the target's up to an error that vanishes with the step size.
///
/// # Errors
/// If the target refuses a point.
pub fn ula_chain(
    target: &dyn LogDensity,
    start: &Tensor,
    step_size: &StepSize,
    n_steps: usize,
    noise: &mut Noise,
) -> Result<Chain> {
    let mut states: Vec<Tensor> = Vec::with_capacity(n_steps);
    for _ in 0..n_steps {
        let z = states.last().unwrap_or(start);
        let next = ula(z, &target.score(z)?, step_size, noise)?.z.detach();
        states.push(next);
    }
    Ok(Chain { states, acceptance: 1.0 })
}

/// Metropolis-adjusted Langevin chains from `start`, `(B, M, d)`; their stationary law is the target's (Roberts and Tweedie 1996).
///
/// # Errors
/// If the target refuses a point.
pub fn mala_chain(
    target: &dyn LogDensity,
    start: &Tensor,
    step_size: &StepSize,
    n_steps: usize,
    noise: &mut Noise,
) -> Result<Chain> {
    let visit = |z: Tensor| -> Result<[Tensor; 3]> {
        let z = z.detach();
        let (log_density, score) = target.log_density_and_score(&z)?;
        Ok([z, log_density.detach(), score.detach()])
    };
    let mut here = visit(start.clone())?;
    let (mut states, mut total) = (Vec::with_capacity(n_steps), 0.0);
    for _ in 0..n_steps {
        let step = ula(&here[0], &here[2], step_size, noise)?;
        let there = visit(step.z)?;
        let back = log_kernel(&there[0], &there[2], &here[0], step_size)?;
        let log_ratio = (((&there[1] - &here[1])? + back)? - step.log_kernel)?;
        let decision = metropolis(&log_ratio, noise)?;
        for (here, there) in here.iter_mut().zip(there) {
            *here = select(&decision.accepted, &there, here)?;
        }
        total += f64::from(decision.probability.to_dtype(candle_core::DType::F32)?.mean_all()?.to_scalar::<f32>()?);
        states.push(here[0].clone());
    }
    #[expect(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
    let acceptance = total / n_steps.max(1) as f64;
    Ok(Chain { states, acceptance })
}
