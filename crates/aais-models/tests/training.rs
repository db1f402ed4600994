//! What every method and the training loop promise.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use aais_distributions::Noise;
use aais_models::methods::{Aais, Adaptation, Almond, Amcvae, Carried, Iwae, IwaePrior, Lmcvae, Vae, WeightGradient};
use aais_models::{
    Architecture, Checkpoint, Error, LatentModel, Normal, Objective, Progress, Schedule, Step, TrainSettings, Trainer,
};
use candle_core::{DType, Device, Tensor};

const N_ROWS: usize = 70;

/// Every method, with few samples.
fn methods() -> Vec<(&'static str, Box<dyn Objective>)> {
    let beta = Schedule::Cyclical { low: 0.0, high: 1.0, period: 4, ramp: 2 };
    let aais = |weight_gradient, weight_tail| {
        Box::new(Aais { n_samples: 7, beta, power: 0.5, fallback_below: -745.0, weight_gradient, weight_tail })
    };
    let lmcvae = |adaptation, skip_below, longest_gradient| {
        Box::new(Lmcvae {
            n_samples: 7,
            n_transitions: 2,
            step_size: 0.01,
            target_acceptance: 0.9,
            adaptation,
            skip_below,
            learning_rate_falls: vec![2],
            longest_gradient,
            carried: Carried::default(),
        })
    };
    let amcvae = Amcvae {
        n_samples: 7,
        n_transitions: 2,
        step_size: 0.01,
        target_acceptance: 0.9,
        adaptation: Adaptation::Acceptance,
        score_annealing: true,
        learning_rate_falls: Vec::new(),
        longest_gradient: None,
        carried: Carried::default(),
    };
    // Five epochs see all its stages.
    let almond = Almond {
        n_samples: 7,
        vae_epochs: 2,
        warmup_epochs: 1,
        n_steps: 2,
        step_size: 0.01,
        momentum: 0.1,
        weight_decay: 0.001,
        chains: Vec::new(),
    };
    vec![
        ("lmcvae", lmcvae(Adaptation::Acceptance, 0.0, None)),
        ("lmcvae-script", lmcvae(Adaptation::Spread, 0.1, Some(5.0))),
        ("amcvae", Box::new(amcvae)),
        ("almond", Box::new(almond)),
        ("vae", Box::new(Vae { n_samples: 7, beta })),
        ("iwae", Box::new(Iwae { n_samples: 7, prior: IwaePrior::Standard, weight_tail: 0.0 })),
        ("iwae-published", Box::new(Iwae { n_samples: 7, prior: IwaePrior::Published, weight_tail: 0.0 })),
        ("iwae-tail", Box::new(Iwae { n_samples: 7, prior: IwaePrior::Standard, weight_tail: 0.2 })),
        ("aais", aais(WeightGradient::Published, 0.0)),
        ("aais-tail", aais(WeightGradient::Published, 0.2)),
        ("aais-stopped", aais(WeightGradient::Stopped, 0.0)),
        ("aais-full", aais(WeightGradient::Full, 0.0)),
        ("aais-full-tail", aais(WeightGradient::Full, 0.2)),
    ]
}

fn model(name: &str) -> LatentModel {
    let architecture = Architecture::paper(name).unwrap();
    LatentModel::new(architecture, Box::new(Normal { variance: 0.2 }), &Noise::new(1).fork("init"), &Device::Cpu)
        .unwrap()
}

fn data(width: usize) -> Tensor {
    Noise::new(9).standard_normal(&[N_ROWS, width], &Device::Cpu).unwrap()
}

fn settings() -> TrainSettings {
    TrainSettings { batch_size: 32, learning_rate: 1e-3, weight_decay: 0.1, average_rate: 0.01, join_equal_rows: false }
}

fn trainer(objective: Box<dyn Objective>) -> Trainer {
    Trainer::new(model("mix"), objective, settings(), data(1), Noise::new(1).fork("train")).unwrap()
}

fn state(trainer: &Trainer) -> Checkpoint {
    trainer.checkpoint("settings", "").unwrap()
}

