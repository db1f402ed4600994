//! Log-likelihoods of rows on the model where they are known, and draws of every likelihood.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_precision_loss)]

mod common;

use aais_distributions::{LogDensity, Noise, StandardNormal};
use aais_models::{
    Amortized, AnnealedImportance, Batch, Bernoulli, ChainStart, Importance, LatentModel, Likelihood, Logistic,
    NegativeBinomial, Normal, Poisson, ScviModel, ScviWidths, Simulated,
};
use candle_core::{Device, Tensor};

use common::{OBSERVED, batch, log_evidence, model, posterior_mean, posterior_variance};

fn importance(n_samples: usize) -> Importance {
    Importance { n_samples, widen: 1.0, prior_share: 0.0 }
}

fn annealed(n_temperatures: usize) -> AnnealedImportance {
    AnnealedImportance { n_temperatures, n_chains: 16, n_moves: 1, start: ChainStart::Prior }
}

/// A proposal that is neither at the posteriors nor as wide.
fn poor() -> LatentModel {
    model(0.0, 0.3, 0.64f64.ln())
}

/// Mean and standard error.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))).sqrt())
}

/// Rows of the model's own, with the posterior draws they come from.
fn simulated(model: &LatentModel, n: usize) -> Simulated {
    let rows = Batch::of_rows(Tensor::zeros((n, 1), candle_core::DType::F32, &Device::Cpu).unwrap(), (0..n).collect());
    model.simulate(&rows, &Noise::new(11)).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(candle_core::DType::F64).unwrap().to_vec1().unwrap()
}

#[test]
fn importance_sampling_finds_the_evidence_within_its_error() {
    for of in [
        importance(5000),
        Importance { widen: 1.5, ..importance(5000) },
        Importance { prior_share: 0.2, ..importance(5000) },
    ] {
        let found = of.log_likelihoods(&poor(), &batch(), &Noise::new(1)).unwrap();
        for (row, x) in found.iter().zip(OBSERVED) {
            assert!((row.value - log_evidence(x)).abs() < 4.0 * row.std_error, "{of:?}: {row:?} {}", log_evidence(x));
            assert!(row.std_error < 0.05 && row.ess < 5000.0 && !row.is_unreliable(), "{row:?}");
        }
    }
}

/// From the posterior itself each weight is `p(x)`, as far as single precision goes.
#[test]
fn the_exact_posterior_as_proposal_leaves_no_error() {
    let (weight, bias) = posterior_mean();
    let found =
        importance(500).log_likelihoods(&model(weight, bias, posterior_variance().ln()), &batch(), &Noise::new(1));
    for (row, x) in found.unwrap().iter().zip(OBSERVED) {
        assert!((row.value - log_evidence(x)).abs() < 2e-6 && row.std_error < 1e-6, "{row:?}");
        assert!((row.ess - 500.0).abs() < 1e-6 && !row.is_unreliable(), "{row:?}");
    }
}

/// Errors are as large as they say, and `E[w] = p(x)`: both from 400 repetitions with few samples.
#[test]
fn estimates_spread_as_their_errors_say() {
    let of = importance(300);
    let (model, batch) = (poor(), batch());
    let runs: Vec<_> = (0..400).map(|seed| of.log_likelihoods(&model, &batch, &Noise::new(seed)).unwrap()).collect();
    for (row, x) in OBSERVED.into_iter().enumerate() {
        let ratios: Vec<f64> = runs.iter().map(|rows| (rows[row].value - log_evidence(x)).exp()).collect();
        let (mean, error) = moments(&ratios);
        assert!((mean - 1.0).abs() < 4.0 * error, "{mean} +- {error}");
        let said = moments(&runs.iter().map(|rows| rows[row].std_error).collect::<Vec<_>>()).0;
        // A standard deviation of 400 values is known to 3.5 %.
        assert!((error * 20.0 / said - 1.0).abs() < 0.15, "{} said {said}", error * 20.0);
    }
}

