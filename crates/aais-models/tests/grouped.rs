//! Likelihoods of groups of rows, encoders of sets, and training on them.

#![allow(clippy::unwrap_used)]

use aais_distributions::{LogDensity, Noise, Proposal};
use aais_models::methods::{Aais, Iwae, IwaePrior, WeightGradient};
use aais_models::{
    Architecture, Batch, Grouped, GroupedColumns, GroupedFamily, Groups, LatentModel, Likelihood, Objective, Schedule,
    SetEncoder, Step, TrainSettings, Trainer,
};
use candle_core::{Device, Tensor, Var};
use statrs::distribution::{Binomial, Continuous, Discrete, Gamma, NegativeBinomial, Normal, Poisson};
use statrs::function::factorial::{ln_binomial, ln_factorial};

const COLUMNS: GroupedColumns = GroupedColumns { features: 1, fixed: 2, random: 2 };

/// `(feature, x1, x2, w1, w2, offset, y, weight)`; groups of two, no and one rows.
const ROWS: [[f32; 8]; 3] = [
    [0.3, 1.0, 0.5, 1.0, -0.4, 0.1, 0.0, 1.0],
    [-0.2, 1.0, -1.5, 1.0, 0.9, 0.0, 3.0, 1.0],
    [0.7, 1.0, 0.2, 1.0, 2.0, -0.3, 1.0, 1.0],
];
const SIZES: [usize; 3] = [2, 0, 1];
const BETA: [f32; 2] = [0.2, -0.7];

fn batch(responses: [f32; 3], weights: [f32; 3]) -> Batch {
    let mut rows = ROWS;
    for ((row, y), weight) in rows.iter_mut().zip(responses).zip(weights) {
        (row[6], row[7]) = (y, weight);
    }
    Groups::new(Tensor::new(&rows, &Device::Cpu).unwrap(), &SIZES).unwrap().batch(&[0, 1, 2]).unwrap()
}

fn signal() -> Tensor {
    Tensor::new(&[[[0.5f32, -0.3]], [[1.0, 1.0]], [[-0.8, 0.4]]], &Device::Cpu).unwrap()
}

/// Linear predictors of the three rows at the signal above.
fn predictors() -> [f64; 3] {
    let effects = [[0.5, -0.3], [0.5, -0.3], [-0.8, 0.4]];
    std::array::from_fn(|row| {
        let x = ROWS[row].map(f64::from);
        let beta = BETA.map(f64::from);
        x[5] + x[1] * beta[0] + x[2] * beta[1] + x[3] * effects[row][0] + x[4] * effects[row][1]
    })
}

/// Sums over the rows of each group.
fn by_group(rows: [f64; 3]) -> [f64; 3] {
    [rows[0] + rows[1], 0.0, rows[2]]
}

fn assert_log_likelihood(family: GroupedFamily, batch: &Batch, parameters: &[f32], rows: [f64; 3]) {
    let likelihood = Grouped { family, columns: COLUMNS };
    let parameters = Tensor::new(parameters, &Device::Cpu).unwrap();
    let found = likelihood.log_likelihood(&signal(), batch, &parameters).unwrap().squeeze(1).unwrap();
    for (found, expected) in found.to_vec1::<f32>().unwrap().into_iter().zip(by_group(rows)) {
        assert!((f64::from(found) - expected).abs() < 2e-5, "{family:?}: {found}, expected {expected}");
    }
}

