//! The gamma functions against 60-digit values.
//!
//! Golden values: mpmath 1.3.0, `mp.dps = 60`, `nstr(..., 17)` of `loggamma(x)`, `digamma(x)`, `polygamma(1, x)`, and of
//! `loggamma(r + x) - loggamma(r)`, `digamma(r + x) - digamma(r)`.

#![allow(clippy::unwrap_used, clippy::excessive_precision, clippy::unreadable_literal)]

use aais_kernels::gamma::{log_gamma_reference, log_rising_factorial_reference};
use aais_kernels::{digamma, log_gamma, log_rising_factorial};
use candle_core::{DType, Device, Result, Tensor, Var};

/// `x`, `log Γ(x)`, `ψ(x)`, `ψ'(x)`.
const GAMMA: [(f64, f64, f64, f64); 11] = [
    (1e-08, 18.420680738180209, -100000000.57721565, 10000000000000001.0),
    (0.001, 6.9071788853838537, -1000.5755719318103, 1000001.6425331958),
    (0.5, 0.57236494292470009, -1.9635100260214235, 4.9348022005446793),
    (1.0, 0.0, -0.57721566490153286, 1.6449340668482264),
    (1.4616321449683622, -0.12148629053584961, -9.2412655217294275e-17, 0.96767224544762125),
    (2.0, 0.0, 0.42278433509846714, 0.64493406684822644),
    (7.999, 8.5231457861589155, 2.015508332090348, 0.1331547166131586),
    (8.0, 8.5251613610654143, 2.01564147795561, 0.13313701469403143),
    (123.25, 468.61448295051664, 4.8101525319648189, 0.008146594456080265),
    (1000001.0, 12815518.38465817, 13.815511057964191, 9.9999950000016667e-7),
    (100000000.0, 1742068066.1038347, 18.420680738952365, 1.000000005e-8),
];