#[test]
fn a_proposal_that_is_too_sure_is_found_out_and_can_be_widened() {
    let sure = model(0.0, 0.0, (0.003f64).ln());
    let found = importance(5000).log_likelihoods(&sure, &batch(), &Noise::new(1)).unwrap();
    assert!(found.iter().all(|row| row.is_unreliable() && row.ess < 500.0), "{found:?}");
    for wider in [Importance { widen: 15.0, ..importance(5000) }, Importance { prior_share: 0.5, ..importance(5000) }] {
        let found = wider.log_likelihoods(&sure, &batch(), &Noise::new(1)).unwrap();
        for (row, x) in found.iter().zip(OBSERVED) {
            assert!(!row.is_unreliable() && (row.value - log_evidence(x)).abs() < 4.0 * row.std_error, "{row:?}");
        }
    }
}

#[test]
fn a_row_by_itself_has_the_bits_it_has_among_others() {
    let together = importance(1000).log_likelihoods(&poor(), &batch(), &Noise::new(1)).unwrap();
    for (row, together) in together.iter().enumerate() {
        let observed = batch().observed.narrow(0, row, 1).unwrap();
        let alone = importance(1000).log_likelihoods(&poor(), &Batch::of_rows(observed, vec![row]), &Noise::new(1));
        assert_eq!(alone.unwrap()[0], *together);
    }
    // More samples than are worked on at once.
    let many = importance(70_000).log_likelihoods(&poor(), &batch(), &Noise::new(1)).unwrap();
    assert!((many[0].value - log_evidence(OBSERVED[0])).abs() < 4.0 * many[0].std_error && many[0].std_error < 0.01);
}

#[test]
fn simulated_rows_have_the_law_of_the_model_and_posterior_draws() {
    let model = poor();
    let Simulated { batch, z } = simulated(&model, 4000);
    let (x, z) = (values(&batch.observed), values(&z));
    let variance = common::A * common::A + common::NOISE_VARIANCE;
    let evidence: Vec<f64> = x.iter().map(|x| log_evidence(*x)).collect();
    let (mean, error) = moments(&evidence);
    let exact = -0.5 * (1.0 + (std::f64::consts::TAU * variance).ln());
    assert!((mean - exact).abs() < 4.0 * error, "{mean} +- {error} for {exact}");

    let (weight, bias) = posterior_mean();
    let standard: Vec<f64> =
        x.iter().zip(&z).map(|(x, z)| (z - weight * x - bias) / posterior_variance().sqrt()).collect();
    let (mean, error) = moments(&standard);
    // Unit normals: mean 0, and variance 1 known to sqrt(2/4000) = .022.
    assert!(mean.abs() < 4.0 * error && (error * error * 4000.0 - 1.0).abs() < 0.09, "{mean} {error}");
}

/// On average over simulated rows: lower bounds below `log p(x)`, upper bounds above, nearer with more temperatures.
#[test]
fn the_evidence_of_simulated_rows_lies_between_the_bounds() {
    let model = poor();
    let Simulated { batch, z } = simulated(&model, 100);
    let exact: Vec<f64> = values(&batch.observed).into_iter().map(log_evidence).collect();
    for start in [ChainStart::Prior, ChainStart::Proposal] {
        let mut last = f64::INFINITY;
        for n_temperatures in [4, 20, 100] {
            let of = AnnealedImportance { start, n_chains: 4, ..annealed(n_temperatures) };
            let found = of.bounds(&model, &batch, Some(&z), &Noise::new(3)).unwrap();
            let gaps = |f: &dyn Fn(usize) -> f64| moments(&(0..100).map(|row| f(row) - exact[row]).collect::<Vec<_>>());
            let (below, low) = gaps(&|row| found[row].lower.value);
            let (above, high) = gaps(&|row| found[row].upper.unwrap().value);
            assert!(
                below < 4.0 * low && above > -4.0 * high,
                "{start:?} {n_temperatures}: {below} {low} {above} {high}"
            );
            assert!(above - below < 0.7 * last, "{start:?} {n_temperatures}: {} after {last}", above - below);
            assert!((0.45..0.75).contains(&found[0].acceptance), "{:?}", found[0]);
            last = above - below;

            // What the bounds are the logs of has the right mean: E[w] = p(x), and E[1/w] = 1/p(x) over posterior draws.
            let ratios = |sign: f64, f: &dyn Fn(usize) -> f64| {
                moments(&(0..100).map(|row| (sign * (f(row) - exact[row])).exp()).collect::<Vec<_>>())
            };
            let (mean, error) = ratios(1.0, &|row| found[row].lower.value);
            assert!((mean - 1.0).abs() < 4.0 * error, "{start:?} {n_temperatures}: {mean} +- {error}");
            let (mean, error) = ratios(-1.0, &|row| found[row].upper.unwrap().value);
            assert!((mean - 1.0).abs() < 4.0 * error, "{start:?} {n_temperatures}: {mean} +- {error}");
        }
        assert!(last < 0.02, "{last}");
    }
}

