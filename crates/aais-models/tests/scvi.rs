//! scVI in training: clusters, checkpoints, threads, numbers that are not finite.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, clippy::cast_precision_loss)]

use aais_distributions::Noise;
use aais_models::methods::Scvi;
use aais_models::{
    Batch, Checkpoint, Error, Model, Objective, Progress, Schedule, ScviModel, ScviWidths, Step, TrainSettings, Trainer,
};
use candle_core::{DType, Device, Tensor};

const N_ROWS: usize = 150;
const GENES: usize = 40;

fn method() -> Scvi {
    Scvi { dropout: 0.1, kl_weight: Schedule::Rising { low: 0.0, high: 1.0, epochs: 400 }, adam_epsilon: 0.01 }
}

/// A count of inverse dispersion 2: the sum of two geometric ones.
fn negative_binomial(mean: f64, noise: &mut Noise) -> f32 {
    let log_failure = (mean / (mean + 2.0)).ln();
    (0..2).map(|_| (f64::from(noise.uniform(f32::MIN_POSITIVE, 1.0)).ln() / log_failure).floor() as f32).sum()
}

/// Cells of three kinds in turn, whose profiles differ in a few genes and whose depths differ threefold.
fn cells() -> Tensor {
    let mut noise = Noise::new(3);
    let profiles: Vec<f64> = (0..3 * GENES).map(|_| f64::from(noise.uniform(-0.5, 0.5)).exp()).collect();
    let counts: Vec<f32> = (0..N_ROWS)
        .flat_map(|row| {
            let (kind, depth) = (row % 3, f64::from(noise.uniform(1.0, 3.0)));
            let own = |gene: usize| if gene % 8 == kind { 4.0 } else { 1.0 };
            let means: Vec<f64> = (0..GENES).map(|gene| depth * own(gene) * profiles[gene]).collect();
            means.into_iter().map(|mean| negative_binomial(mean, &mut noise)).collect::<Vec<_>>()
        })
        .collect();
    Tensor::from_vec(counts, (N_ROWS, GENES), &Device::Cpu).unwrap()
}

fn settings(batch_size: usize) -> TrainSettings {
    TrainSettings { batch_size, learning_rate: 1e-3, weight_decay: 1e-6, average_rate: 0.01, join_equal_rows: false }
}

fn trainer(batch_size: usize) -> Trainer<ScviModel> {
    let widths = ScviWidths { genes: GENES, hidden: 32, latent: 4 };
    let model = ScviModel::new(widths, &Noise::new(1).fork("init"), &Device::Cpu).unwrap();
    Trainer::new(model, Box::new(method()), settings(batch_size), cells(), Noise::new(1).fork("train")).unwrap()
}

fn state(trainer: &Trainer<ScviModel>) -> Checkpoint {
    trainer.checkpoint("settings", "").unwrap()
}

fn batch(observed: Tensor) -> Batch {
    let rows = (0..observed.dim(0).unwrap()).collect();
    Batch::of_rows(observed, rows)
}

/// The share of cells whose nearest centre, in latent space, is that of their own kind.
fn purity(model: &ScviModel) -> f64 {
    let latent = model.propose(&batch(cells())).unwrap().mean().to_vec2::<f32>().unwrap();
    let centre = |kind: usize| -> Vec<f32> {
        let of_kind: Vec<_> = latent.iter().skip(kind).step_by(3).collect();
        (0..latent[0].len()).map(|j| of_kind.iter().map(|z| z[j]).sum::<f32>() / of_kind.len() as f32).collect()
    };
    let centres: Vec<Vec<f32>> = (0..3).map(centre).collect();
    let distance = |z: &[f32], kind: usize| -> f32 { z.iter().zip(&centres[kind]).map(|(z, c)| (z - c).powi(2)).sum() };
    let is_own = |row: usize| (0..3).all(|kind| distance(&latent[row], row % 3) <= distance(&latent[row], kind));
    (0..N_ROWS).filter(|row| is_own(*row)).count() as f64 / N_ROWS as f64
}

#[test]
fn training_separates_the_kinds_of_cells() {
    let mut trainer = trainer(32);
    let before = purity(trainer.model());
    let losses: Vec<f64> = (0..150).map(|_| trainer.run_epoch().unwrap().values["loss"]).collect();
    let after = purity(trainer.model());
    assert!(losses[149] < losses[0] - 5.0, "{} {}", losses[0], losses[149]);
    // Untrained it is little better than the third that chance gives.
    assert!(before < 0.75 && after > 0.9, "{before} {after}");
}

#[test]
fn a_resumed_run_has_the_bits_of_an_unbroken_one() {
    let mut unbroken = trainer(64);
    unbroken.run_epoch().unwrap();
    let bytes = state(&unbroken).to_bytes().unwrap();
    let epochs: Vec<_> = (0..3).map(|_| unbroken.run_epoch().unwrap()).collect();

    let mut resumed = trainer(64);
    resumed.restore(&Checkpoint::from_bytes(&bytes).unwrap(), "settings").unwrap();
    for epoch in &epochs {
        assert_eq!(&resumed.run_epoch().unwrap(), epoch);
    }
    assert_eq!(state(&unbroken).vectors, state(&resumed).vectors);
    // What evaluation depends on is among them, and has moved from zero.
    let running = &state(&resumed).vectors["buffer.decoder.running_mean"];
    assert!(running.len() == 32 && running.iter().any(|mean| *mean != 0.0));
}

