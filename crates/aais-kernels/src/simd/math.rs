//! Elementary functions of vectors, from additions, products and one shift of bits.

use super::Simd;

/// `exp(x)` for `x <= 0` to 2 units in the last place; below -87 it stays at `exp(-87)`. Cody and Waite's reduction.
#[inline(always)]
pub(crate) unsafe fn exp_of_negative<S: Simd>(x: S::V) -> S::V {
    /// Added and subtracted, it rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    /// `ln 2` as a short number and the rest, so that multiples of the first are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    /// Of `(exp(f) - 1 - f) / f^2` on half a `ln 2` to either side of zero, highest power first.
    const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1];

    unsafe {
        let lowest = S::splat(-87.0);
        // A NaN is not positive and stays.
        let x = S::where_positive(S::sub(lowest, x), lowest, x);
        let shifted = S::fma(x, S::splat(std::f32::consts::LOG2_E), S::splat(ROUND));
        let n = S::sub(shifted, S::splat(ROUND));
        let f = S::fma(n, S::splat(-LN_2[1]), S::fma(n, S::splat(-LN_2[0]), x));
        let mut p = S::splat(POLYNOMIAL[0]);
        for coefficient in &POLYNOMIAL[1..] {
            p = S::fma(p, f, S::splat(*coefficient));
        }
        let p = S::fma(p, S::mul(f, f), S::add(f, S::splat(1.0)));
        S::mul(p, S::pow2(shifted))
    }
}

/// `exp(-|x|)`.
#[inline(always)]
unsafe fn exp_minus_abs<S: Simd>(x: S::V) -> S::V {
    unsafe {
        let negative = S::sub(S::splat(0.0), x);
        exp_of_negative::<S>(S::where_positive(x, negative, x))
    }
}

/// `exp(x)`, between `exp(-87)` and `exp(87)`.
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    unsafe {
        let e = exp_minus_abs::<S>(x);
        S::where_positive(x, S::div(S::splat(1.0), e), e)
    }
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub(crate) unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    unsafe {
        let (one, e) = (S::splat(1.0), exp_minus_abs::<S>(x));
        S::div(S::where_positive(x, one, e), S::add(one, e))
    }
}

/// `log(1 + exp(x))`.
#[inline(always)]
pub(crate) unsafe fn softplus<S: Simd>(x: S::V) -> S::V {
    unsafe {
        // log(1 + e) = 2 artanh(e / (2 + e)).
        let e = exp_minus_abs::<S>(x);
        let s = S::div(e, S::add(S::splat(2.0), e));
        twice_artanh_plus::<S>(s, S::where_positive(x, x, S::splat(0.0)))
    }
}

/// `log(1 + y)` of positive `y = exp(x)`, where both are at hand.
#[inline(always)]
pub(crate) unsafe fn log_one_plus<S: Simd>(y: S::V, x: S::V) -> S::V {
    unsafe {
        let (one, two) = (S::splat(1.0), S::splat(2.0));
        // With e = min(y, 1 / y) as above; numerator and denominator are multiplied by y where it is the larger.
        let s = S::div(S::where_positive(x, one, y), S::where_positive(x, S::fma(two, y, one), S::add(two, y)));
        twice_artanh_plus::<S>(s, S::where_positive(x, x, S::splat(0.0)))
    }
}

/// `2 artanh(s) + term` for `0 <= s <= 1/3`, where the series in `s^2` is short.
#[inline(always)]
unsafe fn twice_artanh_plus<S: Simd>(s: S::V, term: S::V) -> S::V {
    unsafe {
        let t = S::mul(s, s);
        let mut series = S::splat(2.0 / 13.0);
        for coefficient in [2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
            series = S::fma(series, t, S::splat(coefficient));
        }
        S::fma(series, s, term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InstructionSet;
    use crate::simd::dispatch;

    #[inline(always)]
    unsafe fn all<S: Simd, const V: usize, const P: usize, const IN: usize>(x: *const f32, n: usize, out: *mut f32) {
        unsafe {
            for at in (0..n).step_by(S::LANES) {
                S::store(out.add(at), softplus::<S>(S::load(x.add(at))));
                S::store(out.add(n + at), sigmoid::<S>(S::load(x.add(at))));
                S::store(out.add(2 * n + at), exp::<S>(S::load(x.add(at))));
            }
        }
    }

    #[test]
    fn softplus_sigmoid_and_exp_are_exact_to_the_last_digits() {
        let n = 16 * 1000;
        #[expect(clippy::cast_precision_loss, reason = "a grid")]
        let x: Vec<f32> = (0..n).map(|k| (k as f32 - 8000.0) / 80.0).collect();
        for set in InstructionSet::available() {
            let mut found = vec![0.0f32; 3 * n];
            let (from, to) = (x.as_ptr(), found.as_mut_ptr());
            dispatch!(set, all, (from: *const f32, n: usize, to: *mut f32));
            for (k, x) in x.iter().enumerate() {
                // Below -87 all are smaller than 2e-38 and stop there, and above it the exponential.
                let x = f64::from(*x).max(-87.0);
                let exact = [x.max(0.0) + (-x.abs()).exp().ln_1p(), 1.0 / (1.0 + (-x).exp()), x.min(87.0).exp()];
                for (found, exact) in [found[k], found[n + k], found[2 * n + k]].into_iter().zip(exact) {
                    let error = (f64::from(found) / exact - 1.0).abs();
                    assert!(error < 4e-7, "{set:?}: {found} for {exact} at {x}");
                }
            }
        }
    }

    #[test]
    fn nan_stays_and_infinities_have_their_limits() {
        let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0].repeat(4);
        for set in InstructionSet::available() {
            let mut found = vec![0.0f32; 48];
            let (from, n, to) = (x.as_ptr(), 16, found.as_mut_ptr());
            dispatch!(set, all, (from: *const f32, n: usize, to: *mut f32));
            assert!(found[0].is_nan() && found[16].is_nan() && found[32].is_nan(), "{set:?}");
            assert!(found[1] == f32::INFINITY && found[17] == 1.0 && found[33] > 6e37, "{set:?}");
            assert!(found[2] < 1e-37 && found[18] < 1e-37 && found[34] < 1e-37, "{set:?}");
            assert!(
                (found[3] - std::f32::consts::LN_2).abs() < 1e-7 && found[19] == 0.5 && found[35] == 1.0,
                "{set:?}"
            );
        }
    }
}
