//! The most multiply-adds this processor does, to measure kernels against.

use crate::InstructionSet;
use crate::simd::{Simd, dispatch};

/// Independent chains, enough to hide the latency of a multiply-add.
const CHAINS: usize = 12;

/// Does `n_rounds` rounds of independent fused multiply-adds in registers and returns how many floating-point operations
/// that was; the caller holds the clock.
///
/// # Errors
/// If the processor lacks `set`.
pub fn burn(set: InstructionSet, n_rounds: usize) -> candle_core::Result<u64> {
    set.check()?;
    let mut result = 0.0;
    let mut operations = 0;
    let (out, count) = (&mut result, &mut operations);
    dispatch!(set, chains, (n_rounds: usize, out: &mut f32, count: &mut u64));
    std::hint::black_box(result);
    Ok(operations)
}

#[inline(always)]
unsafe fn chains<S: Simd, const V: usize, const P: usize, const IN: usize>(
    n_rounds: usize,
    out: &mut f32,
    count: &mut u64,
) {
    unsafe {
        let (factor, term) = (S::splat(std::hint::black_box(0.999)), S::splat(std::hint::black_box(0.001)));
        let mut sums = [S::splat(1.0); CHAINS];
        for _ in 0..n_rounds {
            for sum in &mut sums {
                *sum = S::fma(*sum, factor, term);
            }
        }
        let mut total = S::splat(0.0);
        for sum in sums {
            total = S::add(total, sum);
        }
        *out = S::sum(total);
        *count = u64::try_from(2 * n_rounds * CHAINS * S::LANES).unwrap_or(u64::MAX);
    }
}
