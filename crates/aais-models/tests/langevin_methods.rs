//! LMCVAE and AMCVAE on the linear-Gaussian model: unbiased weights, and gradients equal to finite differences.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod common;

use aais_distributions::{Noise, Proposal};
use aais_langevin::{Bridge, StepSize, log_kernel, ula};
use aais_models::methods::{Adaptation, Amcvae, Carried, Iwae, IwaePrior, Lmcvae};
use aais_models::{Batch, LatentModel, Objective, Progress, Step};
use candle_core::Tensor;

use common::{batch, log_evidence, model};

/// A poor proposal, so that the transitions have work to do: weight, bias, log variance.
const PROPOSAL: [f64; 3] = [0.0, 0.3, -0.446_287_1];

fn lmcvae(n_samples: usize) -> Lmcvae {
    Lmcvae {
        n_samples,
        n_transitions: 2,
        step_size: 0.05,
        target_acceptance: 0.9,
        adaptation: Adaptation::Acceptance,
        skip_below: 0.0,
        learning_rate_falls: Vec::new(),
        longest_gradient: None,
        carried: Carried::default(),
    }
}

fn amcvae(n_samples: usize) -> Amcvae {
    Amcvae {
        n_samples,
        n_transitions: 2,
        step_size: 0.3,
        target_acceptance: 0.9,
        adaptation: Adaptation::Acceptance,
        score_annealing: false,
        learning_rate_falls: Vec::new(),
        longest_gradient: None,
        carried: Carried::default(),
    }
}

fn first_row() -> Batch {
    let both = batch();
    Batch::of_rows(both.observed.narrow(0, 0, 1).unwrap(), vec![0])
}

/// The bound and the gradients of encoder and decoder, at the same noise for the same seed.
fn run(objective: &mut dyn Objective, model: &LatentModel, seed: usize) -> (f64, Vec<f64>) {
    let mut noise = Noise::new(1).at(seed, 0);
    let progress = Progress { epoch: 0, step: 0 };
    let batch = first_row();
    let loss = objective.loss(model, &mut Step { batch: &batch, noise: &mut noise, progress }).unwrap();
    let bound = loss.diagnostics().unwrap().into_iter().find(|(name, _)| *name == "bound").unwrap().1;
    let gradients = loss.value.backward().unwrap();
    let of = |variable: &Tensor| gradients.get(variable).unwrap().to_vec1::<f32>().unwrap();
    let both = model.variables()[..2].iter().flat_map(|(_, variable)| of(variable)).map(f64::from).collect();
    (bound, both)
}

fn at(parameters: [f64; 3]) -> LatentModel {
    model(parameters[0], parameters[1], parameters[2])
}

/// Finite differences of `-f` by the encoder's bias of the mean and of the log variance, and by the decoder's slope and shift.
fn differences(f: impl Fn(&LatentModel) -> f64, h: f64) -> Vec<f64> {
    let shifted = |variable: usize, place: usize, by: f64| {
        let model = at(PROPOSAL);
        let (_, variable) = model.variables()[variable];
        let mut values = variable.to_vec1::<f32>().unwrap();
        values[place] += by as f32;
        variable.set(&Tensor::from_vec(values, variable.shape(), variable.device()).unwrap()).unwrap();
        f(&model)
    };
    [(0, 1), (0, 3), (1, 0), (1, 1)].map(|(v, p)| -(shifted(v, p, h) - shifted(v, p, -h)) / (2.0 * h)).to_vec()
}

/// The same entries of an analytic gradient: encoder weights, biases, then the decoder's.
fn entries(gradient: &[f64]) -> Vec<f64> {
    [1, 3, 4, 5].map(|place| gradient[place]).to_vec()
}

/// `log w` of every sample of the first row.
fn log_weights(objective: &mut dyn Objective, model: &LatentModel, n: usize) -> Vec<f64> {
    // One sample a step: its bound is its log weight.
    (0..n).map(|seed| run(objective, model, seed).0).collect()
}

