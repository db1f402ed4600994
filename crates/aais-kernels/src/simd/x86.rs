//! AVX-512 and AVX2.

use std::arch::x86_64::*;

use super::Simd;

#[derive(Clone, Copy)]
pub(crate) struct Avx512;

impl Simd for Avx512 {
    const LANES: usize = 16;
    type V = __m512;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::V) {
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: Self::V) -> Self::V {
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn where_positive(x: Self::V, positive: Self::V, other: Self::V) -> Self::V {
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), other, positive) }
    }
    #[inline(always)]
    unsafe fn pow2(x: Self::V) -> Self::V {
        unsafe {
            let shifted = _mm512_slli_epi32::<23>(_mm512_castps_si512(x));
            _mm512_castsi512_ps(_mm512_add_epi32(shifted, _mm512_set1_epi32(0x3F80_0000)))
        }
    }
    #[inline(always)]
    unsafe fn sum(a: Self::V) -> f32 {
        unsafe { _mm512_reduce_add_ps(a) }
    }

    /// Sixteen sums by four rounds of transposing additions, 45 instructions where one by one takes 128.
    #[inline(always)]
    unsafe fn sum_block<const O: usize, const I: usize>(block: [[Self::V; I]; O], _in_square: bool) -> [[f32; I]; O] {
        unsafe {
            let mut sums = [[0.0; I]; O];
            if O * I != 16 {
                for o in 0..O {
                    for i in 0..I {
                        sums[o][i] = Self::sum(block[o][i]);
                    }
                }
                return sums;
            }
            let mut flat = [_mm512_setzero_ps(); 16];
            for o in 0..O {
                for i in 0..I {
                    flat[o * I + i] = block[o][i];
                }
            }
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = flat;
            let low = halve(quad(a, b, c, d), quad(e, f, g, h));
            let high = halve(quad(i, j, k, l), quad(m, n, o, p));
            let total = halve(low, high);
            let mut flat = [0.0f32; 16];
            _mm512_storeu_ps(flat.as_mut_ptr(), total);
            for o in 0..O {
                for i in 0..I {
                    sums[o][i] = flat[o * I + i];
                }
            }
            sums
        }
    }
}

// Functions, not closures: a closure does not inherit the features of the function it is inlined into.

/// Of four vectors, in each quarter, the four sums over that quarter.
#[inline(always)]
unsafe fn quad(a: __m512, b: __m512, c: __m512, d: __m512) -> __m512 {
    unsafe {
        let ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
        let cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
        _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)), _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)))
    }
}

/// Adds even to odd quarters of both, those of `a` first.
#[inline(always)]
unsafe fn halve(a: __m512, b: __m512) -> __m512 {
    unsafe { _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xDD>(a, b)) }
}

/// Sixteen lanes in two registers, summed in the order of [`Avx512`]: the same bits.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

impl Simd for Avx2 {
    const LANES: usize = 16;
    type V = [__m256; 2];

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        unsafe { [_mm256_set1_ps(value); 2] }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        unsafe { [_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::V) {
        unsafe {
            _mm256_storeu_ps(to, value[0]);
            _mm256_storeu_ps(to.add(8), value[1]);
        }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }
    #[inline(always)]
    unsafe fn sqrt(a: Self::V) -> Self::V {
        unsafe { [_mm256_sqrt_ps(a[0]), _mm256_sqrt_ps(a[1])] }
    }
    #[inline(always)]
    unsafe fn where_positive(x: Self::V, positive: Self::V, other: Self::V) -> Self::V {
        unsafe { [blend(x[0], positive[0], other[0]), blend(x[1], positive[1], other[1])] }
    }
    #[inline(always)]
    unsafe fn pow2(x: Self::V) -> Self::V {
        unsafe { [pow2_of_eight(x[0]), pow2_of_eight(x[1])] }
    }
    #[inline(always)]
    unsafe fn sum(a: Self::V) -> f32 {
        unsafe {
            let eight = _mm256_add_ps(a[0], a[1]);
            let four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    unsafe fn sum_block<const O: usize, const I: usize>(block: [[Self::V; I]; O], in_square: bool) -> [[f32; I]; O] {
        let mut sums = [[0.0; I]; O];
        for o in 0..O {
            for i in 0..I {
                sums[o][i] = unsafe { if in_square { sum_in_square(block[o][i]) } else { Self::sum(block[o][i]) } };
            }
        }
        sums
    }
}

/// The sum in the order of [`quad`] and [`halve`]: each quarter as `(x0 + x2) + (x1 + x3)`, then `(q0 + q1) + (q2 + q3)`.
#[inline(always)]
unsafe fn sum_in_square(a: [__m256; 2]) -> f32 {
    unsafe {
        // In each quarter, x0 + x2 and x1 + x3 in the lower lanes.
        let low = _mm256_add_ps(a[0], _mm256_permute_ps::<0b11_10>(a[0]));
        let high = _mm256_add_ps(a[1], _mm256_permute_ps::<0b11_10>(a[1]));
        // The quarter's sum in its first lane.
        let low = _mm256_add_ps(low, _mm256_permute_ps::<1>(low));
        let high = _mm256_add_ps(high, _mm256_permute_ps::<1>(high));
        let low = _mm_add_ss(_mm256_castps256_ps128(low), _mm256_extractf128_ps::<1>(low));
        let high = _mm_add_ss(_mm256_castps256_ps128(high), _mm256_extractf128_ps::<1>(high));
        _mm_cvtss_f32(_mm_add_ss(low, high))
    }
}

#[inline(always)]
unsafe fn blend(x: __m256, positive: __m256, other: __m256) -> __m256 {
    unsafe { _mm256_blendv_ps(other, positive, _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps())) }
}

#[inline(always)]
unsafe fn pow2_of_eight(x: __m256) -> __m256 {
    unsafe {
        let shifted = _mm256_slli_epi32::<23>(_mm256_castps_si256(x));
        _mm256_castsi256_ps(_mm256_add_epi32(shifted, _mm256_set1_epi32(0x3F80_0000)))
    }
}
