//! What is printed, letter by letter.

#![allow(clippy::unwrap_used)]

mod support;

use aais_glmm::{BinomialLink, Criterion, Family, Fit, Settings, fit, profile};
use support::golden;

const LOGIT: Family = Family::Binomial(BinomialLink::Logit);

fn fitted(name: &str, family: Family) -> Fit {
    fit(&golden(name).1, family, &Settings::default()).unwrap()
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(text.lines().collect::<Vec<_>>(), expected, "\n{text}");
}

#[test]
fn a_linear_fit() {
    let expected = [
        "gaussian (identity) mixed model by REML",
        "REML criterion 1743.6283, AIC 1755.6283, BIC 1774.7860",
        "180 rows, 18 levels of Subject",
        "",
        "Random effects",
        "  group     effect        variance  std. dev.  correlations",
        "  Subject   (Intercept)  612.08994   24.74045",
        "            Days          35.07166    5.92213         0.066",
        "  residual               654.94103   25.59182",
        "",
        "Fixed effects",
        "                estimate  std. error  t value",
        "  (Intercept)  251.40510     6.82456   36.838",
        "  Days          10.46729     1.54579    6.771",
    ];
    check(&fitted("sleepstudy_slope", Family::Gaussian).to_string(), &expected);
}

#[test]
fn a_generalized_fit_has_both_standard_errors() {
    let expected = [
        "binomial (logit) mixed model by maximum likelihood (Laplace)",
        "-2 log-likelihood 184.0526, AIC 194.0526, BIC 204.1793",
        "56 rows, 15 levels of herd",
        "",
        "Random effects",
        "  group  effect       variance  std. dev.",
        "  herd   (Intercept)   0.41250    0.64226",
        "",
        "Fixed effects",
        "               estimate  std. error  given theta  z value  P(> |z|)",
        "  (Intercept)  -1.39853     0.23247      0.22789   -6.016   1.79e-9",
        "  period2      -0.99233     0.30664      0.30539   -3.236   0.00121",
        "  period3      -1.12867     0.32664      0.32605   -3.455   5.49e-4",
        "  period4      -1.58031     0.42744      0.42880   -3.697   2.18e-4",
    ];
    check(&fitted("cbpp_logit", LOGIT).to_string(), &expected);
}

#[test]
fn correlations_stand_in_columns() {
    let mut fit = fitted("sleepstudy_slope", Family::Gaussian);
    let term = &mut fit.random[0];
    term.effect_names = ["a", "b", "c", "d"].map(String::from).into();
    term.covariance =
        ndarray::array![[4.0, -1.0, 1.0, 0.0], [-1.0, 1.0, 0.25, 0.0], [1.0, 0.25, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0],];
    let text = fit.to_string();
    let lines = [
        "  group     effect   variance  std. dev.          correlations",
        "  Subject   a         4.00000    2.00000",
        "            b         1.00000    1.00000  -0.500",
        "            c         1.00000    1.00000   0.500  0.250",
        "            d         0.00000    0.00000     NaN    NaN    NaN",
        "  residual          654.94103   25.59182",
    ];
    assert_eq!(text.lines().skip(5).take(6).collect::<Vec<_>>(), lines, "\n{text}");
}

#[test]
fn a_singular_fit_is_explained_below_its_table() {
    let text = fitted("dyestuff2_singular", Family::Gaussian).to_string();
    let (table, notes) = text.split_once("\n\nnote: ").unwrap();
    assert!(table.ends_with("  (Intercept)   5.66560     0.67839    8.352"), "\n{text}");
    assert!(notes.starts_with("singular fit: "), "\n{text}");
}

#[test]
fn a_model_without_random_effects_has_fixed_ones_alone() {
    let (_, mut design) = golden("cbpp_logit");
    design.random.clear();
    let text = fit(&design, LOGIT, &Settings::default()).unwrap().to_string();
    assert!(text.starts_with("binomial (logit) model by maximum likelihood"), "\n{text}");
    assert!(!text.contains("Random effects") && text.contains("\n\nFixed effects\n"), "\n{text}");
}

#[test]
fn a_profile_shows_where_there_is_no_end() {
    let (_, design) = golden("dyestuff2_singular");
    let settings = Settings { criterion: Criterion::MaximumLikelihood, ..Settings::default() };
    let fit = fit(&design, Family::Gaussian, &settings).unwrap();
    let mut profile = profile(&design, &fit, 0.95).unwrap();
    profile.intervals[1].upper = None;
    let expected = [
        "Profile likelihood intervals, level 0.95",
        "                        estimate    lower    upper",
        "  sd_(Intercept)|Batch   0.00000  0.00000  2.08405",
        "  sigma                  3.65323  2.89285        -",
        "  (Intercept)            5.66560  4.31284  7.01836",
    ];
    check(&profile.to_string(), &expected);
}
