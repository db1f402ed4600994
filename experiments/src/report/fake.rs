//! Cells with made-up numbers, for tests only.

use std::collections::BTreeMap;

use aais_distributions::Noise;
use candle_core::Device;

use super::ReportInput;
use crate::{
    cell::{Cell, ClassPoints, Generated, Gray, Images, Outcome, Protocol, Rows, Timing},
    reported::Reported,
};

/// Of the kind that a fitted model without chance stands in: its numbers have no deviation, and some no better direction.
const ROWS: &str = "rows";
/// Of a plane of points by class, for which no truth is needed.
const CLASSES: &str = "table6";
/// Of images, for which no truth is needed either.
const IMAGES: &str = "table5";
const REPORTED_OF_ROWS: &str = r#"
    caption = "A made-up table."
    source = "Table 0"
    metrics = [{ name = "deviance", label = "deviance", description = "of the fit", direction = "min", digits = 3 },
               { name = "modedo", label = "modedo", description = "a fixed effect", direction = "none", digits = 3 }]
    columns = [{ method = "glmm", label = "GLMM", reported = { deviance = [4530.573], modedo = [-0.669] }, agrees_within = 0.0015 },
               { method = "aais", label = "AAIS", reported = { deviance = [4512.1, 1.5], modedo = [-0.701, 0.012] } }]
    figures = [{ name = "glmm", caption = "Pairs of the GLMM.", panels = ["glmm"] },
               { name = "aais", caption = "Pairs of AAIS.", panels = ["aais"] }]
"#;

/// A made-up report of every method that a table has, three seeds each, without those that are not implemented.
pub(crate) struct Fake {
    table: &'static str,
    pub(crate) reported: Reported,
    pub(crate) cells: Vec<Cell>,
    reference: Option<Generated>,
    pub(crate) protocol: Protocol,
    pub(crate) note: String,
}

impl Fake {
    pub(crate) fn of(table: &'static str) -> Self {
        Self::new(table, Reported::of(table).unwrap())
    }

    pub(crate) fn of_rows() -> Self {
        Self::new(ROWS, Reported::parse(REPORTED_OF_ROWS).unwrap())
    }

    fn new(table: &'static str, reported: Reported) -> Self {
        let mut cells = Vec::new();
        for (rank, column) in reported.columns.iter().enumerate() {
            if ["amcvae", "lmcvae", "almond"].contains(&column.method.as_str()) || column.method.ends_with("-ema") {
                continue;
            }
            for seed in 0..3 {
                let value = 0.1 / (1 + rank) as f64 + 0.001 * seed as f64;
                let metrics: Vec<(&str, f64)> = reported.metrics.iter().map(|m| (m.name.as_str(), value)).collect();
                let mut cell = cell(table, &column.method, seed, &metrics);
                cell.outcome.generated = sample(table, seed);
                if column.method == "aais" {
                    cell.averaged = Some(cell.outcome.clone());
                }
                cells.push(cell);
            }
        }
        let reference = (![ROWS, CLASSES, IMAGES].contains(&table)).then(|| sample(table, 9));
        Self { table, reported, cells, reference, protocol: Protocol::Full, note: String::new() }
    }

    pub(crate) fn input(&self) -> ReportInput<'_> {
        ReportInput {
            table: self.table,
            title: "A made-up run",
            protocol: self.protocol,
            note: &self.note,
            reported: &self.reported,
            cells: &self.cells,
            reference: self.reference.as_ref(),
        }
    }
}

pub(crate) fn cell(table: &str, method: &str, seed: u64, metrics: &[(&str, f64)]) -> Cell {
    Cell {
        table: table.into(),
        method: method.into(),
        seed,
        protocol: Protocol::Full,
        epochs: 1000,
        config_hash: format!("hash-of-{method}"),
        version: "0.1.0".into(),
        instruction_set: "avx2".into(),
        machine: "made up".into(),
        data: None,
        outcome: outcome(metrics),
        averaged: None,
        diagnostics: Vec::new(),
        timing: Timing { seconds: 60.0 },
    }
}

pub(crate) fn outcome(metrics: &[(&str, f64)]) -> Outcome {
    let metrics: BTreeMap<String, f64> = metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    Outcome { metrics, generated: sample("table2", 0) }
}

fn sample(table: &str, seed: u64) -> Generated {
    if table == ROWS {
        Generated::Rows(two_modes(seed))
    } else if table == CLASSES {
        let points = |class: u32| (0..9).map(|k| [f64::from(k * class), f64::from(k % 3) + seed as f64]).collect();
        Generated::Classes((0..7).map(|k| ClassPoints { name: format!("class {k}"), points: points(k) }).collect())
    } else if table == IMAGES {
        let image = |k: usize| Gray::of((0..784).map(|pixel| ((pixel + k) % 29) as f64 / 28.0)).unwrap();
        let some = |n: usize, first: usize| (first..first + n).map(image).collect::<Vec<_>>();
        Generated::Images(Images::new([28, 28], some(100, seed as usize), some(10, 0), some(10, 7)).unwrap())
    } else if table == "figure1" {
        let angle = |index: u32| f64::from(index) * 0.7 + seed as f64;
        Generated::Points((0..300).map(|index| [angle(index).cos(), angle(index).sin()]).collect())
    } else {
        let counts = (0..20_u64).map(|bin| 200 - 9 * bin + seed).collect();
        Generated::Histogram { low: -2.0, high: 8.0, below: seed, above: 2, counts }
    }
}

/// 500 rows in five dimensions that lie around two points.
fn two_modes(seed: u64) -> Rows {
    let mut noise = Noise::new(seed);
    let normals = noise.standard_normal(&[500, 5], &Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
    let row = |(index, normal): (usize, &Vec<f32>)| -> Vec<f64> {
        let side = if index % 3 == 0 { -1.0 } else { 1.0 };
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|coordinate| f64::from(normal[coordinate]));
        vec![1.2 * side + 0.6 * a, 0.4 * b - 0.8 * side, 0.1 * c + 0.05 * a, 2.0 + 5.0 * d - 3.0 * b, 0.5 * e * e]
    };
    let sample: Vec<Vec<f64>> = normals.iter().enumerate().map(row).collect();
    Rows::first(500, &["(Intercept)", "situself", "btypescold", "btypeshout", "modedo"], &sample).unwrap()
}