#[test]
fn log_likelihoods_are_the_densities_without_their_constants() {
    let eta = predictors();
    let rows = |f: &dyn Fn(usize) -> f64| std::array::from_fn(f);
    let (counts, ones) = ([0.0, 3.0, 1.0], [1.0; 3]);
    let count = |row: usize| counts[row] as u64;

    let trials = [4.0f32, 3.0, 1.0];
    let shares = [0.25f32, 1.0, 0.0];
    let successes = |row: usize| (trials[row] * shares[row]) as u64;
    let exact = rows(&|row| {
        let p = 1.0 / (1.0 + (-eta[row]).exp());
        let n = trials[row] as u64;
        Binomial::new(p, n).unwrap().ln_pmf(successes(row)) - ln_binomial(n, successes(row))
    });
    assert_log_likelihood(GroupedFamily::Binomial, &batch(shares, trials), &BETA, exact);

    let exact = rows(&|row| Poisson::new(eta[row].exp()).unwrap().ln_pmf(count(row)) + ln_factorial(count(row)));
    assert_log_likelihood(GroupedFamily::Poisson, &batch(counts, ones), &BETA, exact);

    let size: f64 = 1.7;
    let exact = rows(&|row| {
        let p = size / (size + eta[row].exp());
        NegativeBinomial::new(size, p).unwrap().ln_pmf(count(row)) + ln_factorial(count(row))
    });
    let parameters = [BETA[0], BETA[1], size.ln() as f32];
    assert_log_likelihood(GroupedFamily::NegativeBinomial, &batch(counts, ones), &parameters, exact);

    let (values, weights) = ([0.4f32, 2.5, 1.2], [1.0f32, 2.0, 0.5]);
    let exact = rows(&|row| {
        let shape = size * f64::from(weights[row]);
        let y = f64::from(values[row]);
        Gamma::new(shape, shape / eta[row].exp()).unwrap().ln_pdf(y) + y.ln()
    });
    assert_log_likelihood(GroupedFamily::Gamma, &batch(values, weights), &parameters, exact);

    let exact = rows(&|row| {
        let weight = f64::from(weights[row]);
        let density = Normal::new(eta[row], size / weight.sqrt()).unwrap().ln_pdf(f64::from(values[row]));
        density - 0.5 * (weight / (2.0 * std::f64::consts::PI)).ln()
    });
    assert_log_likelihood(GroupedFamily::Normal, &batch(values, weights), &parameters, exact);
}

#[test]
fn gradients_of_fixed_effects_and_dispersions_are_finite_differences() {
    for family in [GroupedFamily::Normal, GroupedFamily::NegativeBinomial, GroupedFamily::Gamma] {
        let likelihood = Grouped { family, columns: COLUMNS };
        let batch = batch([1.0, 3.0, 2.0], [1.0, 2.0, 1.0]);
        let value =
            |parameters: &Tensor| likelihood.log_likelihood(&signal(), &batch, parameters).unwrap().sum_all().unwrap();
        let point = [BETA[0], BETA[1], 0.4];
        let parameters = Var::new(&point, &Device::Cpu).unwrap();
        let gradients = value(&parameters).backward().unwrap();
        let gradient = gradients.get(&parameters).unwrap().to_vec1::<f32>().unwrap();
        for k in 0..3 {
            let at = |step: f32| {
                let mut point = point;
                point[k] += step;
                f64::from(value(&Tensor::new(&point, &Device::Cpu).unwrap()).to_scalar::<f32>().unwrap())
            };
            let difference = (at(1e-2) - at(-1e-2)) / 2e-2;
            // Single precision over a step of 0.02, and the third derivative.
            let error = (f64::from(gradient[k]) - difference).abs();
            assert!(error < 2e-3 * (1.0 + difference.abs()), "{family:?} {k}: {} and {difference}", gradient[k]);
        }
    }
}

fn model() -> LatentModel {
    let architecture = Architecture {
        observed: COLUMNS.width(),
        signal: 2,
        latent: 2,
        hidden: vec![8],
        skip_encoder: false,
        skip_decoder: true,
        softplus: false,
        likelihood_parameters: 2,
        set: Some(SetEncoder { anchors: 0, features: 6, hidden: vec![8], pooled: 4 }),
    };
    let likelihood = Grouped { family: GroupedFamily::Poisson, columns: COLUMNS };
    LatentModel::new(architecture, Box::new(likelihood), &Noise::new(1), &Device::Cpu).unwrap()
}

