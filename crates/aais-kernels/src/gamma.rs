//! The logarithm of the gamma function and its derivatives as differentiable operations.
//!
//! candle has none. Values are computed in double precision and rounded once: Stirling's series from 8 upward, and
//! `Γ(x) = Γ(x + 8) / (x (x + 1) ... (x + 7))` below (Abramowitz and Stegun 6.1.15, 6.1.40).

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Result, Shape, Tensor, bail};

/// `log Γ(x)` of positive values, any shape; NaN below zero.
///
/// Its gradient is [`digamma`].
///
/// # Errors
/// If the tensor holds integers.
pub fn log_gamma(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() { x.contiguous()?.apply_op1(Gamma(Derivative::Zeroth)) } else { log_gamma_reference(x) }
}

/// [`log_gamma`] by composed operations.
///
/// # Errors
/// As [`log_gamma`].
pub fn log_gamma_reference(x: &Tensor) -> Result<Tensor> {
    let shifted = (x + f64::from(SHIFT))?;
    let inverse = shifted.recip()?;
    let square = inverse.sqr()?;
    let mut series = square.zeros_like()?;
    for coefficient in STIRLING.iter().rev() {
        series = ((series * &square)? + *coefficient)?;
    }
    let stirling = ((shifted.log()? * (&shifted - 0.5)?)? - &shifted)?;
    let mut value = ((stirling + (series * inverse)?)? + LOG_ROOT_TWO_PI)?;
    for step in 0..SHIFT {
        value = (value - (x + f64::from(step))?.log()?)?;
    }
    Ok(value)
}

/// `ψ(x) = d log Γ(x) / dx` of positive values, any shape; NaN below zero. It has a gradient, but no second one.
///
/// # Errors
/// If the tensor holds integers, or is not on the CPU.
pub fn digamma(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gamma(Derivative::First))
}

/// `log Γ(r + x) − log Γ(r)` without the cancellation of two large numbers: `r` `(G,)` and `x` `(B, G)`, which takes no
/// gradient, to `(B, G)`. For whole `x` it is the logarithm of `r (r + 1) ... (r + x − 1)`.
///
/// # Errors
/// If the shapes do not fit, or a tensor holds integers.
pub fn log_rising_factorial(r: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (_, width) = x.dims2()?;
    if r.dims() != [width] || r.dtype() != x.dtype() {
        bail!("factors {:?} need starts of shape ({width},) and one type, got {:?}", x.dims(), r.dims());
    }
    if r.device().is_cpu() {
        r.contiguous()?.apply_op2(&x.detach().contiguous()?, RisingFactorial)
    } else {
        log_rising_factorial_reference(r, x)
    }
}

/// [`log_rising_factorial`] by composed operations, with that cancellation.
///
/// # Errors
/// As [`log_rising_factorial`].
pub fn log_rising_factorial_reference(r: &Tensor, x: &Tensor) -> Result<Tensor> {
    log_gamma_reference(&x.detach().broadcast_add(r)?)?.broadcast_sub(&log_gamma_reference(r)?)
}

/// Which derivative of `log Γ`.
#[derive(Clone, Copy)]
enum Derivative {
    Zeroth,
    First,
    Second,
}

struct Gamma(Derivative);

impl CustomOp1 for Gamma {
    fn name(&self) -> &'static str {
        match self.0 {
            Derivative::Zeroth => "log_gamma",
            Derivative::First => "digamma",
            Derivative::Second => "trigamma",
        }
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let of = match self.0 {
            Derivative::Zeroth => ln_gamma,
            Derivative::First => psi,
            Derivative::Second => psi_slope,
        };
        let values = wide(x, layout)?.into_iter().map(of).collect();
        Ok((narrow(values, x.dtype()), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let derivative = match self.0 {
            Derivative::Zeroth => Derivative::First,
            Derivative::First => Derivative::Second,
            Derivative::Second => bail!("trigamma has no gradient"),
        };
        Ok(Some((x.apply_op1_no_bwd(&Gamma(derivative))? * gradient)?))
    }
}

struct RisingFactorial;

impl CustomOp2 for RisingFactorial {
    fn name(&self) -> &'static str {
        "log_rising_factorial"
    }

