//! Bounds on `log p(x)` of each row by annealed importance sampling.
//!
//! Wu, Burda, Salakhutdinov and Grosse (2017), "On the quantitative analysis of decoder-based generative models".

use aais_distributions::{DiagonalGaussian, Noise, Proposal};
use aais_importance::{LogMarginal, log_marginal};
use aais_langevin::{AnnealedPath, Bridge, Spreads, anneal, anneal_back, sigmoid_temperatures};
use candle_core::{DType, Result as TensorResult, Tensor};

use super::Amortized;
use crate::batch::Batch;
use crate::error::{Error, Result, require};

/// Chains of a row that find step sizes.
const PILOT_CHAINS: usize = 16;

/// How chains go from a known density to the joint of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnnealedImportance {
    /// From 0 to 1 and both of them, dense at the ends.
    pub n_temperatures: usize,
    /// Chains of each row and direction.
    pub n_chains: usize,
    /// Metropolis-adjusted Langevin moves at each temperature.
    pub n_moves: usize,
    /// Where chains come from.
    pub start: ChainStart,
}

/// The density that chains come from, and go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainStart {
    /// Which knows nothing of the encoder, so that it finds what the encoder overlooks.
    Prior,
    /// The encoder's, which is nearer to the posterior if the encoder is good.
    Proposal,
}

/// What chains say of one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnnealedBounds {
    /// `log (1/M Σ w)` of the chains forward: on average below `log p(x)`.
    pub lower: LogMarginal,
    /// `-log (1/M Σ 1/w)` of the chains back from an exact draw of the posterior: on average above `log p(x)`.
    ///
    /// Chains of a row share that draw, so `std_error` is what the chains add, not what the draw does.
    pub upper: Option<LogMarginal>,
    /// Mean probability of acceptance forward, of all rows that were evaluated together.
    pub acceptance: f64,
}

impl AnnealedImportance {
    /// Refuses settings out of range.
    ///
    /// # Errors
    /// For the first that is.
    pub fn check(&self) -> Result<()> {
        require(self.n_temperatures >= 2, "temperatures", "at least 2, which are 0 and 1", self.n_temperatures)?;
        require(self.n_chains > 0, "chains", "at least 1", self.n_chains)?;
        require(self.n_moves > 0, "moves", "at least 1", self.n_moves)
    }

    /// Of each row of a batch; upper bounds where `exact`, `(B, d)`, are draws from the rows' posteriors: those that
    /// simulated rows come from.
    ///
    /// Step sizes belong to a row and temperature. Pilot chains of their own find them, then they stay. Draws belong to
    /// the batch as a whole: to its first row.
    ///
    /// # Errors
    /// If a setting is out of range, the batch does not fit, or a weight is NaN or infinite.
    pub fn bounds<M: Amortized + ?Sized>(
        &self,
        model: &M,
        batch: &Batch,
        exact: Option<&Tensor>,
        noise: &Noise,
    ) -> Result<Vec<AnnealedBounds>> {
        self.check()?;
        let noise = noise.at(batch.rows.first().copied().unwrap_or_default(), 0);
        let (proposal, joint) = (model.proposal(batch)?, model.joint_density(batch));
        let start = match self.start {
            ChainStart::Prior => standard_normal(&proposal)?,
            ChainStart::Proposal => proposal.clone(),
        };
        let bridge = Bridge::new(&start, &*joint);
        let draw = |n, name: &str| start.sample(n, &mut noise.fork(name));

        let spreads = Spreads { start: variances(&start)?, end: variances(&proposal)? };
        let temperatures = sigmoid_temperatures(self.n_temperatures - 2);
        let pilot = draw(PILOT_CHAINS, "pilot start")?;
        let mut of_pilot = noise.fork("pilot");
        let path = AnnealedPath::adapted(&bridge, temperatures, self.n_moves, &spreads, &pilot, &mut of_pilot)?;

        let forth = anneal(&bridge, &path, &draw(self.n_chains, "start")?, &mut noise.fork("forth"))?;
        let lower = estimates(batch, &forth.log_weights, 1.0)?;
        let upper = match exact {
            None => vec![None; lower.len()],
            Some(exact) => {
                let (rows, latent) = exact.dims2()?;
                let z = exact.unsqueeze(1)?.broadcast_as((rows, self.n_chains, latent))?.contiguous()?;
                let back = anneal_back(&bridge, &path, &z, &mut noise.fork("back"))?;
                let inverse = estimates(batch, &back.log_weights, -1.0)?;
                inverse.into_iter().map(|of| Some(LogMarginal { value: -of.value, ..of })).collect()
            }
        };
        let acceptance = forth.acceptance;
        Ok(lower.into_iter().zip(upper).map(|(lower, upper)| AnnealedBounds { lower, upper, acceptance }).collect())
    }
}

/// Of each row, from `sign log w`, `(B, M)`.
fn estimates(batch: &Batch, log_weights: &Tensor, sign: f64) -> Result<Vec<LogMarginal>> {
    let rows = (log_weights * sign)?.to_vec2::<f64>()?;
    let of_row = |(row, log_weights): (&usize, Vec<f64>)| {
        log_marginal(&log_weights).map_err(|error| Error::Evaluation { row: *row, problem: error.to_string() })
    };
    batch.rows.iter().zip(rows).map(of_row).collect()
}

/// The prior in the form of a proposal's rows.
fn standard_normal(like: &DiagonalGaussian) -> TensorResult<DiagonalGaussian> {
    let zero = like.mean().zeros_like()?;
    DiagonalGaussian::new(zero.clone(), zero)
}

fn variances(of: &DiagonalGaussian) -> TensorResult<Vec<Vec<f64>>> {
    of.log_variance().exp()?.to_dtype(DType::F64)?.to_vec2()
}
