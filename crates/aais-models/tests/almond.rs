//! ALMOND's stages and chains, on the linear-Gaussian model.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod common;

use aais_distributions::Noise;
use aais_models::methods::Almond;
use aais_models::{Batch, LatentModel, Objective, Progress, Rule, SgdSettings, Step, TrainSettings, Trainer};
use candle_core::Tensor;

use common::{OBSERVED, batch, model, posterior_mean, posterior_variance};

fn almond(n_samples: usize, step_size: f64) -> Almond {
    Almond {
        n_samples,
        vae_epochs: 3,
        warmup_epochs: 2,
        n_steps: 10,
        step_size,
        momentum: 0.1,
        weight_decay: 0.001,
        chains: Vec::new(),
    }
}

fn visit(almond: &mut Almond, model: &LatentModel, batch: &Batch, epoch: usize) {
    let mut noise = Noise::new(1).at(epoch, 0);
    let progress = Progress { epoch, step: 0 };
    almond.loss(model, &mut Step { batch, noise: &mut noise, progress }).unwrap();
}

/// With a frozen model the chains reach the law of unadjusted Langevin steps: the posterior's mean, a variance a little wider.
#[test]
fn chains_sample_the_posterior() {
    let (n_samples, step_size) = (4000, 0.05);
    let mut almond = almond(n_samples, step_size * 10.0);
    let model = model(0.0, 0.0, 0.0);
    // From epoch 100 on the step size is a tenth of the first.
    for epoch in [3, 200, 201, 202, 203, 204, 205, 206] {
        visit(&mut almond, &model, &batch(), epoch);
    }
    let variance = posterior_variance();
    let (weight, bias) = posterior_mean();
    for (x, chains) in OBSERVED.iter().zip(almond.chains.chunks_exact(n_samples)) {
        let n = n_samples as f64;
        let mean = chains.iter().map(|z| f64::from(*z)).sum::<f64>() / n;
        let square = chains.iter().map(|z| (f64::from(*z) - mean).powi(2)).sum::<f64>() / n;
        // z' = z - h (z - m) / V + sqrt(2 h) noise has the stationary variance V / (1 - h / 2V).
        let stationary = variance / (1.0 - step_size / (2.0 * variance));
        assert!((mean - (weight * x + bias)).abs() < 5.0 * (stationary / n).sqrt(), "{mean}");
        // Five standard errors of a variance: sqrt(2 / n) of it each.
        assert!((square / stationary - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{square} {stationary}");
    }
}

#[test]
fn chains_follow_their_rows() {
    let model = model(0.3, 0.1, -0.5);
    let both = batch();
    let order = Tensor::new(&[1u32, 0], both.observed.device()).unwrap();
    let swapped = Batch::of_rows(both.observed.index_select(&order, 0).unwrap(), vec![1, 0]);
    let mut almond = almond(3, 1e-30);
    visit(&mut almond, &model, &both, 3);
    let began = almond.chains.clone();
    // Steps too short to see: every row finds its own chains again, whatever the order of the batch.
    visit(&mut almond, &model, &swapped, 4);
    visit(&mut almond, &model, &both, 5);
    assert_eq!(almond.chains, began);
    assert_ne!(began[..3], began[3..]);
}

#[test]
fn stages_have_their_optimizers() {
    let almond = almond(3, 0.01);
    let settings = TrainSettings {
        batch_size: 2,
        learning_rate: 0.08,
        weight_decay: 0.0,
        average_rate: 0.0,
        join_equal_rows: false,
    };
    let rule = |epoch| almond.update(Progress { epoch, step: 0 }, &settings).rule;
    let descent = |learning_rate| Rule::Sgd(SgdSettings { learning_rate, momentum: 0.1, weight_decay: 0.001 });
    assert_eq!([rule(0), rule(2), rule(3), rule(4)], [Rule::Adam(settings.adam()); 4]);
    assert_eq!([rule(5), rule(8)], [descent(0.08), descent(0.04)]); // 0.08 / sqrt(k + 1)
    let anew: Vec<usize> = (0..10).filter(|epoch| almond.begins_anew(*epoch)).collect();
    assert_eq!(anew, [3, 5]);
}

#[test]
fn the_encoder_rests_while_the_chains_run() {
    let settings = TrainSettings {
        batch_size: 1,
        learning_rate: 0.01,
        weight_decay: 0.0,
        average_rate: 0.0,
        join_equal_rows: false,
    };
    let noise = Noise::new(1).fork("train");
    let model = model(0.3, 0.1, -0.5);
    let mut trainer = Trainer::new(model, Box::new(almond(5, 0.01)), settings, batch().observed, noise).unwrap();
    let mut parameters = || {
        trainer.run_epoch().unwrap();
        trainer.checkpoint("", "").unwrap().vectors
    };
    let vae = parameters();
    let _ = (parameters(), parameters());
    let mut last = parameters(); // The first epoch of chains.
    assert_ne!(vae["encoder"], last["encoder"]);
    for _ in 0..4 {
        let next = parameters();
        assert_eq!(next["encoder"], last["encoder"]);
        assert_ne!(next["decoder"], last["decoder"]);
        last = next;
    }
}
