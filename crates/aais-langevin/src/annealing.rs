//! Annealed importance sampling along a bridge, forward and in reverse: the ratio of two normalizing constants.
//!
//! Neal (2001) goes forward; Grosse, Ghahramani and Adams (2015) bound the ratio from above by going back.

use aais_distributions::Noise;
use candle_core::{DType, Result, Tensor, bail};

use crate::bridge::{Bridge, BridgePoint};
use crate::step::{StepSize, log_kernel, metropolis, ula};

/// Where Metropolis-adjusted Langevin moves mix fastest (Roberts and Rosenthal 1998).
const TARGET_ACCEPTANCE: f64 = 0.574;

/// How far the logarithm of a step size moves for a whole unit of acceptance.
const ADAPTATION_RATE: f64 = 0.3;

/// Moves in which step sizes are found, at least, over all temperatures.
const PILOT_MOVES: usize = 400;

/// Step sizes as multiples of the spread that is expected of a coordinate: the first one, and bounds that only spreads of
/// no use reach.
const FIRST_STEP: f64 = 0.5;
const STEP_BOUNDS: (f64, f64) = (1e-8, 1e8);

/// The temperatures between two densities, and the moves at each; nothing here changes while chains run.
#[derive(Clone, Debug)]
pub struct AnnealedPath {
    temperatures: Vec<f64>,
    step_sizes: Vec<StepSize>,
    n_moves: usize,
}

/// Variances of each row's coordinates, `(B, d)`, as roughly as they are known: under the start and under the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Spreads {
    /// Of the density that chains start from.
    pub start: Vec<Vec<f64>>,
    /// Of the target.
    pub end: Vec<Vec<f64>>,
}

impl Spreads {
    /// Variances of the bridge between two such Gaussians: precisions mix as their logs do.
    fn at(&self, temperature: f64) -> Vec<Vec<f64>> {
        let mix = |(start, end): (&f64, &f64)| ((1.0 - temperature) / start + temperature / end).recip();
        self.start.iter().zip(&self.end).map(|(start, end)| start.iter().zip(end).map(mix).collect()).collect()
    }
}

impl AnnealedPath {
    /// Of given temperatures, from 0 to 1, with `n_moves` of a step size at each of them but the ends.
    ///
    /// # Errors
    /// If the temperatures do not rise from 0 to 1, there are no moves, or not one step size for each inner temperature.
    pub fn new(temperatures: Vec<f64>, step_sizes: Vec<StepSize>, n_moves: usize) -> Result<Self> {
        let rises = temperatures.windows(2).all(|pair| pair[0] < pair[1]);
        if temperatures.first() != Some(&0.0) || temperatures.last() != Some(&1.0) || !rises {
            bail!("temperatures must rise from 0 to 1, got {} of them: {:?}", temperatures.len(), some(&temperatures));
        }
        if n_moves == 0 || step_sizes.len() + 2 != temperatures.len() {
            bail!(
                "{} temperatures need {} step sizes and at least one move, got {} and {n_moves}",
                temperatures.len(),
                temperatures.len() - 2,
                step_sizes.len()
            );
        }
        Ok(Self { temperatures, step_sizes, n_moves })
    }

    /// With step sizes of each row that accept about 0.574 of the moves.
    ///
    /// They are found by pilot chains from `z`, `(B, M, d)`, which are thrown away: what is estimated later along this
    /// path has moves that are fixed beforehand, as its validity wants.
    ///
    /// # Errors
    /// As [`new`](Self::new), or if a density refuses a point or the spreads do not fit it.
    pub fn adapted(
        bridge: &Bridge,
        temperatures: Vec<f64>,
        n_moves: usize,
        spreads: &Spreads,
        z: &Tensor,
        noise: &mut Noise,
    ) -> Result<Self> {
        let n_inner = temperatures.len().saturating_sub(2);
        let mut found = Vec::with_capacity(n_inner);
        let mut factors = vec![FIRST_STEP; z.dim(0)?];
        let mut here = bridge.at(&z.detach())?;
        for &temperature in temperatures.iter().skip(1).take(n_inner) {
            let spreads = spreads.at(temperature);
            for _ in 0..PILOT_MOVES.div_ceil(n_inner) {
                let step_size = scaled(&spreads, &factors)?;
                let (there, acceptance) = step(bridge, &here, temperature, &step_size, noise)?;
                for (factor, acceptance) in factors.iter_mut().zip(acceptance) {
                    let change = (ADAPTATION_RATE * (acceptance - TARGET_ACCEPTANCE)).exp();
                    *factor = (*factor * change).clamp(STEP_BOUNDS.0, STEP_BOUNDS.1);
                }
                here = there;
            }
            found.push(scaled(&spreads, &factors)?);
        }
        Self::new(temperatures, found, n_moves)
    }
}

/// What chains along a path have found.
#[derive(Clone, Debug)]
pub struct Annealed {
    /// `log w`, `(B, M)` in double precision: of the start's and the target's normalizing constants, `Z_end / Z_start`.
    pub log_weights: Tensor,
    /// Where the chains ended, `(B, M, d)`.
    pub z: Tensor,
    /// Mean probability of acceptance; `1` where nothing moves.
    pub acceptance: f64,
}

