//! An encoder of sets of rows, blind to their order (Zaheer et al. 2017).

use aais_kernels::segment_mean;
use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::network::Network;

/// Makes an encoder one of sets: every row goes through a network of its own, the mean over a group's rows and the
/// logarithm of its size go through a second one. An empty group has the mean zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetEncoder {
    /// First columns of a row: means and log variances of its group, to which the networks add theirs; `2 d`, or none.
    ///
    /// A group's rows all have the same. An empty group starts from the prior.
    pub anchors: usize,
    /// Columns of a row that are encoded, those that follow.
    pub features: usize,
    /// Widths of the rows' network.
    pub hidden: Vec<usize>,
    /// Width of what is averaged.
    pub pooled: usize,
}

/// `(R, D)` rows in groups to means and log variances, `(B, 2 d)`.
pub(crate) fn encode_sets(anchors: usize, of_rows: &Network, of_sets: &Network, batch: &Batch) -> Result<Tensor> {
    let sizes = batch.sizes()?;
    let pooled = of_rows.spec().width_out();
    let device = batch.observed.device();
    let means = match batch.observed.dim(0)? {
        0 => Tensor::zeros((sizes.len(), pooled), batch.observed.dtype(), device)?,
        _ => {
            let features = batch.observed.narrow(1, anchors, of_rows.spec().n_in)?.contiguous()?;
            segment_mean(&of_rows.forward(&features)?, sizes)?
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "groups are far below 2^24 rows")]
    let log_sizes: Vec<f32> = sizes.iter().map(|&size| (size as f32).ln_1p()).collect();
    let log_sizes = Tensor::from_vec(log_sizes, (sizes.len(), 1), device)?.to_dtype(means.dtype())?;
    let moments = of_sets.forward(&Tensor::cat(&[means, log_sizes], 1)?)?;
    if anchors == 0 { Ok(moments) } else { moments + segment_mean(&batch.observed.narrow(1, 0, anchors)?, sizes)? }
}
