//! Methods on the model whose posterior and evidence are known exactly.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod common;

use aais_distributions::Noise;
use aais_models::methods::{Aais, Iwae, IwaePrior, Vae, WeightGradient};
use aais_models::{Adam, AdamSettings, Batch, LatentModel, Loss, Objective, Progress, Schedule, Step};
use candle_core::{Device, Tensor};

use common::{OBSERVED, batch, log_evidence, model, posterior_mean, posterior_variance};

fn aais(n_samples: usize, weight_gradient: WeightGradient) -> Aais {
    let (beta, fallback_below) = (Schedule::Constant(1.0), f64::NEG_INFINITY);
    Aais { n_samples, beta, power: 1.0, fallback_below, weight_gradient, weight_tail: 0.0 }
}

fn iwae(n_samples: usize) -> Iwae {
    Iwae { n_samples, prior: IwaePrior::Standard, weight_tail: 0.0 }
}

fn vae(n_samples: usize) -> Vae {
    Vae { n_samples, beta: Schedule::Constant(1.0) }
}

fn loss(objective: &mut dyn Objective, model: &LatentModel, seed: usize) -> Loss {
    let progress = Progress { epoch: 0, step: 0 };
    let mut noise = Noise::new(1).at(seed, 0);
    objective.loss(model, &mut Step { batch: &batch(), noise: &mut noise, progress }).unwrap()
}

fn diagnostic(loss: &Loss, name: &str) -> f64 {
    loss.diagnostics().unwrap().into_iter().find(|(known, _)| *known == name).unwrap().1
}

/// Gradients of encoder, decoder and slope.
fn gradients(objective: &mut dyn Objective, model: &LatentModel, seed: usize) -> Vec<Vec<f32>> {
    let gradients = loss(objective, model, seed).value.backward().unwrap();
    let gradient = |variable: &Tensor| gradients.get(variable).map_or(Vec::new(), |g| g.to_vec1().unwrap());
    model.variables().iter().map(|(_, variable)| gradient(variable)).collect()
}

fn mean_log_evidence() -> f64 {
    OBSERVED.iter().map(|x| log_evidence(*x)).sum::<f64>() / OBSERVED.len() as f64
}

/// With the exact posterior as proposal every weight is `p(x)`: bounds hold with equality, for one sample as for many.
#[test]
fn iwae_and_vae_bounds_are_the_evidence_at_the_exact_posterior() {
    let (weight, bias) = posterior_mean();
    let model = model(weight, bias, posterior_variance().ln());
    for n_samples in [1, 100] {
        let found = diagnostic(&loss(&mut iwae(n_samples), &model, 0), "bound");
        assert!((found - mean_log_evidence()).abs() < 1e-5, "{n_samples}: {found}");
    }
    // The evidence lower bound needs the average over samples: sd .7 of one log-likelihood, 40,000 of them.
    let elbo = -f64::from(loss(&mut vae(20_000), &model, 0).value.to_scalar::<f32>().unwrap());
    assert!((elbo - mean_log_evidence()).abs() < 5.0 * 0.7 / 200.0, "{elbo}");
}

/// From a poor proposal the bound rises with the number of samples and reaches `log p(x)`.
#[test]
fn iwae_bound_reaches_the_evidence_as_samples_grow() {
    let model = model(0.0, 0.3, 0.64f64.ln());
    let bound = |n_samples| diagnostic(&loss(&mut iwae(n_samples), &model, 3), "bound");
    let mean = |n_samples| {
        (0..50).map(|seed| diagnostic(&loss(&mut iwae(n_samples), &model, seed), "bound")).sum::<f64>() / 50.0
    };
    let (few, more, many) = (mean(1), mean(10), bound(200_000));
    assert!(few < more && more < mean_log_evidence(), "{few} {more}");
    assert!((many - mean_log_evidence()).abs() < 0.01, "{many}");
}

/// Signals that are too many to be made at once have the likelihoods, to the bit, of each row by itself.
#[test]
fn a_large_batch_is_worked_through_in_parts() {
    let model = model(0.0, 0.0, 0.0);
    let n_samples = 3_000_000; // More than half of what is made at once.
    let z = Noise::new(5).standard_normal(&[OBSERVED.len(), n_samples, 1], &Device::Cpu).unwrap();
    let together = model.joint(&batch()).log_likelihood(&z).unwrap().to_vec2::<f32>().unwrap();
    for (row, together) in together.iter().enumerate() {
        let observed = batch().observed.narrow(0, row, 1).unwrap();
        let alone = model.joint(&Batch::of_rows(observed, vec![row])).log_likelihood(&z.narrow(0, row, 1).unwrap());
        assert!(*together == alone.unwrap().to_vec2::<f32>().unwrap()[0], "row {row}");
    }
}

/// For the same samples and power 1, AAIS and IWAE move the decoder alike: AAIS differs in the encoder only.
#[test]
fn aais_decoder_gradient_is_that_of_iwae() {
    let model = model(0.4, 0.1, -0.7);
    let expected = gradients(&mut iwae(100), &model, 5);
    for weight_gradient in [WeightGradient::Published, WeightGradient::Stopped, WeightGradient::Full] {
        let found = gradients(&mut aais(100, weight_gradient), &model, 5);
        for (found, expected) in found[1].iter().zip(&expected[1]) {
            assert!(
                (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
                "{weight_gradient:?}: {found} {expected}"
            );
        }
        assert_ne!(found[0], expected[0], "{weight_gradient:?}");
    }
}

/// Moves the encoder alone until it stands still, with ever shorter steps.
fn fixed_point(weight_gradient: WeightGradient) -> Vec<f64> {
    let model = model(0.0, 0.0, 0.0);
    let (_, encoder) = &model.variables()[0];
    let (mut adam, mask) = (Adam::new(&[4]), [false; 4]);
    for step in 0..1500 {
        let gradient = gradients(&mut aais(2000, weight_gradient), &model, step).swap_remove(0);
        let mut values: Vec<f32> = encoder.to_vec1().unwrap();
        adam.begin_step();
        let learning_rate = 0.02 / (1.0 + step as f32 / 100.0);
        adam.update(
            0,
            &AdamSettings { learning_rate, weight_decay: 0.0, epsilon: AdamSettings::EPSILON },
            &mut values,
            &gradient,
            &mask,
        );
        encoder.set(&Tensor::from_vec(values, 4, encoder.device()).unwrap()).unwrap();
    }
    encoder.to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect()
}

/// The stopped variant matches the posterior's mean and variance exactly (Stein's identity).
#[test]
fn stopped_weights_lead_to_the_exact_posterior() {
    let found = fixed_point(WeightGradient::Stopped);
    let (weight, bias) = posterior_mean();
    let expected = [weight, bias, 0.0, posterior_variance().ln()];
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 0.02, "{found} {expected}");
    }
}

/// The published variant shrinks the mean by `1 - Var(z | x)` and proposes more widely than the posterior.
#[test]
fn published_weights_lead_to_a_wider_proposal() {
    let found = fixed_point(WeightGradient::Published);
    let (weight, bias) = posterior_mean();
    let shrunk = 1.0 - posterior_variance();
    assert!((found[0] - weight * shrunk).abs() < 0.02, "{found:?}");
    assert!((found[1] - bias * shrunk).abs() < 0.02, "{found:?}");
    for x in OBSERVED {
        assert!((found[2] * x + found[3]).exp() > 1.3 * posterior_variance(), "{found:?}");
    }
}