#[test]
fn an_encoder_of_sets_does_not_see_the_order_of_rows() {
    let model = model();
    let data = Tensor::new(&[ROWS[0], ROWS[1], ROWS[2]], &Device::Cpu).unwrap();
    let turned = Tensor::new(&[ROWS[2], ROWS[0], ROWS[1]], &Device::Cpu).unwrap();
    let mean = |rows: Tensor| {
        let batch = Groups::new(rows, &[3]).unwrap().batch(&[0]).unwrap();
        model.propose(&batch).unwrap().mean().to_vec2::<f32>().unwrap().remove(0)
    };
    for (a, b) in mean(data).iter().zip(mean(turned)) {
        assert!((a - b).abs() < 1e-6, "{a} and {b}"); // A sum in another order.
    }
}

#[test]
fn a_group_is_proposed_alike_in_any_company() {
    let model = model();
    let all = model.propose(&batch([0.0, 3.0, 1.0], [1.0; 3])).unwrap();
    let groups = Groups::new(Tensor::new(&ROWS, &Device::Cpu).unwrap(), &SIZES).unwrap();
    for group in 0..3 {
        let alone = model.propose(&groups.batch(&[group]).unwrap()).unwrap();
        let [alone, beside] =
            [alone.mean().get(0), all.mean().get(group)].map(|m| m.unwrap().to_vec1::<f32>().unwrap());
        for (alone, beside) in alone.iter().zip(&beside) {
            assert!((alone - beside).abs() < 1e-6, "group {group}: {alone} and {beside}");
        }
    }
}

#[test]
fn an_empty_group_has_the_prior_as_its_joint() {
    let model = model();
    let batch = Groups::new(Tensor::new(&ROWS, &Device::Cpu).unwrap(), &SIZES).unwrap().batch(&[1]).unwrap();
    let z = model.propose(&batch).unwrap().sample(4, &mut Noise::new(2)).unwrap();
    let likelihood = model.joint(&batch).log_likelihood(&z).unwrap().to_vec2::<f32>().unwrap();
    assert_eq!(likelihood, [[0.0; 4]]);
}

#[test]
fn an_encoder_adds_to_its_anchors() {
    let propose = |anchors: [f32; 4]| {
        let architecture = Architecture {
            set: Some(SetEncoder { anchors: 4, features: 1, hidden: vec![8], pooled: 4 }),
            ..model().architecture().clone()
        };
        let likelihood = Grouped { family: GroupedFamily::Poisson, columns: COLUMNS };
        let model = LatentModel::new(architecture, Box::new(likelihood), &Noise::new(1), &Device::Cpu).unwrap();
        let rows: Vec<f32> = ROWS[..2].iter().flat_map(|row| [&anchors[..], &row[4..]].concat()).collect();
        let rows = Tensor::from_vec(rows, (2, 8), &Device::Cpu).unwrap();
        let batch = Groups::new(rows, &[2, 0]).unwrap().batch(&[0, 1]).unwrap();
        let proposal = model.propose(&batch).unwrap();
        [proposal.mean(), proposal.log_variance()].map(|moments| moments.to_vec2::<f32>().unwrap())
    };
    let (plain, moved) = (propose([0.0; 4]), propose([1.0, -2.0, 0.5, 0.25]));
    for ((plain, moved), anchor) in plain.iter().zip(&moved).zip([[1.0, -2.0], [0.5, 0.25]]) {
        for k in 0..2 {
            assert!((moved[0][k] - plain[0][k] - anchor[k]).abs() < 1e-6);
            assert_eq!(moved[1][k], plain[1][k]); // The empty group.
        }
    }
}

fn methods() -> [Box<dyn Objective>; 2] {
    let aais = Aais {
        n_samples: 20,
        beta: Schedule::Constant(1.0),
        power: 1.0,
        fallback_below: f64::NEG_INFINITY,
        weight_gradient: WeightGradient::Stopped,
        weight_tail: 0.0,
    };
    [Box::new(aais), Box::new(Iwae { n_samples: 20, prior: IwaePrior::Standard, weight_tail: 0.0 })]
}

