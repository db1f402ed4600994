//! Matrix products of tiles of rows: a block of rows by columns stays in registers, one factor is packed.

#![expect(clippy::needless_range_loop, reason = "register blocks are indexed like the matrices they hold")]

use crate::InstructionSet;
use crate::mlp::plan::MAX_LANES;
use crate::simd::{Simd, dispatch};

/// Rows of a register block.
const ROWS: usize = 6;

/// Terms of all rows that are added before the next ones: so much of a packed panel stays in the first-level cache.
const DEPTH: usize = 96;

/// What a product begins with.
#[derive(Clone, Copy)]
pub(super) enum Start<'a> {
    Zero,
    /// One value a column, [`padded`].
    Bias(&'a [f32]),
    /// What is there.
    Output,
}

/// `c[m][n] = start + sum_k a[m][k] b[k][n]`, the terms of each element added one by one in the order of `k`.
///
/// So the bits depend neither on blocks nor on the length of vectors.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
    pub a: &'a [f32],
    /// How far `a[m + 1][k]` and `a[m][k + 1]` are from `a[m][k]`.
    pub a_steps: [usize; 2],
    /// The other factor as [`pack`] left it.
    pub b: &'a [f32],
    pub start: Start<'a>,
}

/// Columns together with those that fill the last vector.
pub(super) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(MAX_LANES)
}

impl Product<'_> {
    /// Writes rows of [`padded`] columns to `c`, `c_step` apart.
    pub fn write(self, set: InstructionSet, c: &mut [f32], c_step: usize) {
        let (product, width) = (self, padded(self.columns));
        if self.rows == 0 {
            return;
        }
        let last = (self.rows - 1) * self.a_steps[0] + self.depth.saturating_sub(1) * self.a_steps[1];
        assert!(self.depth > 0 && self.a.len() > last && self.b.len() >= self.depth * width);
        assert!(c_step >= width && c.len() >= (self.rows - 1) * c_step + width);
        if let Start::Bias(bias) = self.start {
            assert!(bias.len() >= width);
        }
        let c = c.as_mut_ptr();
        // All is within the bounds just checked.
        dispatch!(set, run, (product: Product, c: *mut f32, c_step: usize));
    }
}

/// A matrix `[depth][columns]` for [`Product`]: panels of some vectors of columns, each `[depth][vectors * lanes]`, zero beyond `columns`.
///
/// `steps` are from `b[k][n]` to `b[k + 1][n]` and to `b[k][n + 1]`, of which one is 1.
pub(super) fn pack(set: InstructionSet, b: &[f32], steps: [usize; 2], [depth, columns]: [usize; 2], to: &mut [f32]) {
    assert!(depth > 0 && columns > 0 && steps.contains(&1));
    assert!(b.len() > (depth - 1) * steps[0] + (columns - 1) * steps[1] && to.len() >= depth * padded(columns));
    let (b, to) = (b.as_ptr(), to.as_mut_ptr());
    dispatch!(set, pack_panels, (b: *const f32, steps: [usize; 2], depth: usize, columns: usize, to: *mut f32));
}

/// Vectors of the panel that begins where `left` vectors are left.
///
/// Four for AVX-512, so that with six rows 24 of its 32 registers hold sums; one, of two registers each, for others.
#[inline(always)]
fn panel<const P: usize>(left: usize) -> usize {
    match left {
        _ if P == 1 => 1,
        0..=1 => 1,
        2..=3 => 2,
        _ => 4,
    }
}

