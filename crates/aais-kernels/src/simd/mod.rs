//! Vector arithmetic under one trait, and the choice of an instruction set at run time.

mod math;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::OnceLock;

pub(crate) use math::{exp, exp_of_negative, log_one_plus, sigmoid, softplus};
pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

/// The instruction sets that the fused kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// x86-64 with AVX-512F: 16 lanes, fused multiply-add.
    Avx512,
    /// x86-64 with AVX2 and FMA: 16 lanes as two registers, the same bits as AVX-512.
    Avx2,
    /// Any processor: 8 lanes as the compiler finds fit, products rounded before they are added.
    Portable,
}

impl InstructionSet {
    /// Its name in results: `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Whether results of the instruction set of that name have the same bits as those of this one.
    pub fn has_bits_of(self, name: &str) -> bool {
        let has_sixteen_lanes = |name: &str| [Self::Avx512.name(), Self::Avx2.name()].contains(&name);
        name == self.name() || has_sixteen_lanes(name) && has_sixteen_lanes(self.name())
    }

    /// Those this processor has, best first.
    pub fn available() -> Vec<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2 && is_x86_feature_detected!("avx512f");
            let found = [(Self::Avx512, avx512), (Self::Avx2, avx2), (Self::Portable, true)];
            found.into_iter().filter_map(|(set, present)| present.then_some(set)).collect()
        }
        #[cfg(not(target_arch = "x86_64"))]
        vec![Self::Portable]
    }

    /// Every safe way to a kernel passes here.
    pub(crate) fn check(self) -> candle_core::Result<()> {
        if !Self::available().contains(&self) {
            candle_core::bail!("this processor has no {}; it has {:?}", self.name(), Self::available());
        }
        Ok(())
    }

    /// The best one of this processor, which every fused kernel uses.
    pub fn best() -> Self {
        static BEST: OnceLock<InstructionSet> = OnceLock::new();
        *BEST.get_or_init(|| Self::available()[0])
    }
}

/// A vector of `LANES` floats.
///
/// # Safety
/// Every method needs the instruction set of its implementor, and pointers need `LANES` valid floats.
pub(crate) trait Simd: Copy + 'static {
    const LANES: usize;
    type V: Copy;

    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, value: Self::V);
    /// `a * b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(a: Self::V) -> Self::V;
    /// `positive` where `x > 0`, else `other`; `NaN` counts as not positive.
    unsafe fn where_positive(x: Self::V, positive: Self::V, other: Self::V) -> Self::V;
    /// `2^n` for `x = 1.5 * 2^23 + n`, a sum whose last bits are the integer `n` from -126 to 127.
    unsafe fn pow2(x: Self::V) -> Self::V;
    /// The sum of the lanes.
    unsafe fn sum(a: Self::V) -> f32;

    /// The sum of the lanes of each vector of a block.
    ///
    /// In a square of four by four outputs AVX-512 adds sixteen vectors at once, in an order of its own;
    /// `in_square` says that the block lies in one, for those who follow it.
    #[inline(always)]
    unsafe fn sum_block<const O: usize, const I: usize>(block: [[Self::V; I]; O], _in_square: bool) -> [[f32; I]; O] {
        let mut sums = [[0.0; I]; O];
        for o in 0..O {
            for i in 0..I {
                sums[o][i] = unsafe { Self::sum(block[o][i]) };
            }
        }
        sums
    }
}

/// Calls `$body::<S, V, P, IN>` for the instruction set `$set` with its features enabled.
///
/// `V` vectors of rows go through a block together, `P` through a matrix product, `IN` inputs through an outer product.
/// `P` and `IN` are a matter of registers. `V` also orders the sum of the slope's gradient, so it is the same for both
/// instruction sets with sixteen lanes.
macro_rules! dispatch {
    ($set:expr, $body:ident, ($($name:ident : $type:ty),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma")]
        unsafe fn avx512($($name: $type),*) {
            unsafe { $body::<$crate::simd::Avx512, 5, 5, 4>($($name),*) }
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn avx2($($name: $type),*) {
            unsafe { $body::<$crate::simd::Avx2, 5, 1, 2>($($name),*) }
        }
        unsafe fn portable($($name: $type),*) {
            unsafe { $body::<$crate::simd::Portable, 1, 1, 1>($($name),*) }
        }
        // SAFETY: callers have passed `InstructionSet::check`, or hold what `available` gave.
        match $set {
            #[cfg(target_arch = "x86_64")]
            $crate::InstructionSet::Avx512 => unsafe { avx512($($name),*) },
            #[cfg(target_arch = "x86_64")]
            $crate::InstructionSet::Avx2 => unsafe { avx2($($name),*) },
            _ => unsafe { portable($($name),*) },
        }
    }};
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_lanes_have_the_same_bits() {
        assert!(InstructionSet::Avx2.has_bits_of("avx512") && InstructionSet::Avx512.has_bits_of("avx2"));
        assert!(InstructionSet::Portable.has_bits_of("portable"));
        assert!(!InstructionSet::Portable.has_bits_of("avx2") && !InstructionSet::Avx512.has_bits_of("portable"));
    }
}
