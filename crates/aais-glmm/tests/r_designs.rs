//! Designs are those of R's `model.matrix` and of lme4.
//!
//! Golden values: `tests/r/designs.txt`, written by `Rscript designs.R > designs.txt` in that folder with R 4.2.2 and
//! lme4 1.1-31. The script says what its lines hold, and has the same data as here.
#![allow(clippy::unwrap_used)]

use aais_glmm::{Categorical, Data, Design, DesignOptions, Error, Formula, Result};

const DESIGNS: &str = include_str!("r/designs.txt");

fn data() -> Data {
    let numbers = |value: fn(f64) -> f64| -> Vec<f64> { (0..24).map(f64::from).map(value).collect() };
    let levels = |values: &[&str], every: usize| -> Vec<String> {
        (0..24).map(|i| values[i / every % values.len()].to_owned()).collect()
    };
    let group: Vec<f64> = (0..24).map(|i| [10.0, 9.0, 100.0][i / 3 % 3]).collect();
    let h = Categorical::from_values(&levels(&["p", "q"], 4)).with_levels(&["q", "p"]).unwrap();
    let columns: [(&str, aais_glmm::Column); 10] = [
        ("y", numbers(|i| (5.0 * i) % 7.0).into()),
        ("x", numbers(|i| ((7.0 * i * i + 3.0 * i) % 23.0) / 4.0).into()),
        ("z", numbers(|i| (11.0 * i + 5.0) % 17.0 - 3.0).into()),
        ("n", numbers(|i| i % 3.0 + 1.0).into()),
        ("a", levels(&["a1", "a2"], 1).into()),
        ("b", levels(&["b1", "b2", "b3"], 2).into()),
        ("c", levels(&["c1", "c2"], 6).into()),
        ("g", group.into()),
        ("h", h.into()),
        ("m n", numbers(|i| (i * i) % 5.0).into()),
    ];
    columns.into_iter().fold(Data::new(), |data, (name, column)| data.with(name, column).unwrap())
}

fn design(right: &str) -> Result<Design> {
    Ok(Formula::parse(&format!("y ~ {right}"))?.design(&data(), &DesignOptions::default())?.design)
}

/// The fields of the lines of one kind.
fn lines(kind: &str) -> Vec<Vec<&'static str>> {
    let fields = |line: &'static str| line.split("; ").collect::<Vec<_>>();
    DESIGNS.lines().map(fields).filter(|fields| fields[0] == kind).collect()
}

fn list(field: &str) -> Vec<&str> {
    field.split(", ").filter(|item| *item != "none").collect()
}

#[test]
fn fixed_effects_have_the_columns_of_model_matrix() {
    let lines = lines("fixed");
    assert_eq!(lines.len(), 73);
    for line in lines {
        let [_, right, names, sums, dependent] = line[..] else { panic!("{line:?}") };
        if !list(dependent).is_empty() {
            assert_eq!(design(right), Err(Error::RankDeficient { columns: owned(dependent) }), "{right}");
            continue;
        }
        let design = design(right).unwrap();
        assert_eq!(design.fixed_names, list(names), "{right}");
        for ((column, sum), name) in design.fixed.columns().into_iter().zip(list(sums)).zip(&design.fixed_names) {
            let found: f64 = column.iter().zip(1..).map(|(value, row)| value * f64::from(row)).sum();
            let sum: f64 = sum.parse().unwrap();
            assert!((found - sum).abs() <= 1e-13 * sum.abs(), "{right}: {name} {found} {sum}"); // R prints 15 digits.
        }
    }
}

#[test]
fn random_terms_are_those_of_lme4() {
    let lines = lines("random");
    assert_eq!(lines.len(), 21);
    for line in lines {
        // lme4 sorts terms by their number of levels, and those of `||` as it pleases.
        let mut expected: Vec<[Vec<String>; 3]> = line[2..]
            .iter()
            .map(|term| {
                let fields: Vec<&str> = term.split(" | ").collect();
                [owned(fields[0]), owned(fields[1]), owned(fields[2])]
            })
            .collect();
        let terms = design(&format!("1 + {}", line[1])).unwrap().random;
        let mut found: Vec<[Vec<String>; 3]> =
            terms.into_iter().map(|term| [vec![term.group], term.effect_names, term.levels]).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{}", line[1]);
    }
}

fn owned(field: &str) -> Vec<String> {
    list(field).into_iter().map(str::to_owned).collect()
}