#[test]
fn real_rows_have_a_lower_bound_only_and_the_same_bits_again() {
    let run = || annealed(50).bounds(&poor(), &batch(), None, &Noise::new(5)).unwrap();
    let found = run();
    assert_eq!(found, run());
    for (row, x) in found.iter().zip(OBSERVED) {
        assert!(
            row.upper.is_none() && (row.lower.value - log_evidence(x)).abs() < 4.0 * row.lower.std_error,
            "{row:?}"
        );
    }
}

#[test]
fn settings_out_of_range_are_named() {
    let refused = |result: aais_models::Result<()>, word: &str| assert!(result.unwrap_err().to_string().contains(word));
    refused(importance(0).check(), "samples must be at least 1, got 0");
    refused(Importance { widen: 0.0, ..importance(1) }.check(), "widen must be a positive number");
    refused(Importance { prior_share: 1.5, ..importance(1) }.check(), "prior_share must be from 0 to 1");
    refused(annealed(1).check(), "temperatures must be at least 2");
    refused(AnnealedImportance { n_chains: 0, ..annealed(2) }.check(), "chains must be at least 1");
    refused(AnnealedImportance { n_moves: 0, ..annealed(2) }.check(), "moves must be at least 1");
}

/// `E[p(x | u') / p(x | u)] = 1` for `x` from `p(x | u)`: holds for every nearby `u'` if and only if draws have the law
/// that the likelihood says.
fn draws_have_the_law(likelihood: &dyn Likelihood, row: &[f32], signal: &[f32], parameters: &[f32]) {
    let n = 40_000;
    let tensor = |values: &[f32]| Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
    let repeated = |values: &[f32]| tensor(values).unsqueeze(0).unwrap().broadcast_as((n, values.len())).unwrap();
    let repeated = |values: &[f32]| repeated(values).contiguous().unwrap();
    let parameters = tensor(parameters);
    let covariates = Batch::of_rows(repeated(row), (0..n).collect());
    let batch = likelihood.simulate(&repeated(signal), &covariates, &parameters, &mut Noise::new(7)).unwrap();
    assert_eq!(batch.observed.dims(), covariates.observed.dims());
    let at = |signal: &[f32]| {
        let signal = repeated(signal).unsqueeze(1).unwrap();
        values(&likelihood.log_likelihood(&signal, &batch, &parameters).unwrap())
    };
    let here = at(signal);
    for coordinate in 0..signal.len() {
        for step in [0.3f32, -0.3] {
            let mut moved = signal.to_vec();
            moved[coordinate] += step;
            let ratios: Vec<f64> = at(&moved).iter().zip(&here).map(|(there, here)| (there - here).exp()).collect();
            let (mean, error) = moments(&ratios);
            assert!(error < 0.02, "{error}");
            assert!((mean - 1.0).abs() < 4.5 * error, "coordinate {coordinate}, {step}: {mean} +- {error}");
        }
    }
}