#[test]
fn losses_are_finite_and_reach_every_network() {
    for architecture in ["circle", "mix"] {
        let model = model(architecture);
        let observed = data(model.architecture().observed);
        let batch = aais_models::Batch::of_rows(observed, (0..N_ROWS).collect());
        for (name, mut objective) in methods() {
            let step = |seed| (Noise::new(seed), Progress { epoch: 1, step: 0 });
            let (mut noise, progress) = step(3);
            let state = objective.state();
            let loss = objective.loss(&model, &mut Step { batch: &batch, noise: &mut noise, progress }).unwrap();
            let value = loss.value.to_scalar::<f32>().unwrap();
            assert!(value.is_finite(), "{name} on {architecture}");
            assert!(loss.diagnostics().unwrap().iter().all(|(_, value)| value.is_finite()), "{name} on {architecture}");

            let gradients = loss.value.backward().unwrap();
            for (part, variable) in model.variables() {
                let gradient = gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let reached = gradient.iter().filter(|value| **value != 0.0).count();
                // Only weights behind a normalization of equal values may stay untouched.
                assert!(reached * 2 > gradient.len(), "{name} on {architecture}: {reached} of the {part}");
            }

            objective.restore(state).unwrap();
            let (mut noise, progress) = step(3);
            let again = objective.loss(&model, &mut Step { batch: &batch, noise: &mut noise, progress }).unwrap();
            assert_eq!(again.value.to_scalar::<f32>().unwrap(), value, "{name}: same seed, same loss");
            let (mut noise, progress) = step(4);
            let other = objective.loss(&model, &mut Step { batch: &batch, noise: &mut noise, progress }).unwrap();
            assert_ne!(other.value.to_scalar::<f32>().unwrap(), value, "{name}: another seed, another loss");
        }
    }
}

#[test]
fn training_lowers_the_loss() {
    for (name, objective) in methods() {
        let mut trainer = trainer(objective);
        // Compared at the first epoch of a cycle of beta. IWAE's loss only has its bound's gradient.
        let losses: Vec<f64> = (0..24)
            .map(|_| trainer.run_epoch().unwrap().values)
            .map(|values| values.get("bound").map_or(values["loss"], |bound| -bound))
            .collect();
        assert!(losses[20] < losses[0] - 0.5, "{name}: {losses:?}");
    }
}

#[test]
fn a_resumed_run_has_the_bits_of_an_unbroken_one() {
    for (name, objective) in methods() {
        let again = || methods().into_iter().find(|(known, _)| *known == name).unwrap().1;
        let mut unbroken = trainer(objective);
        let mut checkpoints = Vec::new();
        let epochs: Vec<_> = (0..5)
            .map(|_| {
                checkpoints.push(state(&unbroken).to_bytes().unwrap());
                unbroken.run_epoch().unwrap()
            })
            .collect();
        // Broken off before every epoch, and so in every stage.
        for (first, bytes) in checkpoints.iter().enumerate() {
            let mut resumed = trainer(again());
            resumed.restore(&Checkpoint::from_bytes(bytes).unwrap(), "settings").unwrap();
            for epoch in &epochs[first..] {
                assert_eq!(&resumed.run_epoch().unwrap(), epoch, "{name} from epoch {first}");
            }
            assert_eq!(state(&unbroken).vectors, state(&resumed).vectors, "{name} from epoch {first}");
        }
    }
}

#[test]
fn a_checkpoint_of_other_settings_changes_nothing() {
    let (_, objective) = methods().swap_remove(0);
    let mut trainer = trainer(objective);
    let before = state(&trainer).vectors;
    trainer.run_epoch().unwrap();
    let checkpoint = state(&trainer);
    let (_, objective) = methods().swap_remove(0);
    let mut other = self::trainer(objective);
    let message = other.restore(&checkpoint, "other settings").unwrap_err().to_string();
    assert!(message.contains("belongs to other settings"), "{message}");
    assert_eq!(state(&other).vectors, before);
}

