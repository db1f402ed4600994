//! A tiny scVI model against PyTorch: loss, gradients, running moments, evaluation.
//!
//! Golden values: PyTorch 2.15.0 in double precision, `python tests/golden/scvi.py`.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::excessive_precision,
    clippy::unreadable_literal
)]

use aais_distributions::Noise;
use aais_models::methods::Scvi;
use aais_models::{Batch, Model, Objective, Progress, Schedule, ScviModel, ScviWidths, Step};
use candle_core::{Device, Tensor, Var};

const COUNTS: [[f32; 4]; 5] =
    [[3.0, 0.0, 1.0, 12.0], [0.0, 5.0, 0.0, 2.0], [40.0, 1.0, 7.0, 0.0], [2.0, 2.0, 2.0, 2.0], [0.0, 0.0, 1.0, 9.0]];

/// Loss, mean log likelihood, mean KL divergence.
const LOSS: [f64; 3] = [9.650305486, -9.583922795, 0.2655307647];
/// In the order of `Model::variables`.
const GRADIENTS: [&[f64]; 15] = [
    &[
        0.2341615156,
        0.05388561661,
        0.01981499668,
        -0.1010817675,
        0.04221701263,
        -0.0155704525,
        0.006630307262,
        0.02763639878,
        0.08155987627,
        -0.0405269253,
        0.01909161309,
        0.05228432486,
    ],
    &[-3.209238431e-17, -1.734723476e-18, 3.252606517e-19],
    &[0.04293276991, 0.1632565246, 0.01150903187],
    &[0.02292189368, 0.08487078579, -0.02397304594],
    &[-0.06164914741, -0.08427185273, 0.1375795651, -0.2593443506, -0.3545130767, 0.1121802586],
    &[0.09311647781, 0.008581738966],
    &[0.1095528283, 0.1497542173, 0.04565805189, -0.1303777919, -0.1782210872, 0.03866226568],
    &[0.1230162034, -0.01819536821],
    &[-0.02013431181, -0.02687343808, -0.04737430661, 0.06406255578, 0.744679578, -0.1353906875],
    &[-1.778091563e-17, 2.602085214e-17, -4.163336342e-17],
    &[-0.06156727162, -0.0661330653, 0.001473176706],
    &[-0.03545644258, -0.02738914231, -0.02162863632],
    &[
        -0.06086464766,
        0.1014099764,
        -0.2167687362,
        0.2043553809,
        0.176164723,
        -0.07483561785,
        0.1138246609,
        0.08791127446,
        0.2330570048,
        -0.2573153942,
        -0.3654859739,
        0.0585473493,
    ],
    &[-0.3140625193, 0.2362523214, 0.5401451075, -0.4623349096],
    &[0.1499953665, 0.4596522169, -0.05097857183, 0.1189813936],
];

/// In the order of `Model::buffers`.
const RUNNING: [&[f64]; 4] = [
    &[-0.01197460778, 0.01404725247, -0.01355279156],
    &[0.9908322644, 1.17205816, 1.329408241],
    &[0.00103058686, -0.005556293212, -0.001315687275],
    &[0.9904291673, 0.9912124809, 0.9908428492],
];

/// Of the proposals in evaluation, and log likelihoods at their means.
const MEANS: [f64; 10] = [
    0.8763026472,
    -0.4918490282,
    0.1821607586,
    0.2167298724,
    1.115582215,
    -0.5080716376,
    0.1607522308,
    0.2316198527,
    0.8785975738,
    -0.4941252886,
];
const VARIANCES: [f64; 10] = [
    1.481958957,
    0.9160142377,
    1.56604131,
    0.9584820017,
    7.206571474,
    0.19081728,
    1.493874355,
    1.006450926,
    1.482379296,
    0.9154628547,
];
const EVALUATED: [f64; 5] = [-10.38585464, -7.242549342, -14.92812142, -7.469167818, -8.57791338];

/// The parameters of the script.
fn model() -> ScviModel {
    let widths = ScviWidths { genes: 4, hidden: 3, latent: 2 };
    let model = ScviModel::new(widths, &Noise::new(1), &Device::Cpu).unwrap();
    for (index, (_, variable)) in model.variables().into_iter().enumerate() {
        let gain = if [2, 10].contains(&index) { 1.0 } else { 0.0 };
        let value = |k: usize| (gain + 0.3 * ((7 * index + 3 + k) as f64).sin()) as f32;
        let values: Vec<f32> = (0..variable.elem_count()).map(value).collect();
        variable.set(&Tensor::from_vec(values, variable.shape(), &Device::Cpu).unwrap()).unwrap();
    }
    model
}

fn batch() -> Batch {
    Batch::of_rows(Tensor::new(&COUNTS, &Device::Cpu).unwrap(), (0..5).collect())
}

/// Single precision of values of a few units.
fn assert_close(found: &Tensor, exact: &[f64], what: &str) {
    let found = found.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(found.len(), exact.len(), "{what}");
    for (found, exact) in found.iter().zip(exact) {
        assert!((f64::from(*found) - exact).abs() < 2e-6 * (1.0 + exact.abs()), "{what}: {found} for {exact}");
    }
}

fn set(variables: &[(&str, &Var)], values: &[Tensor]) {
    variables.iter().zip(values).for_each(|((_, variable), value)| variable.set(value).unwrap());
}

#[test]
fn loss_gradients_and_running_moments_are_torchs() {
    let model = model();
    let mut method = Scvi { dropout: 0.3, kl_weight: Schedule::Constant(0.25), adam_epsilon: 0.01 };
    let (batch, mut noise, progress) = (batch(), Noise::new(5), Progress { epoch: 0, step: 0 });
    let loss = method.loss(&model, &mut Step { batch: &batch, noise: &mut noise, progress }).unwrap();
    assert_close(&loss.value, &LOSS[..1], "loss");
    for ((name, found), exact) in loss.diagnostics().unwrap().iter().zip(&LOSS[1..]) {
        assert!((found - exact).abs() < 1e-5, "{name}: {found} for {exact}");
    }
    let gradients = loss.value.backward().unwrap();
    for ((name, variable), exact) in model.variables().into_iter().zip(GRADIENTS) {
        assert_close(gradients.get(variable).unwrap(), exact, name);
    }
    for ((name, running), exact) in model.buffers().into_iter().map(|(name, _)| name).zip(&loss.buffers).zip(RUNNING) {
        assert_close(running, exact, name);
    }
}

#[test]
fn evaluation_by_running_moments_is_torchs() {
    let model = model();
    let running = RUNNING.map(|values| {
        Tensor::from_vec(values.iter().map(|value| *value as f32).collect::<Vec<_>>(), 3, &Device::Cpu).unwrap()
    });
    set(&model.buffers(), &running);
    let proposal = model.propose(&batch()).unwrap();
    assert_close(proposal.mean(), &MEANS, "mean");
    assert_close(&proposal.log_variance().exp().unwrap(), &VARIANCES, "variance");
    assert_close(&model.log_likelihood(proposal.mean(), &batch()).unwrap(), &EVALUATED, "log likelihood");
}