#[test]
fn a_checkpoint_without_running_moments_is_refused() {
    let mut trainer = trainer(64);
    let mut checkpoint = state(&trainer);
    checkpoint.vectors.remove("buffer.encoder.running_mean");
    let message = trainer.restore(&checkpoint, "settings").unwrap_err().to_string();
    assert!(message.contains("`buffer.encoder.running_mean`"), "{message}");
}

#[test]
fn threads_do_not_change_a_bit() {
    let train = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut trainer = trainer(64);
            trainer.run_epoch().unwrap();
            state(&trainer).vectors
        })
    };
    assert_eq!(train(1), train(3));
}

/// The running moments too.
#[test]
fn late_checks_train_the_same_model() {
    let (mut early, mut late) = (trainer(64), trainer(64).with_late_checks(true));
    for _ in 0..2 {
        let (expected, found) = (early.run_epoch().unwrap().values["loss"], late.run_epoch().unwrap().values["loss"]);
        assert!((found - expected).abs() < 1e-5 * expected.abs(), "{found} {expected}");
    }
    let found = state(&late).vectors;
    for (name, expected) in &state(&early).vectors {
        let length = |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>().sqrt();
        let away = length(&mut found[name].iter().zip(expected).map(|(found, expected)| found - expected));
        let size = length(&mut expected.iter().copied());
        // A bias before a normalization has no gradient but rounding.
        assert!(away <= 1e-3 * size + 1e-6, "{name}: {away} of {size}");
    }
}

#[test]
fn the_first_number_that_is_not_finite_stops_training_before_the_running_moments_move() {
    let mut counts = cells().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    counts[17 * GENES] = f32::NAN;
    let data = Tensor::from_vec(counts, (N_ROWS, GENES), &Device::Cpu).unwrap();
    let widths = ScviWidths { genes: GENES, hidden: 32, latent: 4 };
    for late in [false, true] {
        let model = ScviModel::new(widths, &Noise::new(1), &Device::Cpu).unwrap();
        let trainer = Trainer::new(model, Box::new(method()), settings(32), data.clone(), Noise::new(1)).unwrap();
        let mut trainer = trainer.with_late_checks(late);
        let Error::NonFinite { what, rows, .. } = trainer.run_epoch().unwrap_err() else { panic!("another error") };
        assert!(what == "loss" && rows.contains(&17), "{what} {rows:?}");
        assert!(state(&trainer).vectors.values().flatten().all(|value| value.is_finite()));
    }
}

#[test]
fn batches_of_one_row_and_joined_rows_are_refused() {
    let build = |settings| {
        let widths = ScviWidths { genes: GENES, hidden: 8, latent: 2 };
        let model = ScviModel::new(widths, &Noise::new(1), &Device::Cpu).unwrap();
        Trainer::new(model, Box::new(method()), settings, cells(), Noise::new(1))
    };
    for batch_size in [1, 149] {
        let message = build(settings(batch_size)).err().unwrap().to_string();
        assert!(message.contains(&format!("got {batch_size} with 150 rows")), "{message}");
    }
    let joined = TrainSettings { join_equal_rows: true, ..settings(50) };
    let message = build(joined).unwrap().run_epoch().unwrap_err().to_string();
    assert!(message.contains("join_equal_rows"), "{message}");
}

#[test]
fn the_model_of_table_6_has_its_parameters_and_all_of_them_learn() {
    let widths = ScviWidths { genes: 1200, hidden: 128, latent: 10 };
    let model = ScviModel::new(widths, &Noise::new(1), &Device::Cpu).unwrap();
    let counts = |n_in: usize, n_out: usize| n_in * n_out + n_out;
    let expected = counts(1200, 128) + 256 + 2 * counts(128, 10) + counts(10, 128) + 256 + counts(128, 1200) + 1200;
    let found: usize = model.variables().iter().map(|(_, variable)| variable.elem_count()).sum();
    assert_eq!(found, expected);

    let observed = Tensor::ones((6, 1200), DType::F32, &Device::Cpu).unwrap();
    let spread = Noise::new(2).uniform_tensor(&[6, 1200], &Device::Cpu).unwrap();
    let batch = batch(((observed + (spread * 5.0).unwrap()).unwrap()).floor().unwrap());
    let (mut noise, progress) = (Noise::new(5), Progress { epoch: 3, step: 0 });
    let loss = method().loss(&model, &mut Step { batch: &batch, noise: &mut noise, progress }).unwrap();
    let gradients = loss.value.backward().unwrap();
    for (name, variable) in model.variables() {
        let gradient = gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let reached = gradient.iter().filter(|value| **value != 0.0).count();
        // A ReLU stops some of them.
        assert!(reached * 2 > gradient.len(), "{reached} of {} of {name}", gradient.len());
    }
}

#[test]
fn settings_out_of_range_are_told() {
    let wrong = |change: fn(&mut Scvi), wanted: &str| {
        let mut method = method();
        change(&mut method);
        let message = Objective::<ScviModel>::check(&method, 400).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    };
    wrong(|method| method.dropout = 1.0, "dropout");
    wrong(|method| method.adam_epsilon = 0.0, "adam_epsilon");
}