#[test]
fn weights_average_to_the_evidence() {
    let model = at(PROPOSAL);
    let n = 6000;
    for (name, mut objective) in
        [("lmcvae", Box::new(lmcvae(1)) as Box<dyn Objective>), ("amcvae", Box::new(amcvae(1)))]
    {
        let exact = log_evidence(common::OBSERVED[0]);
        let ratios: Vec<f64> = log_weights(&mut *objective, &model, n).iter().map(|w| (w - exact).exp()).collect();
        let mean = ratios.iter().sum::<f64>() / n as f64;
        let variance = ratios.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1) as f64;
        let error = (variance / n as f64).sqrt();
        assert!((mean - 1.0).abs() < 4.0 * error, "{name}: {mean} +- {error}");
        assert!(error < 0.03, "{name}: the error {error} is too large to see anything");
    }
}

#[test]
fn lmcvae_gradient_is_that_of_finite_differences() {
    let n_samples = 2000;
    let (_, gradient) = run(&mut lmcvae(n_samples), &at(PROPOSAL), 0);
    let expected = differences(|model| run(&mut lmcvae(n_samples), model, 0).0, 0.02);
    for (found, expected) in entries(&gradient).iter().zip(&expected) {
        assert!((found - expected).abs() < 0.01 * expected.abs().max(0.3), "{found} {expected}");
    }
}

/// The loss of one sample a row with the drift cut out of the graph or not.
fn by_hand(model: &LatentModel, is_detached: bool) -> (f64, Vec<f64>) {
    let (batch, mut noise) = (first_row(), Noise::new(1).at(0, 0));
    let (proposal, joint) = (model.propose(&batch).unwrap(), model.joint(&batch));
    let bridge = Bridge::new(&proposal, &joint);
    let drift = |score: Tensor| if is_detached { score.detach() } else { score };
    let step_size = StepSize::new(0.05).unwrap();
    let mut point = bridge.at(&proposal.sample(4000, &mut noise).unwrap()).unwrap();
    let mut log_weights = point.log_start.neg().unwrap();
    for temperature in [1.0 / 3.0, 2.0 / 3.0] {
        let moved = ula(&point.z, &drift(point.score(temperature).unwrap()), &step_size, &mut noise).unwrap();
        let next = bridge.at(&moved.z).unwrap();
        let back = log_kernel(&next.z, &drift(next.score(temperature).unwrap()), &point.z, &step_size).unwrap();
        log_weights = (log_weights + (back - moved.log_kernel).unwrap()).unwrap();
        point = next;
    }
    let loss = (log_weights + point.log_end).unwrap().mean_all().unwrap().neg().unwrap();
    let gradients = loss.backward().unwrap();
    let of = |variable: &Tensor| gradients.get(variable).unwrap().to_vec1::<f32>().unwrap();
    let both = model.variables()[..2].iter().flat_map(|(_, variable)| of(variable)).map(f64::from).collect();
    (-f64::from(loss.to_scalar::<f32>().unwrap()), both)
}

#[test]
fn a_detached_drift_gives_another_gradient() {
    let expected = differences(|model| by_hand(model, false).0, 0.02);
    let worst = |gradient: &[f64]| {
        let pairs = entries(gradient).into_iter().zip(&expected);
        pairs.map(|(found, expected)| (found - expected).abs() / expected.abs().max(0.3)).fold(0.0, f64::max)
    };
    let (kept, detached) = (worst(&by_hand(&at(PROPOSAL), false).1), worst(&by_hand(&at(PROPOSAL), true).1));
    assert!(kept < 0.01, "{kept}");
    assert!(detached > 0.03, "{detached}");
}

