//! What a row contributes, as a function of its linear predictor.

use crate::simd::{Simd, exp, sigmoid, softplus};

/// `(b, η)` to the value and the slope in `η` of one row, before the factor `a`.
pub type CurveFunction = fn(f64, f64) -> [f64; 2];

/// A row's term, a function of its linear predictor `η` and two coefficients of its own.
#[derive(Clone, Copy, Debug)]
pub enum Curve {
    /// `a η − b log(1 + exp(η))`: Bernoulli, binomial and negative binomial.
    Logistic,
    /// `a η − b exp(η)`: Poisson. Beyond `η = 60` the exponential stays where it is.
    Rising,
    /// `a η − b exp(−η)`: gamma. Below `η = −60` the exponential stays where it is.
    Falling,
    /// `−½ a (η − b)²`: normal.
    Quadratic,
    /// `a f(b, η)`, slowly, in double precision.
    Other(CurveFunction),
}

/// Value, slope in `η`, and the derivatives by `a` and `b`, of as many points as there are lanes.
pub(super) struct Derivatives<V> {
    pub slope: V,
    pub by_a: V,
    pub by_b: V,
}

/// A curve on vectors.
pub(super) trait Lanes {
    unsafe fn value<S: Simd>(a: S::V, b: S::V, eta: S::V) -> S::V;
    unsafe fn derivatives<S: Simd>(a: S::V, b: S::V, eta: S::V) -> Derivatives<S::V>;
}

pub(super) struct Logistic;
pub(super) struct Rising;
pub(super) struct Falling;
pub(super) struct Quadratic;

/// `exp(x)`, at most `exp(60)`: products with coefficients stay finite.
#[inline(always)]
unsafe fn bounded_exp<S: Simd>(x: S::V) -> S::V {
    unsafe {
        let most = S::splat(60.0);
        // A NaN is not positive and stays.
        exp::<S>(S::where_positive(S::sub(x, most), most, x))
    }
}

/// `-x`.
#[inline(always)]
unsafe fn negative<S: Simd>(x: S::V) -> S::V {
    unsafe { S::sub(S::splat(0.0), x) }
}

impl Lanes for Logistic {
    #[inline(always)]
    unsafe fn value<S: Simd>(a: S::V, b: S::V, eta: S::V) -> S::V {
        unsafe { S::sub(S::mul(a, eta), S::mul(b, softplus::<S>(eta))) }
    }

    #[inline(always)]
    unsafe fn derivatives<S: Simd>(a: S::V, b: S::V, eta: S::V) -> Derivatives<S::V> {
        unsafe {
            let slope = S::sub(a, S::mul(b, sigmoid::<S>(eta)));
            Derivatives { slope, by_a: eta, by_b: negative::<S>(softplus::<S>(eta)) }
        }
    }
}

impl Lanes for Rising {
    #[inline(always)]
    unsafe fn value<S: Simd>(a: S::V, b: S::V, eta: S::V) -> S::V {
        unsafe { S::sub(S::mul(a, eta), S::mul(b, bounded_exp::<S>(eta))) }
    }

    #[inline(always)]
    unsafe fn derivatives<S: Simd>(a: S::V, b: S::V, eta: S::V) -> Derivatives<S::V> {
        unsafe {
            let e = bounded_exp::<S>(eta);
            Derivatives { slope: S::sub(a, S::mul(b, e)), by_a: eta, by_b: negative::<S>(e) }
        }
    }
}

impl Lanes for Falling {
    #[inline(always)]
    unsafe fn value<S: Simd>(a: S::V, b: S::V, eta: S::V) -> S::V {
        unsafe { S::sub(S::mul(a, eta), S::mul(b, bounded_exp::<S>(negative::<S>(eta)))) }
    }

    #[inline(always)]
    unsafe fn derivatives<S: Simd>(a: S::V, b: S::V, eta: S::V) -> Derivatives<S::V> {
        unsafe {
            let e = bounded_exp::<S>(negative::<S>(eta));
            Derivatives { slope: S::fma(b, e, a), by_a: eta, by_b: negative::<S>(e) }
        }
    }
}

impl Lanes for Quadratic {
    #[inline(always)]
    unsafe fn value<S: Simd>(a: S::V, b: S::V, eta: S::V) -> S::V {
        unsafe {
            let distance = S::sub(b, eta);
            S::mul(S::mul(S::splat(-0.5), a), S::mul(distance, distance))
        }
    }

    #[inline(always)]
    unsafe fn derivatives<S: Simd>(a: S::V, b: S::V, eta: S::V) -> Derivatives<S::V> {
        unsafe {
            let distance = S::sub(b, eta);
            let slope = S::mul(a, distance);
            let by_a = S::mul(S::splat(-0.5), S::mul(distance, distance));
            Derivatives { slope, by_a, by_b: negative::<S>(slope) }
        }
    }
}
