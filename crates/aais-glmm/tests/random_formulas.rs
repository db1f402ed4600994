//! From formula and columns to a likelihood: the integral over random effects, against brute force.
//!
//! The brute force shares nothing with the engine: columns of each part are written by hand here, and the integral is a
//! sum over a grid of equal steps.
#![allow(clippy::unwrap_used)]

use aais_glmm::{BinomialLink, Categorical, Data, DesignOptions, Family, Formula, Parameters, marginal_nll};
use proptest::prelude::*;

/// Levels of the group.
const GROUPS: usize = 3;

/// Steps of the grid, over eight standard deviations to either side. Equal steps are exact to rounding for such
/// integrands, but for the tails left out.
const STEPS: usize = 160;

/// One row of data: group, a number, a level of three, and what draws its response.
type Row = (usize, f64, usize, f64);

/// The columns of a part by hand.
type Columns = fn(&Row) -> Vec<f64>;

/// Entries of `theta` by row and column of the factor.
type Places = &'static [(usize, usize)];

/// A fixed part, and its columns.
const FIXED: [(&str, Columns); 5] = [
    ("1", |_| vec![1.0]),
    ("x", |row| vec![1.0, row.1]),
    ("0 + x", |row| vec![row.1]),
    ("f", |row| vec![1.0, dummy(row, 1), dummy(row, 2)]),
    ("x * f", |row| {
        let (b, c) = (dummy(row, 1), dummy(row, 2));
        vec![1.0, row.1, b, c, row.1 * b, row.1 * c]
    }),
];

/// A random part of one or two effects, its columns, and its entries of `theta`.
const RANDOM: [(&str, Columns, Places); 4] = [
    ("(1 | g)", |_| vec![1.0], &[(0, 0)]),
    ("(0 + x | g)", |row| vec![row.1], &[(0, 0)]),
    ("(x | g)", |row| vec![1.0, row.1], &[(0, 0), (1, 0), (1, 1)]),
    ("(x || g)", |row| vec![1.0, row.1], &[(0, 0), (1, 1)]),
];

fn dummy(row: &Row, level: usize) -> f64 {
    f64::from(u8::from(row.2 == level))
}

fn response(family: Family, row: &Row) -> f64 {
    match family {
        Family::Poisson => (row.3 * 5.0).floor(),
        _ => f64::from(u8::from(row.3 < 0.5)),
    }
}

fn log_density(family: Family, y: f64, eta: f64) -> f64 {
    match family {
        Family::Poisson => {
            y * eta - eta.exp() - (1..=5).filter(|k| f64::from(*k) <= y).map(|k| f64::from(k).ln()).sum::<f64>()
        }
        _ => y * eta - if eta > 0.0 { eta + (-eta).exp().ln_1p() } else { eta.exp().ln_1p() },
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// `-log` of the product over groups of `∫ Π p(y | x β + z Λ u) φ(u) du`.
fn brute_force(
    family: Family,
    rows: &[Row],
    fixed: Columns,
    random: Columns,
    places: Places,
    (theta, beta): (&[f64], &[f64]),
) -> f64 {
    let grid: Vec<f64> = (0..=STEPS).map(|k| -8.0 + 16.0 * k as f64 / STEPS as f64).collect();
    let step = 16.0 / STEPS as f64;
    let n_effects = random(&rows[0]).len();
    let mut nll = 0.0;
    for group in 0..GROUPS {
        let of_group: Vec<&Row> = rows.iter().filter(|row| row.0 == group).collect();
        let joint = |u: &[f64]| -> f64 {
            let mut effects = vec![0.0; n_effects];
            for (value, &(row, column)) in theta.iter().zip(places) {
                effects[row] += value * u[column];
            }
            let of_row = |row: &&Row| {
                let eta = dot(&fixed(row), beta) + dot(&random(row), &effects);
                log_density(family, response(family, row), eta)
            };
            let normal: f64 = u.iter().map(|u| -0.5 * u * u - 0.5 * (2.0 * std::f64::consts::PI).ln()).sum();
            (of_group.iter().map(of_row).sum::<f64>() + normal).exp()
        };
        let integral: f64 = match n_effects {
            1 => grid.iter().map(|u| joint(&[*u]) * step).sum(),
            _ => grid.iter().flat_map(|u| grid.iter().map(move |v| [*u, *v])).map(|u| joint(&u) * step * step).sum(),
        };
        nll -= integral.ln();
    }
    nll
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    // Every group and every level occur; `x` takes enough values for its slopes in each level.
    prop::collection::vec((-1.5..1.5_f64, 0.0..1.0_f64), 18).prop_map(|draws| {
        draws.into_iter().enumerate().map(|(k, (x, uniform))| (k % GROUPS, x, (k / GROUPS) % 3, uniform)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_formulas_likelihood_is_its_integral(
        rows in rows(),
        fixed in 0..FIXED.len(),
        random in 0..RANDOM.len(),
        is_poisson: bool,
        theta in prop::collection::vec(0.1..1.2_f64, 3),
        beta in prop::collection::vec(-0.8..0.8_f64, 6),
    ) {
        let ((fixed_part, fixed), (random_part, random, places)) = (FIXED[fixed], RANDOM[random]);
        let family = if is_poisson { Family::Poisson } else { Family::Binomial(BinomialLink::Logit) };
        let level = |row: &Row| ["a", "b", "c"][row.2];
        let data = Data::new()
            .with("y", rows.iter().map(|row| response(family, row)).collect::<Vec<_>>()).unwrap()
            .with("x", rows.iter().map(|row| row.1).collect::<Vec<_>>()).unwrap()
            .with("f", Categorical::from_values(&rows.iter().map(level).collect::<Vec<_>>())).unwrap()
            .with("g", rows.iter().map(|row| row.0 as f64).collect::<Vec<_>>()).unwrap();
        let formula = Formula::parse(&format!("y ~ {fixed_part} + {random_part}")).unwrap();
        let design = formula.design(&data, &DesignOptions::default()).unwrap().design;

        let (theta, beta) = (theta[..places.len()].to_vec(), beta[..fixed(&rows[0]).len()].to_vec());
        let exact = brute_force(family, &rows, fixed, random, places, (&theta, &beta));
        let parameters = Parameters { theta, fixed: beta, dispersion: None };
        let found = marginal_nll(&design, family, &parameters, 60).unwrap();
        // Sixty adaptive nodes and the grid are both exact to about nine digits here.
        prop_assert!((found - exact).abs() < 1e-8 * exact.abs(), "{formula}: {found} {exact}");
    }
}
