//! Designs from the CSV files of the golden values, without formulas.

#![allow(clippy::unwrap_used, dead_code)]

use aais_glmm::{Design, RandomTerm, Response};
use ndarray::Array2;
use serde_json::Value;

/// Columns of a CSV file of numbers.
pub struct Table {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

impl Table {
    pub fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let names = lines.next().unwrap().split(',').map(String::from).collect();
        let rows = lines.map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect();
        Self { names, rows }
    }

    pub fn column(&self, name: &str) -> Vec<f64> {
        let index = self.names.iter().position(|known| known == name).unwrap();
        self.rows.iter().map(|row| row[index]).collect()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

/// A fixed effect: a number, or a factor against its first level.
pub enum Column<'a> {
    Number(&'a str),
    Factor(&'a str, usize),
}

/// An intercept and the columns, with their names.
pub fn fixed(table: &Table, columns: &[Column]) -> (Array2<f64>, Vec<String>) {
    let mut values = vec![vec![1.0; table.len()]];
    let mut names = vec!["(Intercept)".to_string()];
    for column in columns {
        match column {
            Column::Number(name) => {
                values.push(table.column(name));
                names.push((*name).into());
            }
            Column::Factor(name, n_levels) => {
                for level in 1..*n_levels {
                    let codes = table.column(name);
                    values.push(codes.iter().map(|code| f64::from(u8::from(*code == level as f64))).collect());
                    names.push(format!("{name}{}", level + 1));
                }
            }
        }
    }
    let matrix = Array2::from_shape_fn((table.len(), values.len()), |(row, column)| values[column][row]);
    (matrix, names)
}

/// `(effects | group)` for codes from zero.
pub fn term(group: &str, codes: &[f64], effects: (Array2<f64>, Vec<String>)) -> RandomTerm {
    let codes: Vec<usize> = codes.iter().map(|code| *code as usize).collect();
    let n_levels = codes.iter().max().unwrap() + 1;
    RandomTerm {
        group: group.into(),
        levels: (1..=n_levels).map(|level| level.to_string()).collect(),
        codes,
        effects: effects.0,
        effect_names: effects.1,
    }
}

/// `(1 | group)` for a column of codes.
pub fn intercept(table: &Table, group: &str) -> RandomTerm {
    term(group, &table.column(group), fixed(table, &[]))
}

pub fn design(response: Vec<f64>, fixed: (Array2<f64>, Vec<String>), random: Vec<RandomTerm>) -> Design {
    let n_rows = response.len();
    Design {
        response: Response { name: "y".into(), weights: vec![1.0; n_rows], values: response },
        fixed: fixed.0,
        fixed_names: fixed.1,
        offset: vec![0.0; n_rows],
        random,
    }
}

pub fn verbagg_columns() -> [Column<'static>; 3] {
    [Column::Factor("situ", 2), Column::Factor("btype", 3), Column::Factor("mode", 2)]
}

pub fn verbagg() -> Table {
    Table::parse(include_str!("../golden/verbagg.csv"))
}

/// The golden file and the design of a model.
pub fn golden(name: &str) -> (Value, Design) {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    match name {
        "verbagg_id" | "verbagg_id_item" => {
            let table = verbagg();
            let text = if name == "verbagg_id" {
                include_str!("../golden/verbagg_id.json")
            } else {
                include_str!("../golden/verbagg_id_item.json")
            };
            let mut random = vec![intercept(&table, "id")];
            if name == "verbagg_id_item" {
                random.push(intercept(&table, "item"));
            }
            (read(text), design(table.column("y"), fixed(&table, &verbagg_columns()), random))
        }
        "cbpp_logit" | "cbpp_probit" => {
            let table = Table::parse(include_str!("../golden/cbpp.csv"));
            let text = if name == "cbpp_logit" {
                include_str!("../golden/cbpp_logit.json")
            } else {
                include_str!("../golden/cbpp_probit.json")
            };
            let size = table.column("size");
            let shares = table.column("incidence").iter().zip(&size).map(|(k, n)| k / n).collect();
            let fixed = fixed(&table, &[Column::Factor("period", 4)]);
            let mut design = design(shares, fixed, vec![intercept(&table, "herd")]);
            design.response.weights = size;
            (read(text), design)
        }
        "grouseticks_location" => {
            let table = Table::parse(include_str!("../golden/grouseticks.csv"));
            let fixed = fixed(&table, &[Column::Factor("YEAR", 3)]);
            let design = design(table.column("TICKS"), fixed, vec![intercept(&table, "LOCATION")]);
            (read(include_str!("../golden/grouseticks_location.json")), design)
        }
        "simpoisson_intercept" => {
            let table = Table::parse(include_str!("../golden/simpoisson.csv"));
            let fixed = fixed(&table, &[Column::Number("x1"), Column::Number("x2")]);
            let design = design(table.column("y_int"), fixed, vec![intercept(&table, "g")]);
            (read(include_str!("../golden/simpoisson_intercept.json")), design)
        }
        "sleepstudy_slope" | "sleepstudy_intercept" => {
            let table = Table::parse(include_str!("../golden/sleepstudy.csv"));
            let days = || fixed(&table, &[Column::Number("Days")]);
            let (text, effects) = if name == "sleepstudy_slope" {
                (include_str!("../golden/sleepstudy_slope.json"), days())
            } else {
                (include_str!("../golden/sleepstudy_intercept.json"), fixed(&table, &[]))
            };
            let random = vec![term("Subject", &table.column("Subject"), effects)];
            (read(text), design(table.column("Reaction"), days(), random))
        }
        "dyestuff2_singular" => {
            let table = Table::parse(include_str!("../golden/dyestuff2.csv"));
            let design = design(table.column("Yield"), fixed(&table, &[]), vec![intercept(&table, "Batch")]);
            (read(include_str!("../golden/dyestuff2_singular.json")), design)
        }
        _ => panic!("unknown golden file {name}"),
    }
}

/// `(1 + situ + btype + mode | obs)`: a vector of effects for every row.
pub fn table7() -> Design {
    let table = verbagg();
    let rows: Vec<f64> = (0..table.len()).map(|row| row as f64).collect();
    let random = vec![term("obs", &rows, fixed(&table, &verbagg_columns()))];
    design(table.column("y"), fixed(&table, &verbagg_columns()), random)
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}
