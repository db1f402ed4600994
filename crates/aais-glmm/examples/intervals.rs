//! Seconds of profile likelihood intervals and of a bootstrap: `cargo run --release -p aais-glmm --example intervals`. One thread.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use aais_glmm::{
    Approximation, BinomialLink, BootstrapSettings, Criterion, Family, Levels, Settings, bootstrap, fit, profile,
};
use support::golden;

const LOGIT: Family = Family::Binomial(BinomialLink::Logit);

fn main() {
    let cases = [
        ("sleepstudy_slope", Family::Gaussian, 1),
        ("dyestuff2_singular", Family::Gaussian, 1),
        ("cbpp_logit", LOGIT, 1),
        ("cbpp_logit", LOGIT, 9),
        ("grouseticks_location", Family::Poisson, 1),
        ("simpoisson_intercept", Family::Poisson, 1),
        ("verbagg_id", LOGIT, 1),
        ("verbagg_id_item", LOGIT, 1),
    ];
    for (name, family, n_nodes) in cases {
        let (_, design) = golden(name);
        let approximation = match n_nodes {
            1 => Approximation::Laplace,
            n_nodes => Approximation::Quadrature { n_nodes },
        };
        let settings = Settings { criterion: Criterion::MaximumLikelihood, approximation, ..Settings::default() };
        let start = Instant::now();
        let fit = fit(&design, family, &settings).expect("the model can be fitted");
        let fitted = start.elapsed().as_secs_f64();
        let profile = profile(&design, &fit, 0.95).expect("the fit has a profile");
        let profiled = start.elapsed().as_secs_f64() - fitted;
        println!("{name}, {n_nodes} nodes: fit {:.2} ms, profile {:.2} ms", 1e3 * fitted, 1e3 * profiled);
        println!("{profile}\n  {} evaluations\n", profile.n_evaluations);

        let start = Instant::now();
        let draws = BootstrapSettings { n_draws: 50, seed: 1, levels: Levels::Redrawn };
        let bootstrap = bootstrap(&design, &fit, &draws).expect("the design is the fit's");
        let each = start.elapsed().as_secs_f64() / draws.n_draws as f64;
        println!("{bootstrap}\n  {:.2} ms a draw\n", 1e3 * each);
    }
}