#[test]
fn every_likelihood_draws_what_it_says() {
    draws_have_the_law(&Normal { variance: 0.5 }, &[0.0, 0.0], &[0.4, -1.0], &[]);
    draws_have_the_law(&Bernoulli, &[0.0; 3], &[0.4, -1.0, 3.0], &[]);
    draws_have_the_law(&Logistic, &[1.0, -0.5, 0.0], &[0.4, -1.0], &[]);
    draws_have_the_law(&Poisson { n_fixed: 1 }, &[0.5, 1.0, -0.5, 0.0], &[0.4, -1.0], &[0.8]);
    // Library size 12: draws keep it, whatever they sum to.
    draws_have_the_law(&NegativeBinomial { n_genes: 3 }, &[7.0, 0.0, 5.0], &[0.4, -1.0, 0.2], &[0.5, -1.0, 2.0]);
}

/// scVI's joint is its log-likelihood and the prior, its score their gradient, its draws have its law.
#[test]
fn scvi_is_evaluated_like_the_others() {
    let widths = ScviWidths { genes: 4, hidden: 5, latent: 2 };
    let model = ScviModel::new(widths, &Noise::new(1), &Device::Cpu).unwrap();
    let counts = Tensor::new(&[[3.0f32, 0.0, 8.0, 1.0], [0.0, 2.0, 0.0, 5.0]], &Device::Cpu).unwrap();
    let batch = Batch::of_rows(counts, vec![0, 1]);
    let z = Noise::new(2).standard_normal(&[2, 3, 2], &Device::Cpu).unwrap();
    let joint = model.joint_density(&batch);
    let (found, score) = joint.log_density_and_score(&z).unwrap();
    let prior = StandardNormal.log_density(&z).unwrap();
    for sample in 0..3 {
        let of_sample = |tensor: &Tensor| values(&tensor.narrow(1, sample, 1).unwrap());
        let expected =
            values(&model.log_likelihood(&z.narrow(1, sample, 1).unwrap().squeeze(1).unwrap(), &batch).unwrap());
        for ((found, prior), expected) in of_sample(&found).iter().zip(of_sample(&prior)).zip(expected) {
            assert!((found - prior - expected).abs() < 1e-5, "{found} {prior} {expected}");
        }
    }
    let step = 1e-2;
    for (k, score) in values(&score).into_iter().enumerate() {
        let along = |sign: f64| {
            let mut moved = values(&z);
            moved[k] += sign * step;
            let moved: Vec<f32> = moved.into_iter().map(|value| value as f32).collect();
            let moved = Tensor::from_vec(moved, (2, 3, 2), &Device::Cpu).unwrap();
            values(&joint.log_density(&moved).unwrap()).iter().sum::<f64>()
        };
        let slope = (along(1.0) - along(-1.0)) / (2.0 * step);
        assert!((slope - score).abs() < 0.02, "{slope} {score}");
    }

    // Rows of its own: bounds on both sides of importance sampling, and not far.
    let rows = Tensor::new(&[[3.0f32, 0.0, 8.0, 1.0]], &Device::Cpu).unwrap().broadcast_as((60, 4)).unwrap();
    let rows = Batch::of_rows(rows.contiguous().unwrap(), (0..60).collect());
    let Simulated { batch, z } = model.draw(&rows, &Noise::new(3)).unwrap();
    let sums = values(&batch.observed.sum(1).unwrap());
    assert!(sums.iter().any(|sum| *sum != 12.0) && values(&batch.library_sizes().unwrap()) == vec![12.0; 60]);
    let sampled = importance(2000).log_likelihoods(&model, &batch, &Noise::new(4)).unwrap();
    let bounds = annealed(30).bounds(&model, &batch, Some(&z), &Noise::new(4)).unwrap();
    let mean = |f: &dyn Fn(usize) -> f64| moments(&(0..60).map(|row| f(row) - sampled[row].value).collect::<Vec<_>>());
    let (below, above) = (mean(&|row| bounds[row].lower.value), mean(&|row| bounds[row].upper.unwrap().value));
    assert!(below.0 < 4.0 * below.1 && above.0 > -4.0 * above.1, "{below:?} {above:?}");
    assert!(above.0 - below.0 < 0.1, "{below:?} {above:?}");
}
