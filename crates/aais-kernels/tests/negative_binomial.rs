//! The negative binomial log-likelihood: closed form, reference, gradients, instruction sets, edges.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod common;

use aais_kernels::negative_binomial::{
    negative_binomial_log_likelihood_on, negative_binomial_log_likelihood_reference as reference,
};
use aais_kernels::{InstructionSet, negative_binomial_log_likelihood, negative_binomial_score};
use candle_core::{D, DType, Device, Result, Tensor, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{Discrete, NegativeBinomial};

use common::{relative_error, uniform};

struct Case {
    logits: Tensor,
    counts: Tensor,
    library_sizes: Tensor,
    dispersions: Tensor,
    cotangent: Tensor,
}

impl Case {
    /// Counts as of single cells: two of three are zero, some are large.
    fn new(rows: usize, n_samples: usize, width: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64((rows * n_samples * width) as u64);
        let counts: Vec<f32> = (0..rows * width)
            .map(|_| if rng.random_bool(0.67) { 0.0 } else { rng.random_range(0.0f32..6.0).exp().floor() })
            .collect();
        let counts = Tensor::from_vec(counts, (rows, width), &Device::Cpu).unwrap();
        Self {
            logits: (uniform(&[rows, n_samples, width], &mut rng) * 4.0).unwrap(),
            library_sizes: counts.sum(D::Minus1).unwrap(),
            counts,
            dispersions: (uniform(&[width], &mut rng) * 3.0).unwrap(),
            cotangent: uniform(&[rows, n_samples], &mut rng),
        }
    }

    /// Value and the gradients by logits and dispersions, in a type.
    fn run(&self, dtype: DType, f: impl Fn(&Tensor, &Tensor, &Tensor, &Tensor) -> Result<Tensor>) -> [Tensor; 3] {
        let cast = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap();
        let leaf = |tensor: &Tensor| Var::from_tensor(&cast(tensor)).unwrap();
        let (logits, dispersions) = (leaf(&self.logits), leaf(&self.dispersions));
        let value = f(&logits, &cast(&self.counts), &cast(&self.library_sizes), &dispersions).unwrap();
        let loss = (&value * cast(&self.cotangent)).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        [value, gradients.get(&logits).unwrap().clone(), gradients.get(&dispersions).unwrap().clone()]
    }
}

const PARTS: [&str; 3] = ["value", "by logits", "by dispersions"];

#[test]
fn it_is_the_sum_of_the_laws_log_probabilities() {
    let case = Case::new(4, 3, 11);
    let found = negative_binomial_log_likelihood(&case.logits, &case.counts, &case.library_sizes, &case.dispersions)
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    let (logits, counts) = (case.logits.to_vec3::<f32>().unwrap(), case.counts.to_vec2::<f32>().unwrap());
    let rho = case.dispersions.to_vec1::<f32>().unwrap();
    for (row, counts) in counts.iter().enumerate() {
        for (sample, logits) in logits[row].iter().enumerate() {
            let total: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
            let library: f32 = counts.iter().sum();
            let exact: f64 = (0..counts.len())
                .map(|gene| {
                    let mean = f64::from(library) * f64::from(logits[gene]).exp() / total;
                    let r = f64::from(rho[gene]).exp();
                    NegativeBinomial::new(r, r / (r + mean)).unwrap().ln_pmf(counts[gene] as u64)
                })
                .sum();
            let found = f64::from(found[row][sample]);
            // Single precision of the largest terms, counts of some hundred times a logit of about ten.
            assert!((found - exact).abs() < 3e-3 + 1e-5 * exact.abs(), "{found} {exact}");
        }
    }
}

#[test]
fn fused_equals_reference_on_every_instruction_set() {
    // One row, widths around those of vectors, more rows than groups.
    for (rows, n_samples, width) in
        [(1, 1, 1), (1, 5, 2), (3, 2, 15), (2, 33, 17), (7, 4, 16), (19, 3, 100), (2, 3, 1200)]
    {
        let case = Case::new(rows, n_samples, width);
        let exact = case.run(DType::F64, reference);
        for set in InstructionSet::available() {
            let fused = case.run(DType::F32, |l, x, t, r| negative_binomial_log_likelihood_on(set, l, x, t, r));
            for (what, (fused, exact)) in PARTS.iter().zip(fused.iter().zip(&exact)) {
                let error = relative_error(fused, exact);
                // Single precision; of the largest entry.
                assert!(error < 2e-5, "{what} of {rows} x {n_samples} x {width}, {set:?}: {error}");
            }
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let case = Case::new(2, 2, 5);
    let [_, by_logits, by_dispersions] = case.run(DType::F64, reference);
    let loss = |case: &Case| {
        let cast = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap();
        let [logits, counts, sizes, rho] =
            [&case.logits, &case.counts, &case.library_sizes, &case.dispersions].map(cast);
        let value = reference(&logits, &counts, &sizes, &rho).unwrap();
        (value * cast(&case.cotangent)).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap()
    };
    let check = |part: &Tensor, exact: &Tensor, change: &dyn Fn(Tensor) -> f64| {
        let exact = exact.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let part = part.to_dtype(DType::F64).unwrap();
        let values = part.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let scale = exact.iter().fold(1.0f64, |most, e| most.max(e.abs()));
        for (k, exact) in exact.iter().enumerate() {
            let at = |step: f64| {
                let mut moved = values.clone();
                moved[k] += step;
                change(Tensor::from_vec(moved, part.shape(), &Device::Cpu).unwrap())
            };
            let found = (at(1e-5) - at(-1e-5)) / 2e-5;
            // Third derivatives times 1e-10, and rounding of sums of some thousands over 2e-5.
            assert!((found - exact).abs() < 1e-7 * scale, "{found} {exact}");
        }
    };
    let clone = || Case::new(2, 2, 5);
    check(&case.logits, &by_logits, &|logits| loss(&Case { logits, ..clone() }));
    check(&case.dispersions, &by_dispersions, &|dispersions| loss(&Case { dispersions, ..clone() }));
}

#[test]
fn score_is_the_gradient_by_the_logits_and_has_gradients() {
    let case = Case::new(3, 4, 9);
    let run = |dtype| {
        let cast = |tensor: &Tensor| tensor.to_dtype(dtype).unwrap();
        negative_binomial_score(
            &cast(&case.logits),
            &cast(&case.counts),
            &cast(&case.library_sizes),
            &cast(&case.dispersions),
        )
        .unwrap()
    };
    let ones = Case { cotangent: case.cotangent.ones_like().unwrap(), ..Case::new(3, 4, 9) };
    for dtype in [DType::F32, DType::F64] {
        let [_, by_logits, _] = ones.run(dtype, negative_binomial_log_likelihood);
        assert!(relative_error(&run(dtype), &by_logits) < if dtype == DType::F32 { 1e-5 } else { 1e-13 });
    }

    // A finite difference of the score in a random direction of logits and dispersions.
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap();
    let [counts, sizes] = [&case.counts, &case.library_sizes].map(wide);
    let directions = [uniform(&[3, 4, 9], &mut rng), uniform(&[9], &mut rng)].map(|t| wide(&t));
    let cotangent = wide(&uniform(&[3, 4, 9], &mut rng));
    let loss = |logits: &Tensor, rho: &Tensor| {
        let score = negative_binomial_score(logits, &counts, &sizes, rho).unwrap();
        (score * &cotangent).unwrap().sum_all().unwrap()
    };
    let leaves = [&case.logits, &case.dispersions].map(|tensor| Var::from_tensor(&wide(tensor)).unwrap());
    let gradients = loss(&leaves[0], &leaves[1]).backward().unwrap();
    let dot = |a: &Tensor, b: &Tensor| (a * b).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap();
    let exact: f64 = leaves.iter().zip(&directions).map(|(leaf, d)| dot(gradients.get(leaf).unwrap(), d)).sum();
    let at = |step: f64| {
        let [logits, rho] = [0, 1].map(|k| (leaves[k].as_tensor() + (&directions[k] * step).unwrap()).unwrap());
        loss(&logits, &rho).to_scalar::<f64>().unwrap()
    };
    let found = (at(1e-5) - at(-1e-5)) / 2e-5;
    assert!((found / exact - 1.0).abs() < 1e-7, "{found} {exact}");
}

#[test]
fn avx2_has_the_bits_of_avx512_and_threads_change_none() {
    let bits = |parts: [Tensor; 3]| parts.map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
    for (rows, n_samples, width) in [(19, 7, 37), (128, 2, 1200)] {
        let case = Case::new(rows, n_samples, width);
        let on = |set, n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let run = || case.run(DType::F32, |l, x, t, r| negative_binomial_log_likelihood_on(set, l, x, t, r));
            bits(pool.install(run))
        };
        for set in InstructionSet::available() {
            let one = on(set, 1);
            assert_eq!(one, on(set, 2), "{set:?}");
            assert_eq!(one, on(set, 5), "{set:?}");
            if set.has_bits_of("avx512") && InstructionSet::best().has_bits_of("avx512") {
                assert_eq!(one, on(InstructionSet::best(), 1), "{set:?}");
            }
        }
    }
}

/// One row of three genes and one sample.
fn one(logits: [f32; 3], counts: [f32; 3], library_size: f32, dispersions: [f32; 3]) -> [Vec<f32>; 3] {
    let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
    let case = Case {
        logits: tensor(&logits).reshape((1, 1, 3)).unwrap(),
        counts: tensor(&counts).reshape((1, 3)).unwrap(),
        library_sizes: tensor(&[library_size]),
        dispersions: tensor(&dispersions),
        cotangent: Tensor::ones((1, 1), DType::F32, &Device::Cpu).unwrap(),
    };
    case.run(DType::F32, negative_binomial_log_likelihood).map(|t| t.flatten_all().unwrap().to_vec1().unwrap())
}

#[test]
fn an_empty_cell_is_as_likely_as_can_be_and_teaches_nothing() {
    let [value, by_logits, _] = one([0.5, -1.0, 2.0], [0.0; 3], 0.0, [0.0, 3.0, -3.0]);
    // Three means of 1e-10, exactly zero in single precision beside 1.
    assert!(value[0].abs() < 1e-9 && value[0] <= 0.0, "{value:?}");
    assert_eq!(by_logits, [0.0; 3]);
}

#[test]
fn extreme_counts_dispersions_and_logits_have_finite_values_near_the_exact_ones() {
    for (logits, counts, dispersions) in [
        ([0.0, 60.0, -60.0], [1e6, 3.0, 0.0], [0.0, 0.0, 0.0]),
        ([0.0, 1.0, 2.0], [1e6, 1e6, 1e6], [18.4, 0.0, -18.4]), // From 1e-8 to 1e8.
        ([-300.0, 0.0, 300.0], [1.0, 0.0, 7.0], [-40.0, 40.0, 80.0]),
        ([f32::NEG_INFINITY, 0.0, 1.0], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0]),
    ] {
        let library: f32 = counts.iter().sum();
        let found = one(logits, counts, library, dispersions);
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
        let exact = reference(
            &tensor(&logits).reshape((1, 1, 3)).unwrap(),
            &tensor(&counts).reshape((1, 3)).unwrap(),
            &tensor(&[library]),
            &tensor(&dispersions),
        )
        .unwrap()
        .to_vec2::<f64>()
        .unwrap()[0][0];
        assert!(found.iter().flatten().all(|value| value.is_finite()), "{found:?}");
        // Terms of up to a count times forty, in single precision.
        let tolerance = 4e-6 * (f64::from(library) * 40.0 + 1.0);
        assert!((f64::from(found[0][0]) - exact).abs() < tolerance, "{} {exact} at {logits:?}", found[0][0]);
    }
}

#[test]
fn nan_stays_nan() {
    let finite = ([0.0, 1.0, 2.0], [1.0, 0.0, 3.0], 4.0, [0.0; 3]);
    let value = |(logits, counts, library, dispersions)| one(logits, counts, library, dispersions)[0][0];
    assert!(value(finite).is_finite());
    for broken in [
        ([0.0, f32::NAN, 2.0], finite.1, finite.2, finite.3),
        ([0.0, f32::INFINITY, 2.0], finite.1, finite.2, finite.3),
        ([f32::NEG_INFINITY; 3], finite.1, finite.2, finite.3),
        (finite.0, [1.0, f32::NAN, 3.0], finite.2, finite.3),
        (finite.0, [1.0, -1.0, 3.0], finite.2, finite.3),
        (finite.0, finite.1, f32::NAN, finite.3),
        (finite.0, finite.1, -1.0, finite.3),
        (finite.0, finite.1, finite.2, [0.0, f32::NAN, 0.0]),
        (finite.0, finite.1, finite.2, [0.0, 89.0, 0.0]),
    ] {
        assert!(value(broken).is_nan(), "{broken:?}");
    }
}

#[test]
fn a_view_is_taken_as_it_reads_and_no_rows_give_no_output() {
    let case = Case::new(3, 4, 10);
    let view = case.logits.transpose(1, 2).unwrap().contiguous().unwrap().transpose(1, 2).unwrap();
    assert!(!view.is_contiguous());
    let of = |logits: &Tensor| {
        negative_binomial_log_likelihood(logits, &case.counts, &case.library_sizes, &case.dispersions).unwrap()
    };
    assert_eq!(of(&view).to_vec2::<f32>().unwrap(), of(&case.logits).to_vec2::<f32>().unwrap());

    let none = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let empty = negative_binomial_log_likelihood(&none(&[0, 4, 10]), &none(&[0, 10]), &none(&[0]), &none(&[10]));
    assert_eq!(empty.unwrap().dims(), [0, 4]);
}

#[test]
fn shapes_that_do_not_fit_are_told() {
    let case = Case::new(3, 4, 10);
    let error = negative_binomial_log_likelihood(&case.logits, &case.counts, &case.dispersions, &case.dispersions);
    assert!(error.unwrap_err().to_string().contains("3 rows need as many library sizes"));
    let error = negative_binomial_log_likelihood(&case.logits, &case.cotangent, &case.library_sizes, &case.dispersions);
    assert!(error.unwrap_err().to_string().contains("(3, 10)"));
}
