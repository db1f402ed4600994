//! Mean and standard deviation of a metric over training seeds.

use crate::cell::{Cell, Outcome};

/// What a method's runs gave for one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Seeds.
    pub n: usize,
    /// Mean over seeds.
    pub mean: f64,
    /// Standard deviation over seeds, with divisor `n - 1`; none of a single seed.
    pub sd: Option<f64>,
}

impl Summary {
    /// Of these values, one a seed; none of no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        Some(Self { n, mean, sd })
    }
}

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

/// Mean and spread of a metric over a method's seeds; none if no cell has it.
pub fn summarize(cells: &[Cell], method: &str, metric: &str) -> Option<Summary> {
    let values = outcomes(cells, method).into_iter().filter_map(|(_, outcome)| outcome.metrics.get(metric).copied());
    Summary::of(&values.collect::<Vec<f64>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fake;

    #[test]
    fn the_deviation_divides_by_n_minus_one() {
        let summary = Summary::of(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!((summary.n, summary.mean), (4, 2.5));
        assert!((summary.sd.unwrap() - (5.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(Summary::of(&[7.0]).unwrap().sd, None);
        assert_eq!(Summary::of(&[]), None);
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
