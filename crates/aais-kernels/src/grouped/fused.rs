//! The fused operation: groups one after another.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::curve::Curve;
use super::rows::{Group, Pulled, backward, forward};
use crate::buffer::{Buffer, f32_slice, with_values};
use crate::simd::{InstructionSet, dispatch};

/// Lanes of the widest instruction set; samples are padded to a multiple.
const MOST_LANES: usize = 16;

pub(super) struct GroupedSum {
    curve: Curve,
    sizes: Vec<usize>,
    loadings: Tensor,
    set: InstructionSet,
}

impl GroupedSum {
    pub fn new(curve: Curve, sizes: Vec<usize>, loadings: Tensor) -> Self {
        Self { curve, sizes, loadings, set: InstructionSet::best() }
    }

    /// Calls `f` with each group's number and rows.
    fn each_group(&self, mut f: impl FnMut(usize, std::ops::Range<usize>)) {
        let mut start = 0;
        for (group, &size) in self.sizes.iter().enumerate() {
            f(group, start..start + size);
            start += size;
        }
    }
}

/// `(M, q)` to `(q, padded M)`.
fn transpose(effects: &[f32], n_effects: usize, transposed: &mut [f32]) {
    let n_padded = transposed.len() / n_effects.max(1);
    transposed.fill(0.0);
    for (sample, effects) in effects.chunks_exact(n_effects.max(1)).enumerate() {
        for (effect, value) in effects.iter().enumerate() {
            transposed[effect * n_padded + sample] = *value;
        }
    }
}

