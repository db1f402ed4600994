//! One block's Jacobian, applied to cotangents or to tangents without the gradients of its parameters.

use super::plan::{PANEL, Values};
use super::spec::{Layer, LayerKind};
use crate::simd::{Simd, sigmoid};

/// What a panel's tape holds of one block.
#[derive(Clone, Copy)]
pub(super) struct Taped {
    pub normalized: *const f32,
    pub inverse_std: *const f32,
}

/// Cotangents through one block, `dh = J^T da`, without the gradients of its parameters.
#[inline(always)]
pub(super) unsafe fn pull_back<S: Simd, const V: usize>(
    layer: &Layer,
    values: Values,
    taped: Taped,
    da: *const f32,
    dh: *mut f32,
) {
    unsafe {
        match layer.kind {
            LayerKind::Output => (),
            LayerKind::Softplus => {
                for at in (0..layer.n_out * PANEL).step_by(S::LANES) {
                    let sigmoid = sigmoid::<S>(S::load(taped.normalized.add(at)));
                    S::store(dh.add(at), S::mul(sigmoid, S::load(da.add(at))));
                }
            }
            LayerKind::NormPrelu(norm) => {
                for row in (0..PANEL).step_by(V * S::LANES) {
                    let at = |o: usize, v: usize| o * PANEL + row + v * S::LANES;
                    let mut means = Means::<S, V>::zero();
                    for o in 0..layer.n_out {
                        let derivative = Derivative::<S>::of(values, norm.gain + o, norm.shift + o);
                        for v in 0..V {
                            let x = S::load(taped.normalized.add(at(o, v)));
                            let dx = derivative.times(x, S::load(da.add(at(o, v))));
                            means.add(v, dx, x);
                            S::store(dh.add(at(o, v)), dx);
                        }
                    }
                    means.divide(layer.n_out);
                    for o in 0..layer.n_out {
                        for v in 0..V {
                            let x = S::load(taped.normalized.add(at(o, v)));
                            let inverse = S::load(taped.inverse_std.add(row + v * S::LANES));
                            let dx = S::load(dh.add(at(o, v)));
                            S::store(dh.add(at(o, v)), S::mul(means.without(v, dx, x), inverse));
                        }
                    }
                }
            }
        }
    }
}

/// Tangents through one block, `dot_a = J dot_h`.
#[inline(always)]
pub(super) unsafe fn push_forward<S: Simd, const V: usize>(
    layer: &Layer,
    values: Values,
    taped: Taped,
    dot_h: *const f32,
    dot_a: *mut f32,
) {
    unsafe {
        match layer.kind {
            LayerKind::Output => (),
            // The Jacobian is diagonal.
            LayerKind::Softplus => pull_back::<S, V>(layer, values, taped, dot_h, dot_a),
            LayerKind::NormPrelu(norm) => {
                for row in (0..PANEL).step_by(V * S::LANES) {
                    let at = |o: usize, v: usize| o * PANEL + row + v * S::LANES;
                    let mut means = Means::<S, V>::zero();
                    for o in 0..layer.n_out {
                        for v in 0..V {
                            means.add(v, S::load(dot_h.add(at(o, v))), S::load(taped.normalized.add(at(o, v))));
                        }
                    }
                    means.divide(layer.n_out);
                    for o in 0..layer.n_out {
                        let derivative = Derivative::<S>::of(values, norm.gain + o, norm.shift + o);
                        for v in 0..V {
                            let x = S::load(taped.normalized.add(at(o, v)));
                            let inverse = S::load(taped.inverse_std.add(row + v * S::LANES));
                            let dot_x = S::mul(means.without(v, S::load(dot_h.add(at(o, v))), x), inverse);
                            S::store(dot_a.add(at(o, v)), derivative.times(x, dot_x));
                        }
                    }
                }
            }
        }
    }
}

/// Mean of values over features, and of their products with the normalized values.
struct Means<S: Simd, const V: usize> {
    value: [S::V; V],
    product: [S::V; V],
}

impl<S: Simd, const V: usize> Means<S, V> {
    #[inline(always)]
    unsafe fn zero() -> Self {
        let zero = unsafe { [S::splat(0.0); V] };
        Self { value: zero, product: zero }
    }

    #[inline(always)]
    unsafe fn add(&mut self, v: usize, value: S::V, x: S::V) {
        unsafe {
            self.value[v] = S::add(self.value[v], value);
            self.product[v] = S::fma(value, x, self.product[v]);
        }
    }

    #[inline(always)]
    unsafe fn divide(&mut self, n: usize) {
        #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
        let per_feature = unsafe { S::splat(1.0 / n as f32) };
        for v in 0..V {
            unsafe {
                self.value[v] = S::mul(self.value[v], per_feature);
                self.product[v] = S::mul(self.product[v], per_feature);
            }
        }
    }

    /// What a normalization leaves of a value: nothing of a shift, nothing along `x`.
    #[inline(always)]
    unsafe fn without(&self, v: usize, value: S::V, x: S::V) -> S::V {
        unsafe { S::sub(S::sub(value, self.value[v]), S::mul(x, self.product[v])) }
    }
}

/// Derivative of a PReLU by the normalized value: the gain, times the slope where the value is negative.
struct Derivative<S: Simd> {
    gain: S::V,
    shift: S::V,
    negative: S::V,
}

impl<S: Simd> Derivative<S> {
    #[inline(always)]
    unsafe fn of(values: Values, gain: usize, shift: usize) -> Self {
        unsafe {
            let (gain, shift) = (S::splat(*values.parameters.add(gain)), S::splat(*values.parameters.add(shift)));
            Self { gain, shift, negative: S::mul(S::splat(values.slope), gain) }
        }
    }

    #[inline(always)]
    unsafe fn times(&self, x: S::V, value: S::V) -> S::V {
        unsafe {
            let n = S::fma(self.gain, x, self.shift);
            S::where_positive(n, S::mul(self.gain, value), S::mul(self.negative, value))
        }
    }
}
