//! Random positions and numbers.

use rand_chacha::rand_core::RngCore;

/// A position below `n`, by the high bits of a product.
///
/// Uneven by `n / 2⁶⁴` at most, and the same with every version of every crate.
pub(crate) fn below(rng: &mut impl RngCore, n: usize) -> usize {
    // The product's high half is below `n`.
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// A number in `[0, 1)`, one of 2⁵³.
pub(crate) fn unit(rng: &mut impl RngCore) -> f64 {
    (rng.next_u64() >> 11) as f64 * 0.5_f64.powi(53)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn positions_are_evenly_spread() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut counts = [0_u32; 7];
        (0..70_000).for_each(|_| counts[below(&mut rng, 7)] += 1);
        // Five standard deviations of a binomial count, 92 each.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 460), "{counts:?}");
    }
}