impl CustomOp3 for GroupedSum {
    fn name(&self) -> &'static str {
        "grouped_sum"
    }

    fn cpu_fwd(
        &self,
        effects: &CpuStorage,
        l1: &Layout,
        shift: &CpuStorage,
        l2: &Layout,
        coefficients: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.set.check()?;
        let (n_groups, n_samples, n_effects) = l1.shape().dims3()?;
        let n_padded = n_samples.next_multiple_of(MOST_LANES);
        let (effects, shift) = (f32_slice(effects, l1)?, f32_slice(shift, l2)?);
        let (a, b) = f32_slice(coefficients, l3)?.split_at(shift.len());
        let mut transposed = Buffer::take(n_effects * n_padded);
        let mut sums = Buffer::take(n_padded);
        let mut values = vec![0.0f32; n_groups * n_samples];
        with_values(&self.loadings, |loadings| {
            self.each_group(|group, rows| {
                let own = group * n_samples..(group + 1) * n_samples;
                transpose(&effects[own.start * n_effects..own.end * n_effects], n_effects, &mut transposed);
                let group = Group {
                    curve: self.curve,
                    loadings: &loadings[rows.start * n_effects..rows.end * n_effects],
                    shift: &shift[rows.clone()],
                    a: &a[rows.clone()],
                    b: &b[rows],
                    effects: &transposed,
                    n_effects,
                    n_padded,
                };
                let (group, sums) = (&group, &mut *sums);
                dispatch!(self.set, forward, (group: &Group<'_>, sums: &mut [f32]));
                values[own].copy_from_slice(&sums[..n_samples]);
            });
            Ok(())
        })?;
        Ok((CpuStorage::F32(values), Shape::from((n_groups, n_samples))))
    }

    fn bwd(
        &self,
        effects: &Tensor,
        shift: &Tensor,
        coefficients: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (_, n_samples, n_effects) = effects.dims3()?;
        let (n_rows, n_padded) = (shift.elem_count(), n_samples.next_multiple_of(MOST_LANES));
        let mut transposed = Buffer::take(n_effects * n_padded);
        let mut pulled_effects = Buffer::take(n_effects * n_padded);
        let mut padded = Buffer::take(n_padded);
        padded.fill(0.0);
        let mut by_effects = vec![0.0f32; effects.elem_count()];
        let (mut by_shift, mut by_coefficients) = (vec![0.0f32; n_rows], vec![0.0f32; 2 * n_rows]);
        let (by_a, by_b) = by_coefficients.split_at_mut(n_rows);
        with_all(
            [effects, shift, coefficients, gradient, &self.loadings],
            |[effects, shift, ab, gradient, loadings]| {
                let (a, b) = ab.split_at(n_rows);
                self.each_group(|group, rows| {
                    let own = group * n_samples..(group + 1) * n_samples;
                    let of_effects = own.start * n_effects..own.end * n_effects;
                    transpose(&effects[of_effects.clone()], n_effects, &mut transposed);
                    padded[..n_samples].copy_from_slice(&gradient[own]);
                    pulled_effects.fill(0.0);
                    let group = Group {
                        curve: self.curve,
                        loadings: &loadings[rows.start * n_effects..rows.end * n_effects],
                        shift: &shift[rows.clone()],
                        a: &a[rows.clone()],
                        b: &b[rows.clone()],
                        effects: &transposed,
                        n_effects,
                        n_padded,
                    };
                    let mut pulled = Pulled {
                        gradient: &padded,
                        effects: &mut pulled_effects,
                        shift: &mut by_shift[rows.clone()],
                        a: &mut by_a[rows.clone()],
                        b: &mut by_b[rows],
                    };
                    let (group, pulled) = (&group, &mut pulled);
                    dispatch!(self.set, backward, (group: &Group<'_>, pulled: &mut Pulled<'_>));
                    for (sample, by) in by_effects[of_effects].chunks_exact_mut(n_effects.max(1)).enumerate() {
                        by.iter_mut().enumerate().for_each(|(k, by)| *by = pulled.effects[k * n_padded + sample]);
                    }
                });
                Ok(())
            },
        )?;
        let device = effects.device();
        Ok((
            Some(Tensor::from_vec(by_effects, effects.shape(), device)?),
            Some(Tensor::from_vec(by_shift, shift.shape(), device)?),
            Some(Tensor::from_vec(by_coefficients, coefficients.shape(), device)?),
        ))
    }
}

/// [`with_values`] of five tensors.
fn with_all<T>(tensors: [&Tensor; 5], f: impl FnOnce([&[f32]; 5]) -> Result<T>) -> Result<T> {
    let [first, second, third, fourth, fifth] = tensors;
    with_values(first, |first| {
        with_values(second, |second| {
            with_values(third, |third| {
                with_values(fourth, |fourth| with_values(fifth, |fifth| f([first, second, third, fourth, fifth])))
            })
        })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use candle_core::{Device, Var};

    use super::super::{GroupedRows, grouped_sum, reference, segment_mean, segments::segment_mean_reference};
    use super::*;

    const CURVES: [Curve; 4] = [Curve::Logistic, Curve::Rising, Curve::Falling, Curve::Quadratic];

    /// The logistic curve as a function, `b` the share of successes.
    fn logit(b: f64, eta: f64) -> [f64; 2] {
        [b * eta - eta.max(0.0) - (-eta.abs()).exp().ln_1p(), b - 1.0 / (1.0 + (-eta).exp())]
    }

    struct Case {
        rows: GroupedRows,
        effects: Var,
        shift: Var,
        coefficients: Var,
        gradient: Tensor,
    }

    /// Groups of no, one and several rows; as many samples as fill no register.
    fn case(sizes: &[usize], n_samples: usize, n_effects: usize) -> Case {
        let n_rows: usize = sizes.iter().sum();
        let mut state = 12345u32;
        let mut draw = |shape: &[usize]| {
            let n: usize = shape.iter().product();
            let values: Vec<f32> = (0..n)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    #[expect(clippy::cast_precision_loss, reason = "sixteen bits")]
                    let uniform = (state >> 16) as f32 / 65536.0;
                    2.0 * uniform - 1.0
                })
                .collect();
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        Case {
            effects: Var::from_tensor(&draw(&[sizes.len(), n_samples, n_effects])).unwrap(),
            shift: Var::from_tensor(&draw(&[n_rows])).unwrap(),
            coefficients: Var::from_tensor(&draw(&[2, n_rows])).unwrap(),
            gradient: draw(&[sizes.len(), n_samples]),
            rows: GroupedRows { sizes: sizes.to_vec(), loadings: draw(&[n_rows, n_effects]) },
        }
    }

    impl Case {
        fn gradients(&self, values: &Tensor) -> Vec<Vec<f32>> {
            let store = (values * &self.gradient).unwrap().sum_all().unwrap().backward().unwrap();
            let of = |var: &Var| store.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            [&self.effects, &self.shift, &self.coefficients].map(of).to_vec()
        }

        fn fused(&self, curve: Curve, set: InstructionSet) -> Tensor {
            let operation =
                GroupedSum { set, ..GroupedSum::new(curve, self.rows.sizes.clone(), self.rows.loadings.clone()) };
            self.effects.apply_op3(&self.shift, &self.coefficients, operation).unwrap()
        }
    }

    fn flat(values: &Tensor) -> Vec<f32> {
        values.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Sums of a few dozen terms of size one in single precision.
    fn assert_close(found: &[f32], expected: &[f32], what: &str) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 2e-5, "{what}: {found}, expected {expected}");
        }
    }

    #[test]
    fn values_and_gradients_are_the_reference_s_on_every_instruction_set() {
        for (sizes, n_samples, n_effects) in
            [(&[3usize, 0, 1, 7][..], 5, 2), (&[1], 1, 1), (&[4, 2], 33, 3), (&[0, 0], 4, 1)]
        {
            let case = case(sizes, n_samples, n_effects);
            for curve in CURVES {
                let expected = reference(curve, &case.rows, &case.effects, &case.shift, &case.coefficients).unwrap();
                for set in InstructionSet::available() {
                    let found = case.fused(curve, set);
                    assert_close(&flat(&found), &flat(&expected), &format!("{curve:?} {set:?}"));
                    if sizes.iter().sum::<usize>() > 0 {
                        for (found, expected) in case.gradients(&found).iter().zip(case.gradients(&expected)) {
                            assert_close(found, &expected, &format!("gradient of {curve:?} {set:?}"));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn sixteen_lanes_have_the_same_bits() {
        let case = case(&[3, 0, 1, 7], 37, 2);
        let sixteen: Vec<InstructionSet> =
            InstructionSet::available().into_iter().filter(|set| set.has_bits_of("avx512")).collect();
        for curve in CURVES {
            let all: Vec<Vec<Vec<f32>>> = sixteen
                .iter()
                .map(|&set| {
                    let values = case.fused(curve, set);
                    [vec![flat(&values)], case.gradients(&values)].concat()
                })
                .collect();
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{curve:?}");
        }
    }

    #[test]
    fn a_function_does_as_the_curve_it_is() {
        let case = case(&[3, 0, 1, 7], 5, 2);
        // a (b η − log(1 + e^η)) is Logistic with a b and a.
        let [a, b] = [0, 1].map(|k| case.coefficients.get(k).unwrap());
        let named = Tensor::stack(&[(&a * &b).unwrap(), a], 0).unwrap();
        let expected = grouped_sum(Curve::Logistic, &case.rows, &case.effects, &case.shift, &named).unwrap();
        let found =
            grouped_sum(Curve::Other(logit), &case.rows, &case.effects, &case.shift, &case.coefficients).unwrap();
        assert_close(&flat(&found), &flat(&expected), "values");
        let (found, expected) = (case.gradients(&found), case.gradients(&expected));
        assert_close(&found[0], &expected[0], "gradient by effects");
        assert_close(&found[1], &expected[1], "gradient by shifts");
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let case = case(&[3, 1], 5, 2);
        let rows = GroupedRows { sizes: vec![3, 2], ..case.rows.clone() };
        let sum = |rows: &GroupedRows, shift: &Tensor| {
            grouped_sum(Curve::Rising, rows, &case.effects, shift, &case.coefficients).map(|_| ())
        };
        assert!(sum(&rows, &case.shift).unwrap_err().to_string().contains("do not fit effects"));
        let short = case.shift.narrow(0, 0, 2).unwrap();
        assert!(sum(&case.rows, &short).unwrap_err().to_string().contains("4 rows need shifts"));
    }

    #[test]
    fn means_of_segments_are_the_reference_s() {
        let rows = Var::new(&[[1.0f32, 2.0], [3.0, 5.0], [-1.0, 0.5]], &Device::Cpu).unwrap();
        let sizes = [2usize, 0, 1];
        let weights = Tensor::new(&[[0.5f32, 1.0], [3.0, 4.0], [2.0, -1.0]], &Device::Cpu).unwrap();
        let results = [segment_mean(&rows, &sizes), segment_mean_reference(&rows, &sizes)].map(|means| {
            let means = means.unwrap();
            let store = (&means * &weights).unwrap().sum_all().unwrap().backward().unwrap();
            (flat(&means), flat(store.get(&rows).unwrap()))
        });
        assert_eq!(results[0], results[1]);
        assert_eq!(results[0].0, [2.0, 3.5, 0.0, 0.0, -1.0, 0.5]);
        assert!(segment_mean(&rows, &[2]).unwrap_err().to_string().contains("2 rows do not fit 3 rows"));
    }
}
