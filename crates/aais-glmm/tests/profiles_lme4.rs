//! Profile likelihood intervals of lme4.
//!
//! The numbers of lme4 were made with R 4.2.2 and lme4 1.1-31:
//!
//! ```r
//! tight <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-12, optCtrl = list(rhoend = 1e-8, maxfun = 100000))
//! models <- list(
//!   lmer(Reaction ~ Days + (Days | Subject), sleepstudy, REML = FALSE),
//!   lmer(Yield ~ 1 + (1 | Batch), Dyestuff2, REML = FALSE),
//!   glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, family = binomial, control = tight),
//!   glmer(TICKS ~ YEAR + (1 | LOCATION), grouseticks, family = poisson, control = tight))
//! lapply(models, confint, method = "profile", oldNames = FALSE)
//! ```
//!
//! Its levels `YEAR96` and `YEAR97` are `YEAR2` and `YEAR3` of the design here.

#![allow(clippy::unwrap_used)]

mod support;

use aais_glmm::{BinomialLink, Criterion, Design, Family, Fit, Settings, fit, profile};
use support::golden;

const LOGIT: Family = Family::Binomial(BinomialLink::Logit);

fn fitted(name: &str, family: Family) -> (Design, Fit) {
    let (_, design) = golden(name);
    let settings = Settings { criterion: Criterion::MaximumLikelihood, ..Settings::default() };
    let fit = fit(&design, family, &settings).unwrap();
    (design, fit)
}

/// Ends against those of lme4, as shares of the interval's length.
fn check_lme4(design: &Design, fit: &Fit, expected: &[(&str, f64, f64)], tolerance: f64) {
    let found = profile(design, fit, 0.95).unwrap().intervals;
    assert_eq!(found.len(), expected.len());
    for (interval, (name, lower, upper)) in found.iter().zip(expected) {
        assert_eq!(interval.name, *name);
        let errors = [interval.lower.unwrap() - lower, interval.upper.unwrap() - upper];
        assert!(errors.iter().all(|error| error.abs() < tolerance * (upper - lower)), "{name}: {errors:?}");
    }
}

#[test]
fn linear_intervals_are_those_of_lme4() {
    let (design, fit) = fitted("sleepstudy_slope", Family::Gaussian);
    let expected = [
        ("sd_(Intercept)|Subject", 14.3814811165, 37.716018740),
        ("cor_Days.(Intercept)|Subject", -0.4815004432, 0.684986139),
        ("sd_Days|Subject", 3.8011647624, 8.753366659),
        ("sigma", 22.8982662150, 28.857997323),
        ("(Intercept)", 237.6806954694, 265.129514692),
        ("Days", 7.3586532953, 13.575918741),
    ];
    // lme4 interpolates its profile: the largest difference is 3e-5 of a length, of the correlation.
    check_lme4(&design, &fit, &expected, 5e-5);

    let (design, fit) = fitted("dyestuff2_singular", Family::Gaussian);
    let expected = [
        ("sd_(Intercept)|Batch", 0.0, 2.084043489),
        ("sigma", 2.892831020, 4.815832552),
        ("(Intercept)", 4.312100217, 7.019092347),
    ];
    // Its splines smooth the corner of the mean's profile where the variance comes back.
    check_lme4(&design, &fit, &expected, 5e-4);
}

#[test]
fn generalized_intervals_are_those_of_lme4() {
    let (design, fit) = fitted("cbpp_logit", LOGIT);
    let expected = [
        ("sd_(Intercept)|herd", 0.3460944616, 1.0998818997),
        ("(Intercept)", -1.9011561072, -0.9477913932),
        ("period2", -1.6166786629, -0.4078405204),
        ("period3", -1.8009176257, -0.5116103060),
        ("period4", -2.5006007120, -0.8008310429),
    ];
    // Interpolation, and profiles that lme4 takes with its own, looser, optimizer settings.
    check_lme4(&design, &fit, &expected, 2e-4);

    let (design, fit) = fitted("grouseticks_location", Family::Poisson);
    let expected = [
        ("sd_(Intercept)|LOCATION", 1.0460128611, 1.607170458),
        ("(Intercept)", 0.2703237544, 1.006276398),
        ("YEAR2", 0.7783736597, 1.112761950),
        ("YEAR3", -1.6819109455, -1.196908637),
    ];
    check_lme4(&design, &fit, &expected, 2e-4);
}
