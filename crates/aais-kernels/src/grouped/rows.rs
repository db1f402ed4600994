//! Curves of the rows of one group: samples go through the lanes, the rows one after another.

use super::curve::{Curve, Falling, Lanes, Logistic, Quadratic, Rising};
use crate::simd::Simd;

/// The rows of one group.
pub(super) struct Group<'a> {
    pub curve: Curve,
    /// `(rows, q)`.
    pub loadings: &'a [f32],
    pub shift: &'a [f32],
    pub a: &'a [f32],
    pub b: &'a [f32],
    /// `(q, padded samples)`.
    pub effects: &'a [f32],
    pub n_effects: usize,
    pub n_padded: usize,
}

/// Where a group's gradients go.
pub(super) struct Pulled<'a> {
    /// `(padded samples,)`, zero where there is no sample.
    pub gradient: &'a [f32],
    /// `(q, padded samples)`.
    pub effects: &'a mut [f32],
    pub shift: &'a mut [f32],
    pub a: &'a mut [f32],
    pub b: &'a mut [f32],
}

#[inline(always)]
pub(super) unsafe fn forward<S: Simd, const V: usize, const P: usize, const IN: usize>(
    group: &Group<'_>,
    sums: &mut [f32],
) {
    // SAFETY: buffers hold whole vectors of lanes, and callers have checked the instruction set.
    unsafe {
        match group.curve {
            Curve::Logistic => sum_rows::<S, Logistic>(group, sums),
            Curve::Rising => sum_rows::<S, Rising>(group, sums),
            Curve::Falling => sum_rows::<S, Falling>(group, sums),
            Curve::Quadratic => sum_rows::<S, Quadratic>(group, sums),
            Curve::Other(curve) => scalar::sum_rows(group, curve, sums),
        }
    }
}

#[inline(always)]
pub(super) unsafe fn backward<S: Simd, const V: usize, const P: usize, const IN: usize>(
    group: &Group<'_>,
    pulled: &mut Pulled<'_>,
) {
    // SAFETY: as in `forward`.
    unsafe {
        match group.curve {
            Curve::Logistic => pull_rows::<S, Logistic>(group, pulled),
            Curve::Rising => pull_rows::<S, Rising>(group, pulled),
            Curve::Falling => pull_rows::<S, Falling>(group, pulled),
            Curve::Quadratic => pull_rows::<S, Quadratic>(group, pulled),
            Curve::Other(curve) => scalar::pull_rows(group, curve, pulled),
        }
    }
}

/// The linear predictors of a row at the samples from `at` on.
#[inline(always)]
unsafe fn linear_predictor<S: Simd>(group: &Group<'_>, row: usize, at: usize) -> S::V {
    unsafe {
        let mut eta = S::splat(group.shift[row]);
        for effect in 0..group.n_effects {
            let loading = S::splat(group.loadings[row * group.n_effects + effect]);
            eta = S::fma(loading, S::load(group.effects.as_ptr().add(effect * group.n_padded + at)), eta);
        }
        eta
    }
}

#[inline(always)]
unsafe fn sum_rows<S: Simd, C: Lanes>(group: &Group<'_>, sums: &mut [f32]) {
    unsafe {
        for at in (0..group.n_padded).step_by(S::LANES) {
            let mut sum = S::splat(0.0);
            for row in 0..group.shift.len() {
                let eta = linear_predictor::<S>(group, row, at);
                sum = S::add(sum, C::value::<S>(S::splat(group.a[row]), S::splat(group.b[row]), eta));
            }
            S::store(sums.as_mut_ptr().add(at), sum);
        }
    }
}

#[inline(always)]
unsafe fn pull_rows<S: Simd, C: Lanes>(group: &Group<'_>, pulled: &mut Pulled<'_>) {
    unsafe {
        for row in 0..group.shift.len() {
            let (a, b) = (S::splat(group.a[row]), S::splat(group.b[row]));
            let zero = S::splat(0.0);
            let (mut by_shift, mut by_a, mut by_b) = (zero, zero, zero);
            for at in (0..group.n_padded).step_by(S::LANES) {
                let gradient = S::load(pulled.gradient.as_ptr().add(at));
                let by = C::derivatives::<S>(a, b, linear_predictor::<S>(group, row, at));
                let slope = S::mul(by.slope, gradient);
                by_shift = S::add(by_shift, slope);
                by_a = S::fma(by.by_a, gradient, by_a);
                by_b = S::fma(by.by_b, gradient, by_b);
                for effect in 0..group.n_effects {
                    let to = pulled.effects.as_mut_ptr().add(effect * group.n_padded + at);
                    let loading = S::splat(group.loadings[row * group.n_effects + effect]);
                    S::store(to, S::fma(loading, slope, S::load(to)));
                }
            }
            pulled.shift[row] = S::sum(by_shift);
            pulled.a[row] = S::sum(by_a);
            pulled.b[row] = S::sum(by_b);
        }
    }
}

/// Curves given as functions, point by point in double precision.
mod scalar {
    use super::super::curve::CurveFunction;
    use super::{Group, Pulled};

    fn linear_predictor(group: &Group<'_>, row: usize, sample: usize) -> f64 {
        let loadings = &group.loadings[row * group.n_effects..][..group.n_effects];
        let own = group.effects[sample..].iter().step_by(group.n_padded);
        let products = loadings.iter().zip(own).map(|(loading, effect)| f64::from(*loading) * f64::from(*effect));
        f64::from(group.shift[row]) + products.sum::<f64>()
    }

    #[expect(clippy::cast_possible_truncation, reason = "results are in single precision")]
    pub fn sum_rows(group: &Group<'_>, curve: CurveFunction, sums: &mut [f32]) {
        for (sample, sum) in sums.iter_mut().enumerate().take(group.n_padded) {
            let rows = 0..group.shift.len();
            let value = |row: usize| {
                f64::from(group.a[row]) * curve(f64::from(group.b[row]), linear_predictor(group, row, sample))[0]
            };
            *sum = rows.map(value).sum::<f64>() as f32;
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "results are in single precision")]
    pub fn pull_rows(group: &Group<'_>, curve: CurveFunction, pulled: &mut Pulled<'_>) {
        for row in 0..group.shift.len() {
            let mut by_shift = 0.0;
            for sample in (0..group.n_padded).filter(|&sample| pulled.gradient[sample] != 0.0) {
                let slope = curve(f64::from(group.b[row]), linear_predictor(group, row, sample))[1];
                let slope = f64::from(pulled.gradient[sample]) * f64::from(group.a[row]) * slope;
                by_shift += slope;
                for effect in 0..group.n_effects {
                    let loading = f64::from(group.loadings[row * group.n_effects + effect]);
                    pulled.effects[effect * group.n_padded + sample] += (loading * slope) as f32;
                }
            }
            pulled.shift[row] = by_shift as f32;
        }
    }
}