/// What a GPU does: the optimizer as tensor operations, nothing read before the epoch's end.
#[test]
fn late_checks_train_the_same_model() {
    for (early, late) in methods().into_iter().zip(methods()) {
        let name = early.0;
        let (mut early, mut late) = (trainer(early.1), trainer(late.1).with_late_checks(true));
        for epoch in 0..5 {
            let (expected, found) = (early.run_epoch().unwrap(), late.run_epoch().unwrap());
            assert_eq!(expected.epoch, found.epoch);
            assert!(expected.values.keys().eq(found.values.keys()), "{name}: {found:?}");
            for (key, expected) in &expected.values {
                let found = found.values[key];
                assert!(
                    (found - expected).abs() < 1e-4 * (1.0 + expected.abs()),
                    "{name}, {key}, {epoch}: {found} {expected}"
                );
            }
        }
        let (expected, found) = (state(&early), state(&late));
        assert_eq!(expected.adam_step, found.adam_step);
        // The state of a method is in no unit of its own.
        for (key, expected) in expected.vectors.iter().filter(|(key, _)| !key.starts_with("method.")) {
            let length = |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>().sqrt();
            let pairs = found.vectors[key].iter().zip(expected);
            let away = length(&mut pairs.map(|(found, expected)| found - expected));
            let size = length(&mut expected.iter().copied());
            assert!(away <= 1e-3 * size, "{name}, {key}: {away} of {size}");
        }
    }
}

#[test]
fn the_first_number_that_is_not_finite_stops_training() {
    for (late, (name, objective)) in
        [false, true].into_iter().flat_map(|late| methods().into_iter().map(move |m| (late, m)))
    {
        let mut values = data(1).flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values[17] = f32::NAN;
        let data = Tensor::from_vec(values, (N_ROWS, 1), &Device::Cpu).unwrap();
        let noise = Noise::new(1).fork("train");
        let mut trainer =
            Trainer::new(model("mix"), objective, settings(), data, noise).unwrap().with_late_checks(late);
        let Error::NonFinite { what, value, epoch, step, rows } = trainer.run_epoch().unwrap_err() else {
            panic!("{name}: another error");
        };
        assert!(value.is_nan() && what == "loss", "{name}: {what} {value}");
        assert!(epoch == 1 && rows.contains(&17), "{name}: epoch {epoch}, rows {rows:?}");
        // The parameters are those of the step before: finite.
        let vectors = state(&trainer).vectors;
        assert!(vectors.values().flatten().all(|value| value.is_finite()), "{name}");
        assert_eq!(state(&trainer).adam_step, step as u64 - 1, "{name}");
    }
}

#[test]
fn settings_out_of_range_are_told() {
    let wrong = |change: fn(&mut TrainSettings), wanted: &str| {
        let mut settings = settings();
        change(&mut settings);
        let (_, objective) = methods().swap_remove(0);
        let noise = Noise::new(1);
        let message = Trainer::new(model("mix"), objective, settings, data(1), noise).err().unwrap().to_string();
        assert!(message.contains(wanted), "{message}");
    };
    wrong(|settings| settings.batch_size = 0, "batch_size");
    wrong(|settings| settings.learning_rate = -1.0, "learning_rate");
    wrong(|settings| settings.weight_decay = f32::NAN, "weight_decay");
    wrong(|settings| settings.average_rate = 1.0, "average_rate");
    let (_, objective) = methods().swap_remove(0);
    let error = Trainer::new(model("circle"), objective, settings(), data(1), Noise::new(1)).err().unwrap();
    assert!(error.to_string().contains("(70, 1)"), "{error}");
}

/// One step's gradients do not depend on the number of threads: sums are taken in fixed groups of rows.
#[test]
fn threads_do_not_change_a_bit() {
    let train = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (_, objective) = methods().swap_remove(0);
            // 70 rows of 7 samples are seven panels of 80, which make two groups.
            let settings = TrainSettings { batch_size: N_ROWS, ..settings() };
            let noise = Noise::new(1).fork("train");
            let mut trainer = Trainer::new(model("mix"), objective, settings, data(1), noise).unwrap();
            trainer.run_epoch().unwrap();
            state(&trainer).vectors
        })
    };
    assert_eq!(train(1), train(3));
}

