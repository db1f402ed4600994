//! Mean and standard deviation of a metric over training seeds.

pub use aais_metrics::Summary;

use crate::cell::{Cell, Outcome};

/// A method's cells with their outcomes, by seed; `<method>-ema` gives the averaged outcomes of `<method>`.
pub fn outcomes<'a>(cells: &'a [Cell], method: &str) -> Vec<(&'a Cell, &'a Outcome)> {
    let base = method.strip_suffix("-ema");
    let of_method = cells.iter().filter(|cell| cell.method == base.unwrap_or(method));
    let mut found: Vec<(&Cell, &Outcome)> = match base {
        Some(_) => of_method.filter_map(|cell| Some((cell, cell.averaged.as_ref()?))).collect(),
        None => of_method.map(|cell| (cell, &cell.outcome)).collect(),
    };
    found.sort_by_key(|(cell, _)| cell.seed);
    found
}

/// Mean and spread of a metric over a method's seeds; none if no cell has it. Deviation 14.
pub fn summarize(cells: &[Cell], method: &str, metric: &str) -> Option<Summary> {
    let values = outcomes(cells, method).into_iter().filter_map(|(_, outcome)| outcome.metrics.get(metric).copied());
    let values: Vec<f64> = values.collect();
    if values.is_empty() {
        return None;
    }
    // What is not finite must fail its claims, not look like a method that has not run.
    let not_finite = Summary { n: values.len(), mean: f64::NAN, sd: None };
    Some(aais_metrics::summarize(&values).unwrap_or(not_finite))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fake;

    #[test]
    fn a_value_that_is_not_finite_leaves_no_mean() {
        let cells = [(1, 0.1), (2, f64::INFINITY)].map(|(seed, ks)| fake::cell("table2", "aais", seed, &[("ks", ks)]));
        let summary = summarize(&cells, "aais", "ks").unwrap();
        assert!(summary.n == 2 && summary.mean.is_nan() && summary.sd.is_none(), "{summary:?}");
    }

    #[test]
    fn averaged_columns_read_the_averaged_outcome() {
        let mut cells =
            vec![fake::cell("table2", "aais", 1, &[("ks", 0.4)]), fake::cell("table2", "aais", 0, &[("ks", 0.2)])];
        assert_eq!(summarize(&cells, "aais-ema", "ks"), None);

        cells[1].averaged = Some(fake::outcome(&[("ks", 0.1)]));
        assert_eq!(summarize(&cells, "aais-ema", "ks").unwrap().mean, 0.1);
        assert_eq!(summarize(&cells, "aais-ema", "ks").unwrap().n, 1);
        assert!((summarize(&cells, "aais", "ks").unwrap().mean - 0.3).abs() < 1e-15);
        assert_eq!(outcomes(&cells, "aais")[0].0.seed, 0);
    }

    #[test]
    fn a_variant_is_not_its_namesake() {
        let cells = [fake::cell("table2", "iwae-published", 0, &[("ks", 0.1)])];
        assert_eq!(summarize(&cells, "iwae", "ks"), None);
        assert_eq!(summarize(&cells, "iwae-published", "wd"), None);
    }
}
