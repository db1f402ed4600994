//! Matrix products of one panel: a block of outputs by rows stays in registers, weights are broadcast.

#![expect(clippy::needless_range_loop, reason = "register blocks are indexed like the matrices they hold")]

use super::plan::{MAX_LANES, PANEL, Panels};
use crate::simd::Simd;

/// Outputs of a register block.
const OUTPUTS: usize = 4;

/// What a matrix product begins with.
#[derive(Clone, Copy)]
pub(super) enum Start {
    Zero,
    /// One value an output.
    Bias(*const f32),
    /// What the output holds.
    Output,
}

/// `y[o][row] = start + sum_i weights[o * by_output + i * by_input] x[i][row]` over one panel.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub weights: *const f32,
    pub by_output: usize,
    pub by_input: usize,
    pub n_in: usize,
    pub n_out: usize,
}

impl Product {
    #[inline(always)]
    pub unsafe fn run<S: Simd, const V: usize>(&self, x: *const f32, start: Start, y: *mut f32) {
        unsafe {
            for row in (0..PANEL).step_by(V * S::LANES) {
                let mut o = 0;
                while o + OUTPUTS <= self.n_out {
                    self.block::<S, V, OUTPUTS>(x.add(row), start, y.add(row), o);
                    o += OUTPUTS;
                }
                match self.n_out - o {
                    3 => self.block::<S, V, 3>(x.add(row), start, y.add(row), o),
                    2 => self.block::<S, V, 2>(x.add(row), start, y.add(row), o),
                    1 => self.block::<S, V, 1>(x.add(row), start, y.add(row), o),
                    _ => (),
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn block<S: Simd, const V: usize, const O: usize>(
        &self,
        x: *const f32,
        start: Start,
        y: *mut f32,
        first: usize,
    ) {
        unsafe {
            let mut sums = [[S::splat(0.0); V]; O];
            for o in 0..O {
                for v in 0..V {
                    sums[o][v] = match start {
                        Start::Zero => S::splat(0.0),
                        Start::Bias(bias) => S::splat(*bias.add(first + o)),
                        Start::Output => S::load(y.add((first + o) * PANEL + v * S::LANES)),
                    };
                }
            }
            let weights = self.weights.add(first * self.by_output);
            for i in 0..self.n_in {
                let mut inputs = [S::splat(0.0); V];
                for v in 0..V {
                    inputs[v] = S::load(x.add(i * PANEL + v * S::LANES));
                }
                for o in 0..O {
                    let weight = S::splat(*weights.add(o * self.by_output + i * self.by_input));
                    for v in 0..V {
                        sums[o][v] = S::fma(weight, inputs[v], sums[o][v]);
                    }
                }
            }
            for o in 0..O {
                for v in 0..V {
                    S::store(y.add((first + o) * PANEL + v * S::LANES), sums[o][v]);
                }
            }
        }
    }
}

/// `gradient[o * n_in + i] += sum_rows dy[o][row] x[i][row]`.
#[inline(always)]
pub(super) unsafe fn outer_products<S: Simd, const IN: usize>(
    dy: Panels,
    n_out: usize,
    x: Panels,
    n_in: usize,
    gradient: *mut f32,
) {
    unsafe {
        let mut o = 0;
        while o < n_out {
            let is_wide = o + OUTPUTS <= n_out;
            let mut i = 0;
            while i < n_in {
                let to = gradient.add(o * n_in + i);
                let is_long = i + IN <= n_in;
                let in_square = is_wide && i < n_in / OUTPUTS * OUTPUTS;
                match (is_wide, is_long) {
                    (true, true) => outer_block::<S, OUTPUTS, IN>(dy, o, x, i, to, n_in, in_square),
                    (true, false) => outer_block::<S, OUTPUTS, 1>(dy, o, x, i, to, n_in, in_square),
                    (false, true) => outer_block::<S, 1, IN>(dy, o, x, i, to, n_in, in_square),
                    (false, false) => outer_block::<S, 1, 1>(dy, o, x, i, to, n_in, in_square),
                }
                i += if is_long { IN } else { 1 };
            }
            o += if is_wide { OUTPUTS } else { 1 };
        }
    }
}

#[inline(always)]
unsafe fn outer_block<S: Simd, const O: usize, const I: usize>(
    dy: Panels,
    first_out: usize,
    x: Panels,
    first_in: usize,
    to: *mut f32,
    n_in: usize,
    in_square: bool,
) {
    unsafe {
        let mut sums = [[S::splat(0.0); I]; O];
        for p in 0..dy.count {
            let (dy, x) = (dy.at(p).add(first_out * PANEL), x.at(p).add(first_in * PANEL));
            for row in (0..PANEL).step_by(S::LANES) {
                let mut inputs = [S::splat(0.0); I];
                for i in 0..I {
                    inputs[i] = S::load(x.add(i * PANEL + row));
                }
                for o in 0..O {
                    let cotangent = S::load(dy.add(o * PANEL + row));
                    for i in 0..I {
                        sums[o][i] = S::fma(cotangent, inputs[i], sums[o][i]);
                    }
                }
            }
        }
        let sums = S::sum_block(sums, in_square);
        for o in 0..O {
            for i in 0..I {
                *to.add(o * n_in + i) += sums[o][i];
            }
        }
    }
}

/// Adds each output's rows to its lanes.
#[inline(always)]
pub(super) unsafe fn row_sums<S: Simd>(dy: Panels, n_out: usize, lanes: *mut f32) {
    unsafe {
        for o in 0..n_out {
            let mut sum = S::load(lanes.add(o * MAX_LANES));
            for p in 0..dy.count {
                for row in (0..PANEL).step_by(S::LANES) {
                    sum = S::add(sum, S::load(dy.at(p).add(o * PANEL + row)));
                }
            }
            S::store(lanes.add(o * MAX_LANES), sum);
        }
    }
}