/// Rows that repeat, as covariates of designed experiments do: six of three kinds.
fn repeating() -> Tensor {
    let values = [0.3f32, -1.2, 0.3, 0.3, 2.0, -1.2];
    Tensor::from_vec(values.to_vec(), (6, 1), &Device::Cpu).unwrap()
}

#[test]
fn equal_rows_joined_have_the_mean_of_rows_apart() {
    let values = Tensor::new(&[1.0f32, 5.0, 3.0], &Device::Cpu).unwrap();
    let counts = Some(vec![3.0, 2.0, 1.0]);
    let observed = Tensor::zeros((3, 1), DType::F32, &Device::Cpu).unwrap();
    let batch = aais_models::Batch { counts, ..aais_models::Batch::of_rows(observed, vec![0, 1, 4]) };
    assert_eq!(batch.mean(&values).unwrap().to_scalar::<f32>().unwrap(), 16.0 / 6.0);
    let by_sample = Tensor::new(&[[0.0f32, 2.0], [5.0, 5.0], [2.0, 4.0]], &Device::Cpu).unwrap();
    assert_eq!(batch.mean(&by_sample).unwrap().to_scalar::<f32>().unwrap(), 16.0 / 6.0);
}

/// The estimate of a gradient is the same on average: losses of many single steps agree within their noise.
#[test]
fn equal_rows_joined_have_the_expected_loss_of_rows_apart() {
    let mean = |join_equal_rows: bool| {
        let losses: Vec<f64> = (0..400)
            .map(|seed| {
                let settings = TrainSettings { batch_size: 6, join_equal_rows, ..settings() };
                // One model, and noise of its own for each run.
                let model = model("exp");
                let method = Box::new(Vae { n_samples: 20, beta: Schedule::Constant(1.0) });
                let noise = Noise::new(100 + seed).fork("train");
                let mut trainer = Trainer::new(model, method, settings, repeating(), noise).unwrap();
                trainer.run_epoch().unwrap().values["loss"]
            })
            .collect();
        let n = losses.len() as f64;
        let mean = losses.iter().sum::<f64>() / n;
        let variance = losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance / n)
    };
    let ((apart, apart_error), (joined, joined_error)) = (mean(false), mean(true));
    let error = (apart_error + joined_error).sqrt();
    assert!((apart - joined).abs() < 4.0 * error, "{apart} {joined} +- {error}");
    assert!(error < 0.02 * apart.abs(), "the error {error} is too large to see anything");
}

/// A kept model is the last iterate or the average, bit for bit, and nothing of the optimizer or the method.
#[test]
fn a_model_comes_back_from_a_checkpoint_without_its_training() {
    for (name, objective) in methods().into_iter().filter(|(name, _)| ["lmcvae", "aais"].contains(name)) {
        let mut trainer = trainer(objective);
        trainer.run_epoch().unwrap();
        let kept = Checkpoint::from_bytes(&state(&trainer).without_training().to_bytes().unwrap()).unwrap();
        let mut names: Vec<&str> = kept.vectors.keys().map(String::as_str).collect();
        names.retain(|name| !name.starts_with("average."));
        assert_eq!(names, ["decoder", "encoder", "slope"], "{name}");

        let other = model("mix");
        assert_ne!(other.parameters().unwrap(), trainer.model().parameters().unwrap());
        kept.load_into(&other).unwrap();
        assert_eq!(other.parameters().unwrap(), trainer.model().parameters().unwrap(), "{name}");
        kept.load_average_into(&other).unwrap();
        let average = trainer.with_average(|model| model.parameters().unwrap()).unwrap().unwrap();
        assert_eq!(other.parameters().unwrap(), average, "{name}");

        let wrong = kept.load_into(&model("exp")).unwrap_err().to_string();
        assert!(wrong.contains("values of `encoder`"), "{wrong}");
    }
}