    fn cpu_fwd(&self, r: &CpuStorage, l1: &Layout, x: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (r, mut values) = (wide(r, l1)?, wide(x, l2)?);
        for row in values.chunks_exact_mut(r.len().max(1)) {
            row.iter_mut().zip(&r).for_each(|(x, r)| *x = rising_factorial(*r, *x));
        }
        Ok((narrow(values, x.dtype()), l2.shape().clone()))
    }

    fn bwd(&self, r: &Tensor, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let values = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
        let (starts, factors, gradient) = (values(r)?, values(x)?, values(gradient)?);
        let mut pulled = vec![0.0; starts.len()];
        let width = starts.len().max(1);
        for (factors, gradient) in factors.chunks_exact(width).zip(gradient.chunks_exact(width)) {
            for (((pulled, r), x), gradient) in pulled.iter_mut().zip(&starts).zip(factors).zip(gradient) {
                *pulled += gradient * rising_factorial_slope(*r, *x);
            }
        }
        Ok((Some(Tensor::from_vec(pulled, r.shape(), r.device())?.to_dtype(r.dtype())?), None))
    }
}

/// The values of a contiguous tensor in double precision.
fn wide(storage: &CpuStorage, layout: &Layout) -> Result<Vec<f64>> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a fused operation takes contiguous tensors") };
    match storage {
        CpuStorage::F32(values) => Ok(values[start..end].iter().copied().map(f64::from).collect()),
        CpuStorage::F64(values) => Ok(values[start..end].to_vec()),
        _ => bail!("the gamma function takes f32 or f64, got {:?}", storage.dtype()),
    }
}

/// Values back in the type they came in.
fn narrow(values: Vec<f64>, dtype: DType) -> CpuStorage {
    #[expect(clippy::cast_possible_truncation, reason = "rounded once")]
    match dtype {
        DType::F32 => CpuStorage::F32(values.into_iter().map(|value| value as f32).collect()),
        _ => CpuStorage::F64(values),
    }
}

/// Arguments below this are moved up by as much.
const SHIFT: u32 = 8;

/// `B_2k / (2k (2k − 1))` for `k = 1, 2, ...`: with eight of them Stirling's series is exact to 1e-16 from 8 upward.
const STIRLING: [f64; 8] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
    1.0 / 156.0,
    -3617.0 / 122_400.0,
];

/// `log(2 π) / 2`.
const LOG_ROOT_TWO_PI: f64 = 0.918_938_533_204_672_7;

/// `x`, or `x + 8` below 8, and by how much it was moved.
fn shifted(x: f64) -> (f64, u32) {
    if x < f64::from(SHIFT) { (x + f64::from(SHIFT), SHIFT) } else { (x, 0) }
}

/// `f(x) + f(x + 1) + ...` over the steps of a shift.
fn over_steps(x: f64, n: u32, f: impl Fn(f64) -> f64) -> f64 {
    (0..n).map(|step| f(x + f64::from(step))).sum()
}

/// `x (x + 1) ...` over the steps of a shift.
fn product_of_steps(x: f64, n: u32) -> f64 {
    (0..n).map(|step| x + f64::from(step)).product()
}

/// What Stirling's series adds: `sum_k c_k z^(1 - 2k)`.
fn series(z: f64) -> f64 {
    let square = (1.0 / z).powi(2);
    STIRLING.iter().rev().fold(0.0, |sum, coefficient| sum * square + coefficient) / z
}