/// `r`, `x`, `log Γ(r + x) − log Γ(r)`, `ψ(r + x) − ψ(r)`.
const RISING: [(f64, f64, f64, f64); 48] = [
    (1e-08, 1.0, -18.420680743952365, 99999999.999999998),
    (1e-08, 8.0, -9.8955193569583798, 100000002.59285713),
    (1e-08, 9.0, -7.8160778140285439, 100000002.71785713),
    (1e-08, 2.5, -18.135997860675723, 100000001.28037229),
    (1e-08, 1000.0, 5886.7997425400736, 100000007.48447084),
    (1e-08, 1000000.0, 12815486.148467012, 100000014.3927257),
    (0.001, 1.0, -6.907755278982137, 999.99999999999998),
    (0.001, 8.0, 1.6199981837250739, 1002.5913465379316),
    (0.001, 9.0, 3.6995647175930608, 1002.7163309148845),
    (0.001, 2.5, -6.6217926131307692, 1001.2792188121469),
    (0.001, 1000.0, 5898.3201515794933, 1007.4828281279588),
    (0.001, 1000000.0, 12815497.675784236, 1014.3910819907745),
    (0.7, 1.0, -0.35667494393873244, 1.4285714285714287),
    (0.7, 8.0, 9.7068944385969759, 3.3247757784811664),
    (0.7, 9.0, 11.870217464257514, 3.4397183072167986),
    (0.7, 2.5, 0.62453758062324233, 2.2188624449845343),
    (0.7, 1000.0, 5909.7948796649407, 8.1279788543327358),
    (0.7, 1000000.0, 12815513.979137651, 15.035534311662231),
    (5.5, 1.0, 1.7047480922384252, 0.18181818181818182),
    (5.5, 8.0, 17.302262188625985, 0.95410250269316092),
    (5.5, 9.0, 19.904951874070369, 1.028176576767235),
    (5.5, 2.5, 4.567347393446698, 0.40454832937385887),
    (5.5, 1000.0, 5939.2676177018605, 5.3016497131645222),
    (5.5, 1000000.0, 12815576.596654088, 12.204422409370065),
    (8.0, 1.0, 2.0794415416798359, 0.125),
    (8.0, 8.0, 19.374110022775477, 0.72537185037185037),
    (8.0, 9.0, 22.146698745015259, 0.78787185037185037),
    (8.0, 2.5, 5.4154638583383493, 0.28735955634207638),
    (8.0, 1000.0, 5951.985234340143, 4.8995858569138492),
    (8.0, 1000000.0, 12815606.568098714, 11.799876579980581),
    (300.0, 1.0, 5.7037824746562011, 0.0033333333333333333),
    (300.0, 8.0, 45.722824889842527, 0.026360645835932807),
    (300.0, 9.0, 51.452924672816101, 0.029607399082686054),
    (300.0, 2.5, 14.265692340996837, 0.0083125921606634714),
    (300.0, 1000.0, 6609.2872818781474, 1.4676199966907137),
    (300.0, 1000000.0, 12818240.065093054, 8.1136951310585065),
    (100000.0, 1.0, 11.512925464970228, 1.0e-5),
    (100000.0, 8.0, 92.103683712762089, 7.999720013999216e-5),
    (100000.0, 9.0, 103.61668917453249, 8.9996400203987041e-5),
    (100000.0, 2.5, 28.782332412300572, 2.4999812502499965e-5),
    (100000.0, 1000.0, 11517.903905966527, 0.0099503803582827775),
    (100000.0, 1000000.0, 13150609.066100042, 2.3978998182611805),
    (100000000.0, 1.0, 18.420680743952365, 1.0e-8),
    (100000000.0, 8.0, 147.36544623161892, 7.999999720000014e-8),
    (100000000.0, 9.0, 165.78612705557128, 8.9999996400000204e-8),
    (100000000.0, 2.5, 46.051701878630914, 2.4999999812500002e-8),
    (100000000.0, 1000.0, 18420.685738935724, 9.999950050332831e-6),
    (100000000.0, 1000000.0, 18425664.155147176, 0.0099503309026730335),
];

/// Value and derivative at each point.
fn with_derivative(x: &[f64], f: impl Fn(&Tensor) -> Result<Tensor>) -> (Vec<f64>, Vec<f64>) {
    let x = Var::from_slice(x, x.len(), &Device::Cpu).unwrap();
    let value = f(&x).unwrap();
    let gradients = value.sum_all().unwrap().backward().unwrap();
    (value.to_vec1().unwrap(), gradients.get(&x).unwrap().to_vec1().unwrap())
}

fn close(found: f64, exact: f64, tolerance: f64) -> bool {
    (found - exact).abs() <= tolerance * exact.abs().max(1.0)
}

#[test]
fn log_gamma_and_its_derivatives_have_fourteen_digits() {
    let x = GAMMA.map(|(x, ..)| x);
    let (value, slope) = with_derivative(&x, log_gamma);
    let (same_slope, curvature) = with_derivative(&x, digamma);
    assert_eq!(slope, same_slope);
    for (k, (x, log, psi, psi_slope)) in GAMMA.into_iter().enumerate() {
        // Double precision, and a logarithm's rounding near its zeros at 1 and 2.
        for (found, exact) in [(value[k], log), (slope[k], psi), (curvature[k], psi_slope)] {
            assert!(close(found, exact, 1e-14), "{found} for {exact} at {x}");
        }
    }
}

#[test]
fn rising_factorials_do_not_cancel() {
    for (r, x, log, slope) in RISING {
        let factor = Tensor::new(&[[x]], &Device::Cpu).unwrap();
        let (value, derivative) = with_derivative(&[r], |r| log_rising_factorial(r, &factor)?.squeeze(0));
        // Relative to the sum of the logarithms' sizes for the value; the slope is below its largest term.
        assert!(close(value[0], log, 3e-14), "{} for {log} at {r}, {x}", value[0]);
        assert!(((derivative[0] - slope) / slope).abs() < 1e-13, "{} for {slope} at {r}, {x}", derivative[0]);
    }
}