#[test]
fn amcvae_gradient_needs_its_score_function() {
    // Decisions flip under a difference, so both sides are averages over many samples.
    let n_samples = 200_000;
    let (_, gradient) = run(&mut amcvae(n_samples), &at(PROPOSAL), 0);
    let expected = differences(|model| run(&mut amcvae(n_samples), model, 0).0, 0.05);
    let mut without = amcvae(n_samples);
    without.score_annealing = true; // Epoch 0: a share of zero.
    let (_, pathwise) = run(&mut without, &at(PROPOSAL), 0);
    let worst = |gradient: &[f64]| {
        let pairs = entries(gradient).into_iter().zip(&expected);
        pairs.map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max)
    };
    assert!(worst(&gradient) < 0.02, "{gradient:?} {expected:?}");
    assert!(worst(&pathwise) > 0.05, "{pathwise:?} {expected:?}");
}

/// A chain that makes no move is importance sampling from the proposal.
#[test]
fn lmcvae_without_moves_is_iwae() {
    let model = at(PROPOSAL);
    let mut skipping = lmcvae(50);
    skipping.skip_below = 1.0;
    let (bound, gradient) = run(&mut skipping, &model, 3);
    let mut iwae = Iwae { n_samples: 50, prior: IwaePrior::Standard, weight_tail: 0.0 };
    let (expected, expected_gradient) = run(&mut iwae, &model, 3);
    assert!((bound - expected).abs() < 1e-5, "{bound} {expected}");
    for (found, expected) in gradient.iter().zip(&expected_gradient) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
    assert_ne!(run(&mut lmcvae(50), &model, 3).0, bound);
}

/// By spread, a step size moves a tenth of the way to the scale over one more than the score's standard deviation.
#[test]
fn step_sizes_follow_the_spread_of_the_score() {
    let model = at(PROPOSAL);
    let mut objective = lmcvae(5000);
    objective.adaptation = Adaptation::Spread;
    let before = run(&mut objective, &model, 0);
    assert!(before.0.is_finite());
    // At the first transition z ~ q = N(0.3, 0.64), and the score of the bridge at 1/3 is linear in z.
    let slope = 2.0 / 3.0 / 0.64 + (1.0 + common::A * common::A / common::NOISE_VARIANCE) / 3.0;
    let expected = 0.9 * 0.05 + 0.1 * 0.1 / (slope * 0.8 + 1.0);
    let state = &objective.carried.state()["step_sizes"];
    // Four floats a number, a scale before the size.
    let bytes: Vec<u8> = state[4..8].iter().flat_map(|part| (*part as u16).to_le_bytes()).collect();
    let found = f64::from_le_bytes(bytes.try_into().unwrap());
    assert!((found - expected).abs() < 1e-4, "{found} {expected}");
}

fn again_error(state: std::collections::BTreeMap<String, Vec<f32>>) -> String {
    lmcvae(50).carried.restore(state, 2).unwrap_err().to_string()
}

#[test]
fn step_sizes_follow_the_acceptance() {
    let model = at(PROPOSAL);
    let mut objective = lmcvae(50);
    objective.step_size = 0.4;
    objective.target_acceptance = 0.999;
    let before = objective.carried.clone();
    for seed in 0..50 {
        run(&mut objective, &model, seed);
    }
    assert!(before.state().is_empty());
    let state = objective.carried.state();
    // Four floats a number; a scale, then the size.
    let bytes: Vec<u8> = state["step_sizes"][4..8].iter().flat_map(|part| (*part as u16).to_le_bytes()).collect();
    let size = f64::from_le_bytes(bytes.try_into().unwrap());
    assert!((size - 0.4 * 0.998f64.powi(50)).abs() < 1e-12, "{size}");
    let cut = std::collections::BTreeMap::from([("step_sizes".to_owned(), vec![1.0; 7])]);
    assert!(again_error(cut).contains("step sizes of 2 transitions"));

    let mut again = lmcvae(50);
    again.carried.restore(state.clone(), 2).unwrap();
    assert_eq!(again.carried.state(), state);
    assert_eq!(run(&mut again, &model, 7), run(&mut objective, &model, 7));
}
