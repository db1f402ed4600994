//! Seconds of whole fits, the least of several: `cargo run --release -p aais-glmm --example fits [name]`.
//!
//! One thread. For peak memory run one name under `/usr/bin/time -v`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use aais_glmm::{Approximation, BinomialLink, Design, Family, Settings, fit};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use support::{Column, fixed, golden, table7, term, verbagg, verbagg_columns};

const LOGIT: Family = Family::Binomial(BinomialLink::Logit);

struct Case {
    name: &'static str,
    design: fn() -> Design,
    family: Family,
    n_nodes: usize,
    repetitions: usize,
}

fn main() {
    let case = |name, design, family, n_nodes, repetitions| Case { name, design, family, n_nodes, repetitions };
    let cases = [
        case("verbagg_id", || golden("verbagg_id").1, LOGIT, 1, 20),
        case("verbagg_id_9_nodes", || golden("verbagg_id").1, LOGIT, 9, 5),
        case("verbagg_id_item", || golden("verbagg_id_item").1, LOGIT, 1, 20),
        case("verbagg_mode_id", || verbagg_id(&[Column::Factor("mode", 2)]), LOGIT, 1, 20),
        case("verbagg_all_id", || verbagg_id(&verbagg_columns()), LOGIT, 1, 5),
        case("verbagg_table7", table7, LOGIT, 1, 10),
        case("cbpp", || golden("cbpp_logit").1, LOGIT, 1, 50),
        case("sleepstudy", || golden("sleepstudy_slope").1, Family::Gaussian, 1, 50),
        case("simpoisson", || golden("simpoisson_intercept").1, Family::Poisson, 1, 20),
        case("crossed_100k", crossed, LOGIT, 1, 5),
        case("crossed_linear_73k", ratings, Family::Gaussian, 1, 2),
    ];
    let wanted = std::env::args().nth(1);
    for case in cases.iter().filter(|case| wanted.as_deref().is_none_or(|name| name == case.name)) {
        report(case);
    }
}

fn report(case: &Case) {
    let design = (case.design)();
    let approximation = match case.n_nodes {
        1 => Approximation::Laplace,
        n_nodes => Approximation::Quadrature { n_nodes },
    };
    let settings = Settings { approximation, ..Settings::default() };
    let mut least = f64::INFINITY;
    let mut last = None;
    for _ in 0..case.repetitions {
        let start = Instant::now();
        let fit = fit(&design, case.family, &settings).expect("the model can be fitted");
        least = least.min(start.elapsed().as_secs_f64());
        last = Some(fit);
    }
    if let Some(fit) = last {
        let name = case.name;
        let (evaluations, log_likelihood) = (fit.n_evaluations, fit.log_likelihood);
        println!("{name:<20} {:9.2} ms  {evaluations:4} evaluations  log-likelihood {log_likelihood:.6}", 1e3 * least);
        fit.diagnostics.iter().for_each(|diagnostic| println!("    {diagnostic}"));
    }
}

fn verbagg_id(effects: &[Column]) -> Design {
    let table = verbagg();
    let random = vec![term("id", &table.column("id"), fixed(&table, effects))];
    support::design(table.column("y"), fixed(&table, &verbagg_columns()), random)
}

/// 100 000 Bernoulli rows, 5000 levels crossed with 200, one predictor.
fn crossed() -> Design {
    crossed_rows(100_000, [5000, 200], true)
}

/// 73 421 Gaussian rows, 2972 levels crossed with 1128: the sizes of lme4's InstEval.
fn ratings() -> Design {
    crossed_rows(73_421, [2972, 1128], false)
}

fn crossed_rows(n_rows: usize, levels: [usize; 2], is_binary: bool) -> Design {
    let mut noise = ChaCha8Rng::seed_from_u64(1);
    let mut normal = |std: f64| -> f64 {
        let draw: f64 = StandardNormal.sample(&mut noise);
        std * draw
    };
    let effects = levels.map(|n| (0..n).map(|_| normal(0.8)).collect::<Vec<f64>>());
    let predictor: Vec<f64> = (0..n_rows).map(|_| normal(1.0)).collect();
    let errors: Vec<f64> = (0..n_rows).map(|_| normal(1.0)).collect();
    let mut uniform = ChaCha8Rng::seed_from_u64(2);
    let codes = levels.map(|n| (0..n_rows).map(|_| uniform.random_range(0..n) as f64).collect::<Vec<f64>>());

    let response = (0..n_rows).map(|row| {
        let [a, b] = [0, 1].map(|factor| effects[factor][codes[factor][row] as usize]);
        let eta = -0.3 + 0.5 * predictor[row] + a + b;
        if is_binary {
            f64::from(u8::from(uniform.random::<f64>() < 1.0 / (1.0 + (-eta).exp())))
        } else {
            eta + errors[row]
        }
    });
    let response: Vec<f64> = response.collect();
    let columns = Array2::from_shape_fn((n_rows, 2), |(row, column)| if column == 0 { 1.0 } else { predictor[row] });
    let names = vec!["(Intercept)".to_string(), "x".to_string()];
    let ones = || (Array2::ones((n_rows, 1)), vec!["(Intercept)".to_string()]);
    let random = vec![term("subject", &codes[0], ones()), term("item", &codes[1], ones())];
    support::design(response, (columns, names), random)
}
