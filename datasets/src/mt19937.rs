//! numpy's legacy generator, `numpy.random.RandomState`: the Mersenne Twister and the values drawn from it.
//!
//! It exists to remake published draws. Everything else in this project draws from `Noise`.
//!
//! Sources: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), with the seeding of their 2002 revision;
//! Marsaglia and Bray, "A convenient method for generating normal variables", SIAM Review 6 (1964).

/// Words of state, `n` of the article.
const N_WORDS: usize = 624;
/// Distance of the word mixed into the recurrence, `m`.
const OFFSET: usize = 397;
/// Coefficients of the recurrence's matrix, `a`.
const MATRIX: u32 = 0x9908_b0df;
/// Multiplier of the seeding of 2002.
const SEED_MULTIPLIER: u32 = 1_812_433_253;

/// The generator's state.
pub(crate) struct LegacyRandom {
    words: [u32; N_WORDS],
    next: usize,
    /// The polar method makes normal values in pairs; the second waits here.
    spare_normal: Option<f64>,
}

impl LegacyRandom {
    /// As `RandomState(seed)`.
    pub(crate) fn new(seed: u32) -> Self {
        let mut words = [seed; N_WORDS];
        let mut index = 0_u32;
        for i in 1..N_WORDS {
            index += 1;
            let before = words[i - 1];
            words[i] = SEED_MULTIPLIER.wrapping_mul(before ^ (before >> 30)).wrapping_add(index);
        }
        Self { words, next: N_WORDS, spare_normal: None }
    }

    /// Uniform on `[0, 1)`, with 53 bits from two words; as `random_sample()`.
    pub(crate) fn uniform(&mut self) -> f64 {
        let high = f64::from(self.next_word() >> 5); // 27 bits
        let low = f64::from(self.next_word() >> 6); // 26 bits
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0 // 2²⁶, 2⁵³
    }

    /// Exponential with mean 1; as `standard_exponential()`.
    pub(crate) fn standard_exponential(&mut self) -> f64 {
        // `ln_1p(-u)` would be more accurate, and differs from numpy in the last bits.
        -(1.0 - self.uniform()).ln()
    }

    /// Normal with mean 0 and variance 1; as `randn()`, which gives the second value of a pair first.
    pub(crate) fn standard_normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let squared_radius = x * x + y * y;

            if squared_radius < 1.0 && squared_radius != 0.0 {
                let scale = (-2.0 * squared_radius.ln() / squared_radius).sqrt();
                self.spare_normal = Some(scale * x);
                return scale * y;
            }
        }
    }

    fn next_word(&mut self) -> u32 {
        if self.next == N_WORDS {
            self.twist();
            self.next = 0;
        }
        let mut word = self.words[self.next];
        self.next += 1;

        // Tempering.
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// Replaces all words by the next of the recurrence; those already replaced feed the later ones.
    fn twist(&mut self) {
        for k in 0..N_WORDS {
            let joined = (self.words[k] & 0x8000_0000) | (self.words[(k + 1) % N_WORDS] & 0x7fff_ffff);
            let product = (joined >> 1) ^ if joined & 1 == 1 { MATRIX } else { 0 };
            self.words[k] = self.words[(k + OFFSET) % N_WORDS] ^ product;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden value: the C++ standard, [rand.predef], on the 10,000th output of `mt19937` with its default seed.
    #[test]
    fn the_ten_thousandth_word_is_the_standards() {
        let mut random = LegacyRandom::new(5489);
        let last = (0..10_000).map(|_| random.next_word()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    /// Golden values: numpy 2.4.6, the first three of `RandomState(seed).random_sample(3)` and of `.randn(3)`.
    /// Four ulps leave room for another platform's logarithm; the bits are tested on the published draws.
    #[test]
    fn values_are_numpys() {
        let golden = [
            (0, [0.548_813_503_927_324_8, 0.715_189_366_372_419_5, 0.602_763_376_071_643_9], 1.764_052_345_967_664),
            (42, [0.374_540_118_847_362_5, 0.950_714_306_409_916_2, 0.731_993_941_811_405_1], 0.496_714_153_011_232_7),
            (
                u32::MAX,
                [0.097_632_028_994_013_8, 0.912_382_845_302_621_8, 0.789_035_301_851_64],
                0.648_408_674_230_652_7,
            ),
        ];
        for (seed, uniform, normal) in golden {
            let mut random = LegacyRandom::new(seed);
            assert_eq!([random.uniform(), random.uniform(), random.uniform()], uniform, "seed {seed}");

            let first = LegacyRandom::new(seed).standard_normal();
            assert!((first - normal).abs() < 4.0 * f64::EPSILON, "seed {seed}: {first}");
        }
    }

    #[test]
    fn the_second_normal_value_of_a_pair_draws_nothing() {
        let mut random = LegacyRandom::new(7);
        random.standard_normal();
        let words_used = random.next;
        random.standard_normal();
        assert_eq!(random.next, words_used);
        random.standard_normal();
        assert!(random.next > words_used);
    }
}