#[test]
fn both_networks_and_the_fixed_effects_take_gradients() {
    for mut method in methods() {
        let (model, batch, mut noise) = (model(), batch([0.0, 3.0, 1.0], [1.0; 3]), Noise::new(3));
        let progress = aais_models::Progress { epoch: 0, step: 0 };
        let loss = method.loss(&model, &mut Step { batch: &batch, noise: &mut noise, progress }).unwrap();
        let gradients = loss.value.backward().unwrap();
        for (name, variable) in model.variables() {
            let gradient = gradients.get(variable).unwrap().abs().unwrap().sum_all().unwrap();
            assert!(gradient.to_scalar::<f32>().unwrap() > 0.0, "{name}");
        }
    }
}

/// Forty groups of five counts with normal effects.
fn counts() -> Groups {
    let mut noise = Noise::new(7);
    let mut rows = Vec::new();
    for _ in 0..40 {
        let effects = noise.standard_normal(&[2], &Device::Cpu).unwrap().to_vec1::<f32>().unwrap();
        for _ in 0..5 {
            let (x, w) = (noise.uniform(-1.0, 1.0), noise.uniform(-1.0, 1.0));
            let rate = (0.3 + 0.5 * x + effects[0] + w * effects[1]).exp();
            let y = (0..30).filter(|_| noise.uniform(0.0, 1.0) < rate / 30.0).count();
            rows.extend([y as f32, 1.0, x, 1.0, w, 0.0, y as f32, 1.0]);
        }
    }
    Groups::new(Tensor::from_vec(rows, (200, 8), &Device::Cpu).unwrap(), &[5; 40]).unwrap()
}

#[test]
fn training_on_groups_raises_the_bound_and_goes_on_from_a_checkpoint_with_the_same_bits() {
    let settings = TrainSettings {
        batch_size: 16,
        learning_rate: 1e-2,
        weight_decay: 0.0,
        average_rate: 0.0,
        join_equal_rows: false,
    };
    let trainer = || {
        let [_, iwae] = methods();
        Trainer::new(model(), iwae, settings.clone(), counts(), Noise::new(1).fork("train")).unwrap()
    };
    let mut whole = trainer();
    let first = whole.run_epoch().unwrap().values["bound"];
    for _ in 1..5 {
        whole.run_epoch().unwrap();
    }
    let saved = whole.checkpoint("same", "").unwrap();
    for _ in 5..30 {
        whole.run_epoch().unwrap();
    }
    let last = whole.run_epoch().unwrap().values["bound"];
    assert!(last > first + 1.0, "{first} to {last}");

    let mut resumed = trainer();
    resumed.restore(&saved, "same").unwrap();
    for _ in 5..31 {
        resumed.run_epoch().unwrap();
    }
    assert_eq!(whole.checkpoint("same", "").unwrap(), resumed.checkpoint("same", "").unwrap());
}

#[test]
fn mistakes_are_told() {
    let model = model();
    let single = Batch::of_rows(Tensor::new(&ROWS, &Device::Cpu).unwrap(), vec![0, 1, 2]);
    assert!(model.propose(&single).unwrap_err().to_string().contains("give them as `Groups`"));

    let batch = batch([0.0, 3.0, 1.0], [1.0; 3]);
    let z = Tensor::zeros((3, 1, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(model.joint(&batch).score(&z).unwrap_err().to_string().contains("without Langevin steps"));

    let settings = TrainSettings {
        batch_size: 16,
        learning_rate: 1e-2,
        weight_decay: 0.0,
        average_rate: 0.0,
        join_equal_rows: true,
    };
    let [aais, _] = methods();
    let refused = Trainer::new(model, aais, settings, counts(), Noise::new(1)).err().unwrap();
    assert!(refused.to_string().contains("counts of their own"), "{refused}");
}
