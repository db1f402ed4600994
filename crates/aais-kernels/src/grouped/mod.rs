//! Sums over the rows of groups that share effects, `(B, M)`: what the log-likelihood of grouped data is made of.
//!
//! Row `j` of group `g` has the linear predictor `η = shift_j + loadings_j · effects_g`, and contributes a curve of it.

mod curve;
mod fused;
mod rows;
mod segments;

use candle_core::{D, DType, Result, Tensor, bail};

pub use curve::{Curve, CurveFunction};
pub use segments::segment_mean;

use fused::GroupedSum;

/// The rows of `B` groups, one group after another.
#[derive(Clone, Debug)]
pub struct GroupedRows {
    /// Rows of each group, `(B,)`; a group may have none.
    pub sizes: Vec<usize>,
    /// What a row multiplies its group's effects with, `(R, q)`.
    pub loadings: Tensor,
}

impl GroupedRows {
    /// The group of each row, `(R,)`.
    fn group_of_row(&self) -> Result<Tensor> {
        let groups = self.sizes.iter().zip(0u32..).flat_map(|(&size, group)| std::iter::repeat_n(group, size));
        let groups: Vec<u32> = groups.collect();
        let n = groups.len();
        Tensor::from_vec(groups, n, self.loadings.device())
    }
}

/// Refuses shapes that do not fit, and says whether the fused operation can be taken.
fn check(rows: &GroupedRows, effects: &Tensor, shift: &Tensor, coefficients: &Tensor) -> Result<bool> {
    let (groups, _, width) = effects.dims3()?;
    let (n_rows, columns) = rows.loadings.dims2()?;
    if rows.sizes.len() != groups || rows.sizes.iter().sum::<usize>() != n_rows || columns != width {
        let sizes = (rows.sizes.len(), rows.sizes.iter().sum::<usize>());
        bail!("{sizes:?} groups and rows with loadings ({n_rows}, {columns}) do not fit effects {:?}", effects.dims());
    }
    if shift.dims() != [n_rows] || coefficients.dims() != [2, n_rows] {
        let found = (shift.dims(), coefficients.dims());
        bail!("{n_rows} rows need shifts of that length and coefficients (2, {n_rows}), got {found:?}");
    }
    let all = [&rows.loadings, effects, shift, coefficients];
    Ok(all.iter().all(|t| t.device().is_cpu() && t.dtype() == DType::F32))
}

/// `Σ_j curve(a_j, b_j, shift_j + loadings_j · effects)` over the rows of each group: effects `(B, M, q)`, shifts `(R,)`,
/// coefficients `a` and `b` `(2, R)`, to `(B, M)`.
///
/// Effects, shifts and coefficients have gradients, loadings none; those of the coefficients of [`Curve::Other`] are
/// zero. An empty group's sum is zero.
///
/// # Errors
/// If the shapes do not fit.
pub fn grouped_sum(
    curve: Curve,
    rows: &GroupedRows,
    effects: &Tensor,
    shift: &Tensor,
    coefficients: &Tensor,
) -> Result<Tensor> {
    if !check(rows, effects, shift, coefficients)? {
        return reference(curve, rows, effects, shift, coefficients);
    }
    let loadings = rows.loadings.detach().contiguous()?;
    let operation = GroupedSum::new(curve, rows.sizes.clone(), loadings);
    effects.contiguous()?.apply_op3(&shift.contiguous()?, &coefficients.contiguous()?, operation)
}

/// [`grouped_sum`] by composed operations; for every curve but [`Curve::Other`].
///
/// # Errors
/// As [`grouped_sum`], and for that curve.
pub fn reference(
    curve: Curve,
    rows: &GroupedRows,
    effects: &Tensor,
    shift: &Tensor,
    coefficients: &Tensor,
) -> Result<Tensor> {
    check(rows, effects, shift, coefficients)?;
    let group_of_row = rows.group_of_row()?;
    let of_row = effects.index_select(&group_of_row, 0)?; // (R, M, q)
    let products = of_row.broadcast_mul(&rows.loadings.detach().unsqueeze(1)?)?.sum(D::Minus1)?;
    let eta = products.broadcast_add(&shift.unsqueeze(1)?)?;
    let [a, b] = [coefficients.get(0)?.unsqueeze(1)?, coefficients.get(1)?.unsqueeze(1)?];
    let values = match curve {
        Curve::Logistic => {
            // log(1 + exp(η)) as max(η, 0) + log(1 + exp(-|η|)), which does not overflow.
            let softplus = (eta.relu()? + (eta.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
            (eta.broadcast_mul(&a)? - softplus.broadcast_mul(&b)?)?
        }
        Curve::Rising => (eta.broadcast_mul(&a)? - eta.exp()?.broadcast_mul(&b)?)?,
        Curve::Falling => (eta.broadcast_mul(&a)? - eta.neg()?.exp()?.broadcast_mul(&b)?)?,
        Curve::Quadratic => (eta.broadcast_sub(&b)?.sqr()?.broadcast_mul(&a)? * -0.5)?,
        Curve::Other(_) => bail!("a curve given as a function has no composed form; use the CPU and f32"),
    };
    let (groups, n_samples, _) = effects.dims3()?;
    Tensor::zeros((groups, n_samples), values.dtype(), values.device())?.index_add(&group_of_row, &values, 0)
}
