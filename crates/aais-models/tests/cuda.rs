//! Training on a GPU: the same noise, so nearly the same losses as on the processor.
//!
//! `cargo test --features cuda -- --ignored cuda`
#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used)]

use aais_distributions::Noise;
use aais_models::methods::{Aais, Adaptation, Almond, Amcvae, Carried, Iwae, IwaePrior, Lmcvae, Vae, WeightGradient};
use aais_models::{
    Architecture, Bernoulli, LatentModel, Likelihood, NegativeBinomial, Normal, Objective, Poisson, Schedule,
    TrainSettings, Trainer,
};
use candle_core::{DType, Device, Tensor};

const N_ROWS: usize = 70;

fn aais() -> Box<dyn Objective> {
    Box::new(Aais {
        n_samples: 7,
        beta: Schedule::Constant(1.0),
        power: 1.0,
        fallback_below: -745.0,
        weight_gradient: WeightGradient::Published,
        weight_tail: 0.0,
    })
}

fn methods() -> Vec<(&'static str, Box<dyn Objective>)> {
    let (adaptation, carried) = (Adaptation::Acceptance, Carried::default());
    let (n_samples, n_transitions, target_acceptance) = (7, 2, 0.9);
    vec![
        ("vae", Box::new(Vae { n_samples, beta: Schedule::Constant(1.0) })),
        ("iwae", Box::new(Iwae { n_samples, prior: IwaePrior::Standard, weight_tail: 0.0 })),
        ("iwae-tail", Box::new(Iwae { n_samples, prior: IwaePrior::Standard, weight_tail: 0.2 })),
        ("aais", aais()),
        (
            "lmcvae",
            Box::new(Lmcvae {
                n_samples,
                n_transitions,
                step_size: 0.01,
                target_acceptance,
                adaptation,
                skip_below: 0.0,
                learning_rate_falls: Vec::new(),
                longest_gradient: Some(5.0),
                carried: carried.clone(),
            }),
        ),
        (
            "amcvae",
            Box::new(Amcvae {
                n_samples,
                n_transitions,
                step_size: 0.01,
                target_acceptance,
                adaptation,
                score_annealing: true,
                learning_rate_falls: Vec::new(),
                longest_gradient: None,
                carried,
            }),
        ),
        (
            "almond",
            Box::new(Almond {
                n_samples,
                vae_epochs: 1,
                warmup_epochs: 1,
                n_steps: 2,
                step_size: 0.01,
                momentum: 0.1,
                weight_decay: 0.001,
                chains: Vec::new(),
            }),
        ),
    ]
}

/// Losses of three epochs.
fn losses(
    device: &Device,
    architecture: &str,
    likelihood: Box<dyn Likelihood>,
    objective: Box<dyn Objective>,
    data: &Tensor,
) -> Vec<f64> {
    let architecture = Architecture::paper(architecture).unwrap();
    let model = LatentModel::new(architecture, likelihood, &Noise::new(1).fork("init"), device).unwrap();
    let settings = TrainSettings {
        batch_size: 32,
        learning_rate: 1e-3,
        weight_decay: 0.1,
        average_rate: 0.01,
        join_equal_rows: false,
    };
    let data = data.to_device(device).unwrap();
    let mut trainer = Trainer::new(model, objective, settings, data, Noise::new(1).fork("train")).unwrap();
    (0..3).map(|_| trainer.run_epoch().unwrap().values["loss"]).collect()
}

fn assert_near(name: &str, of: impl Fn(&Device) -> Vec<f64>) {
    let (found, expected) = (of(&Device::new_cuda(0).unwrap()), of(&Device::Cpu));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-3 * expected.abs().max(1.0), "{name}: {found}, expected {expected}");
    }
}

fn normals(width: usize) -> Tensor {
    Noise::new(9).standard_normal(&[N_ROWS, width], &Device::Cpu).unwrap()
}

#[test]
#[ignore = "needs a GPU"]
fn cuda_trains_every_method_as_the_processor_does() {
    for method in 0..methods().len() {
        let name = methods()[method].0;
        assert_near(name, |device| {
            let objective = methods().swap_remove(method).1;
            losses(device, "mix", Box::new(Normal { variance: 0.2 }), objective, &normals(1))
        });
    }
}

#[test]
#[ignore = "needs a GPU"]
fn cuda_trains_every_likelihood_as_the_processor_does() {
    let counts = |width: usize| (normals(width).abs().unwrap() * 3.0).unwrap().round().unwrap();
    let pixels = normals(784).gt(0.0).unwrap().to_dtype(DType::F32).unwrap();
    assert_near("bernoulli", |device| losses(device, "mnist", Box::new(Bernoulli), aais(), &pixels));
    let genes = counts(1200);
    assert_near("negative binomial", |device| {
        losses(device, "cortex", Box::new(NegativeBinomial { n_genes: 1200 }), aais(), &genes)
    });
    let architecture = Architecture::paper("copula").unwrap();
    let n_fixed = architecture.likelihood_parameters;
    let rows = Tensor::cat(&[&normals(architecture.observed - 1), &counts(1)], 1).unwrap();
    assert_near("poisson", |device| losses(device, "copula", Box::new(Poisson { n_fixed }), aais(), &rows));
}