/// Chains from draws of the start, `(B, M, d)`, to the target: `E[w] = Z_end / Z_start`, whatever the moves.
///
/// `log w = Σ_t (b_t - b_{t-1}) (log end - log start)(z_{t-1})`, where `z_t` comes from `z_{t-1}` by Metropolis-adjusted
/// Langevin moves at temperature `b_t` (Neal 2001, Eq. 2 and 3). So `log (1/M Σ w)` is on average a lower bound on the
/// log of the ratio, tighter with every temperature.
///
/// # Errors
/// If a density refuses a point.
pub fn anneal(bridge: &Bridge, path: &AnnealedPath, z: &Tensor, noise: &mut Noise) -> Result<Annealed> {
    let last = path.step_sizes.len();
    let mut chains = Chains::begin(bridge, z)?;
    for inner in 0..last {
        chains.weigh(path.temperatures[inner + 1] - path.temperatures[inner])?;
        chains.travel(path, inner, noise)?;
    }
    chains.weigh(path.temperatures[last + 1] - path.temperatures[last])?;
    chains.end()
}

/// Chains back from exact draws of the target, `(B, M, d)`: `E[1 / w] = Z_start / Z_end`.
///
/// The weights are of the same form as those of [`anneal`], for each move is its own reverse. So `-log (1/M Σ 1/w)` is on
/// average an upper bound on the log of the ratio. The draws of a row may depend on each other, or be all the same.
///
/// # Errors
/// If a density refuses a point.
pub fn anneal_back(bridge: &Bridge, path: &AnnealedPath, z: &Tensor, noise: &mut Noise) -> Result<Annealed> {
    let last = path.step_sizes.len();
    let mut chains = Chains::begin(bridge, z)?;
    chains.weigh(path.temperatures[last + 1] - path.temperatures[last])?;
    for inner in (0..last).rev() {
        chains.travel(path, inner, noise)?;
        chains.weigh(path.temperatures[inner + 1] - path.temperatures[inner])?;
    }
    chains.end()
}

/// Chains on their way.
struct Chains<'a> {
    bridge: &'a Bridge<'a>,
    here: BridgePoint,
    log_weights: Tensor,
    /// Of each move, the mean over chains.
    acceptance: Vec<f64>,
}

impl<'a> Chains<'a> {
    fn begin(bridge: &'a Bridge<'a>, z: &Tensor) -> Result<Self> {
        let here = bridge.at(&z.detach())?;
        let log_weights = here.log_end.zeros_like()?.to_dtype(DType::F64)?;
        Ok(Self { bridge, here, log_weights, acceptance: Vec::new() })
    }

    /// What a change of the temperature by so much adds to the log weights where the chains are.
    fn weigh(&mut self, change: f64) -> Result<()> {
        let [start, end] = [&self.here.log_start, &self.here.log_end].map(|log| log.to_dtype(DType::F64));
        self.log_weights = (&self.log_weights + ((end? - start?)? * change)?)?;
        Ok(())
    }

    /// The moves of one inner temperature.
    fn travel(&mut self, path: &AnnealedPath, inner: usize, noise: &mut Noise) -> Result<()> {
        for _ in 0..path.n_moves {
            let (temperature, step_size) = (path.temperatures[inner + 1], &path.step_sizes[inner]);
            let (there, acceptance) = step(self.bridge, &self.here, temperature, step_size, noise)?;
            self.here = there;
            self.acceptance.push(mean(&acceptance));
        }
        Ok(())
    }

    fn end(self) -> Result<Annealed> {
        let acceptance = if self.acceptance.is_empty() { 1.0 } else { mean(&self.acceptance) };
        Ok(Annealed { log_weights: self.log_weights, z: self.here.z, acceptance })
    }
}

/// One Metropolis-adjusted Langevin move at a temperature, and the probability of acceptance of each row.
fn step(
    bridge: &Bridge,
    here: &BridgePoint,
    temperature: f64,
    step_size: &StepSize,
    noise: &mut Noise,
) -> Result<(BridgePoint, Vec<f64>)> {
    let forth = ula(&here.z, &here.score(temperature)?, step_size, noise)?;
    let there = bridge.at(&forth.z.detach())?;
    let back = log_kernel(&there.z, &there.score(temperature)?, &here.z, step_size)?;
    let gain = (there.log_density(temperature)? - here.log_density(temperature)?)?;
    let decision = metropolis(&((gain + back)? - forth.log_kernel)?.detach(), noise)?;
    let acceptance = decision.probability.to_dtype(DType::F64)?.mean(1)?.to_vec1()?;
    Ok((there.select(&decision.accepted, here)?, acceptance))
}

/// Spreads times the factor of each row.
fn scaled(spreads: &[Vec<f64>], factors: &[f64]) -> Result<StepSize> {
    let of_row = |(spread, factor): (&Vec<f64>, &f64)| spread.iter().map(|value| value * factor).collect();
    StepSize::of_rows(&spreads.iter().zip(factors).map(of_row).collect::<Vec<Vec<f64>>>())
}

fn mean(values: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let n = values.len() as f64;
    values.iter().sum::<f64>() / n
}

/// Few enough to be shown.
fn some(values: &[f64]) -> &[f64] {
    &values[..values.len().min(5)]
}