/// Minus the derivative of [`series`].
fn series_slope(z: f64) -> f64 {
    let square = (1.0 / z).powi(2);
    let terms = STIRLING.iter().rev().zip((1..=8u32).rev());
    terms.fold(0.0, |sum, (coefficient, k)| sum * square + f64::from(2 * k - 1) * coefficient) * square
}

/// The derivative of [`series_slope`], with its sign changed.
fn series_curvature(z: f64) -> f64 {
    let square = (1.0 / z).powi(2);
    let terms = STIRLING.iter().rev().zip((1..=8u32).rev());
    let sum = terms.fold(0.0, |sum, (coefficient, k)| sum * square + f64::from((2 * k - 1) * 2 * k) * coefficient);
    sum * square / z
}

/// `log Γ(x)`.
fn ln_gamma(x: f64) -> f64 {
    if x == f64::INFINITY || x < 0.0 {
        return if x < 0.0 { f64::NAN } else { x };
    }
    let (z, n) = shifted(x);
    (z - 0.5) * z.ln() - z + LOG_ROOT_TWO_PI + series(z) - product_of_steps(x, n).ln()
}

/// `ψ(x)`.
fn psi(x: f64) -> f64 {
    if x < 0.0 {
        return f64::NAN;
    }
    let (z, n) = shifted(x);
    z.ln() - 0.5 / z - series_slope(z) - over_steps(x, n, |x| 1.0 / x)
}

/// `ψ'(x)`.
fn psi_slope(x: f64) -> f64 {
    if x < 0.0 {
        return f64::NAN;
    }
    let (z, n) = shifted(x);
    1.0 / z + 0.5 / (z * z) + series_curvature(z) + over_steps(x, n, |x| 1.0 / (x * x))
}

/// The number of factors if it is whole and small: then products and sums of them are the quickest.
fn few(x: f64) -> Option<u32> {
    let found = (0..=SHIFT).find(|n| f64::from(*n) >= x)?;
    (f64::from(found) == x).then_some(found)
}

/// `log Γ(r + x) − log Γ(r)`; NaN where `r` or `x` is below zero.
fn rising_factorial(r: f64, x: f64) -> f64 {
    if r.is_nan() || r < 0.0 || x < 0.0 {
        return f64::NAN;
    }
    if let Some(n) = few(x) {
        return product_of_steps(r, n).ln();
    }
    let ((low, n_low), (high, n_high)) = (shifted(r), shifted(r + x));
    // Of `high − low`, without the rounding of `r + x`.
    let difference = x + f64::from(n_high) - f64::from(n_low);
    let stirling = (low - 0.5) * (difference / low).ln_1p() + difference * (high.ln() - 1.0);
    stirling + (series(high) - series(low)) + (product_of_steps(r, n_low) / product_of_steps(r + x, n_high)).ln()
}

/// `log Γ(r + x) − log Γ(r) − log Γ(x + 1)`, the binomial coefficient of a negative binomial law.
pub(crate) fn log_binomial(r: f64, x: f64) -> f64 {
    match few(x) {
        Some(n) if r >= 0.0 => (product_of_steps(r, n) / product_of_steps(1.0, n)).ln(),
        _ => rising_factorial(r, x) - ln_gamma(x + 1.0),
    }
}

/// The derivative of [`rising_factorial`] by `r`, `ψ(r + x) − ψ(r)`.
pub(crate) fn rising_factorial_slope(r: f64, x: f64) -> f64 {
    if r.is_nan() || r < 0.0 || x < 0.0 {
        return f64::NAN;
    }
    if let Some(n) = few(x) {
        return over_steps(r, n, |r| 1.0 / r);
    }
    let ((low, n_low), (high, n_high)) = (shifted(r), shifted(r + x));
    let difference = x + f64::from(n_high) - f64::from(n_low);
    let rise = (difference / low).ln_1p() + 0.5 * difference / low / high - (series_slope(high) - series_slope(low));
    rise + over_steps(r, n_low, |r| 1.0 / r) - over_steps(r + x, n_high, |x| 1.0 / x)
}