#[test]
fn single_precision_is_rounded_once() {
    for (r, x, log, slope) in RISING {
        let factor = Tensor::new(&[[x as f32]], &Device::Cpu).unwrap();
        let r = Var::new(&[r as f32], &Device::Cpu).unwrap();
        let value = log_rising_factorial(&r, &factor).unwrap();
        let gradients = value.sum_all().unwrap().backward().unwrap();
        let derivative = gradients.get(&r).unwrap().to_vec1::<f32>().unwrap()[0];
        let value = value.to_vec2::<f32>().unwrap()[0][0];
        // The starting point itself is rounded, by 6e-8 of its size, and the value then by 6e-8 of its own.
        let tolerance = 7e-8 * (1.0 + slope.abs() * f64::from(r.to_vec1::<f32>().unwrap()[0])) / log.abs().max(1.0);
        assert!(close(f64::from(value), log, tolerance + 7e-8), "{value} for {log} at {r}, {x}");
        assert!((f64::from(derivative) / slope - 1.0).abs() < 2.5e-7, "{derivative} for {slope} at {r}, {x}");
    }
}

#[test]
fn composed_operations_agree() {
    let x: Vec<f64> = GAMMA.iter().map(|(x, ..)| *x).collect();
    let ((value, slope), (composed, composed_slope)) =
        (with_derivative(&x, log_gamma), with_derivative(&x, log_gamma_reference));
    for k in 0..x.len() {
        // Eight logarithms are added one by one.
        assert!(close(composed[k], value[k], 1e-13), "{} {}", composed[k], value[k]);
        assert!(close(composed_slope[k], slope[k], 1e-12), "{} {}", composed_slope[k], slope[k]);
    }

    let r = Tensor::new(&[0.3f64, 5.0, 80.0], &Device::Cpu).unwrap();
    let x = Tensor::new(&[[0f64, 1.0, 12.0], [3.0, 0.5, 400.0]], &Device::Cpu).unwrap();
    let fused = log_rising_factorial(&r, &x).unwrap().to_vec2::<f64>().unwrap();
    let composed = log_rising_factorial_reference(&r, &x).unwrap().to_vec2::<f64>().unwrap();
    for (fused, composed) in fused.iter().flatten().zip(composed.iter().flatten()) {
        assert!(close(*fused, *composed, 1e-12), "{fused} {composed}");
    }
    assert_eq!(fused[0][0], 0.0);
}

#[test]
fn outside_their_domain_they_are_nan_or_infinite() {
    let x = Tensor::new(&[0f32, -0.5, f32::NAN, f32::INFINITY], &Device::Cpu).unwrap();
    let found = log_gamma(&x).unwrap().to_vec1::<f32>().unwrap();
    assert!(found[0] == f32::INFINITY && found[1].is_nan() && found[2].is_nan() && found[3] == f32::INFINITY);
    let r = Tensor::new(&[1f32, -1.0, f32::NAN], &Device::Cpu).unwrap();
    let found = log_rising_factorial(&r, &Tensor::new(&[[-1f32, 2.0, 0.0]], &Device::Cpu).unwrap()).unwrap();
    assert!(found.to_vec2::<f32>().unwrap()[0].iter().all(|value| value.is_nan()));
}

#[test]
fn integers_and_shapes_that_do_not_fit_are_told() {
    let error = log_gamma(&Tensor::new(&[1u32], &Device::Cpu).unwrap()).unwrap_err();
    assert!(error.to_string().contains("f32 or f64"), "{error}");
    let r = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
    let error = log_rising_factorial(&r, &Tensor::zeros((2, 4), DType::F32, &Device::Cpu).unwrap()).unwrap_err();
    assert!(error.to_string().contains("(4,)"), "{error}");
}