#[inline(always)]
unsafe fn pack_panels<S: Simd, const V: usize, const P: usize, const IN: usize>(
    b: *const f32,
    steps: [usize; 2],
    depth: usize,
    columns: usize,
    to: *mut f32,
) {
    let n_vectors = padded(columns) / S::LANES;
    let (mut first, mut to) = (0, to);
    unsafe {
        while first < n_vectors {
            let width = panel::<P>(n_vectors - first) * S::LANES;
            let start = first * S::LANES;
            let present = columns.saturating_sub(start).min(width);
            let b = b.add(if present > 0 { start * steps[1] } else { 0 });
            if present < width {
                to.write_bytes(0, depth * width);
            }
            if steps[1] == 1 {
                for k in 0..depth {
                    to.add(k * width).copy_from_nonoverlapping(b.add(k * steps[0]), present);
                }
            } else {
                // Squares, of which each line is read once.
                for first in (0..depth).step_by(MAX_LANES) {
                    for n in 0..present {
                        for k in first..(first + MAX_LANES).min(depth) {
                            *to.add(k * width + n) = *b.add(k * steps[0] + n * steps[1]);
                        }
                    }
                }
            }
            to = to.add(depth * width);
            first += width / S::LANES;
        }
    }
}

#[inline(always)]
unsafe fn run<S: Simd, const V: usize, const P: usize, const IN: usize>(product: Product, c: *mut f32, c_step: usize) {
    let n_vectors = padded(product.columns) / S::LANES;
    let (mut first, mut b) = (0, product.b.as_ptr());
    unsafe {
        while first < n_vectors {
            let vectors = panel::<P>(n_vectors - first);
            let mut depth = 0;
            while depth < product.depth {
                let terms = (product.depth - depth).min(DEPTH);
                let place = Place { column: first * S::LANES, depth, terms, c, c_step };
                let b = b.add(depth * vectors * S::LANES);
                match vectors {
                    4 if P != 1 => rows::<S, 4>(&product, b, place),
                    2 if P != 1 => rows::<S, 2>(&product, b, place),
                    _ => rows::<S, 1>(&product, b, place),
                }
                depth += terms;
            }
            b = b.add(product.depth * vectors * S::LANES);
            first += vectors;
        }
    }
}

/// A part of a product: columns from one on, some terms of each sum.
#[derive(Clone, Copy)]
struct Place {
    column: usize,
    depth: usize,
    terms: usize,
    c: *mut f32,
    c_step: usize,
}

#[inline(always)]
unsafe fn rows<S: Simd, const V: usize>(product: &Product, b: *const f32, place: Place) {
    unsafe {
        let mut row = 0;
        while row + ROWS <= product.rows {
            block::<S, ROWS, V>(product, b, place, row);
            row += ROWS;
        }
        while row + 2 <= product.rows {
            block::<S, 2, V>(product, b, place, row);
            row += 2;
        }
        if row < product.rows {
            block::<S, 1, V>(product, b, place, row);
        }
    }
}

#[inline(always)]
unsafe fn block<S: Simd, const R: usize, const V: usize>(product: &Product, b: *const f32, place: Place, row: usize) {
    unsafe {
        let c = place.c.add(row * place.c_step + place.column);
        let mut sums = [[S::splat(0.0); V]; R];
        match product.start {
            Start::Bias(bias) if place.depth == 0 => {
                for v in 0..V {
                    let bias = S::load(bias.as_ptr().add(place.column + v * S::LANES));
                    for r in 0..R {
                        sums[r][v] = bias;
                    }
                }
            }
            Start::Zero if place.depth == 0 => (),
            _ => {
                for r in 0..R {
                    for v in 0..V {
                        sums[r][v] = S::load(c.add(r * place.c_step + v * S::LANES));
                    }
                }
            }
        }
        let [by_row, by_term] = product.a_steps;
        let mut a = product.a.as_ptr().add(row * by_row + place.depth * by_term);
        let mut b = b;
        for _ in 0..place.terms {
            let mut factors = [S::splat(0.0); V];
            for v in 0..V {
                factors[v] = S::load(b.add(v * S::LANES));
            }
            for r in 0..R {
                let factor = S::splat(*a.add(r * by_row));
                for v in 0..V {
                    sums[r][v] = S::fma(factor, factors[v], sums[r][v]);
                }
            }
            a = a.wrapping_add(by_term);
            b = b.wrapping_add(V * S::LANES);
        }
        for r in 0..R {
            for v in 0..V {
                S::store(c.add(r * place.c_step + v * S::LANES), sums[r][v]);
            }
        }
    }
}
