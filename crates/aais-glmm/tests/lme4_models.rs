//! Designs of models that lme4 1.1-31 (R 4.2.2) fits to its own data sets: names of fixed and random effects as
//! `fixef` and `VarCorr` print them. VerbAgg is the real one; the rows of the others are few and made up, their columns
//! and levels are those of the data sets.
#![allow(clippy::unwrap_used)]

use aais_datasets::ColumnValues;
use aais_glmm::{Categorical, Column, Data, Design, DesignOptions, Formula, check_binary, check_counts, check_shares};

const N_ROWS: usize = 48;

/// A column whose levels follow each other, each `every` rows long.
fn cycle(levels: &[&str], every: usize) -> Column {
    Categorical::from_codes(levels, (0..N_ROWS).map(|row| Some(row / every % levels.len())).collect()).unwrap().into()
}

fn numbers(value: impl Fn(usize) -> usize) -> Column {
    Column::Numeric((0..N_ROWS).map(|row| f64::from(u32::try_from(value(row)).unwrap())).collect())
}

fn design(formula: &str, columns: &[(&str, Column)]) -> Design {
    let data = columns.iter().fold(Data::new(), |data, (name, column)| data.with(name, column.clone()).unwrap());
    Formula::parse(formula).unwrap().design(&data, &DesignOptions::default()).unwrap().design
}

/// Groups with the names of their effects.
fn random(design: &Design) -> Vec<(&str, Vec<&str>)> {
    design
        .random
        .iter()
        .map(|term| (term.group.as_str(), term.effect_names.iter().map(String::as_str).collect()))
        .collect()
}

/// The real data, with a column that numbers the rows.
fn verbagg() -> Data {
    let table = aais_datasets::verbagg();
    let column = |values: &ColumnValues| match values {
        ColumnValues::Numbers(values) => Column::Numeric(values.clone()),
        ColumnValues::Text(texts) => Categorical::from_codes(&texts.levels, texts.codes.clone()).unwrap().into(),
    };
    let rows = Data::new().with("obs", (0..7584).map(f64::from).collect::<Vec<_>>()).unwrap();
    let add = |data: Data, (name, values): (&str, &ColumnValues)| data.with(name, column(values)).unwrap();
    table.columns.iter().map(|column| (column.name.as_str(), &column.values)).fold(rows, add)
}

#[test]
fn verbagg_has_its_names() {
    let data = verbagg();
    let design =
        |formula: &str| Formula::parse(formula).unwrap().design(&data, &DesignOptions::default()).unwrap().design;
    let names = ["(Intercept)", "situself", "btypescold", "btypeshout", "modedo"];

    let crossed = design("r2 ~ situ + btype + mode + (1 | id) + (1 | item)");
    assert_eq!(crossed.fixed_names, names);
    assert_eq!(random(&crossed), [("id", vec!["(Intercept)"]), ("item", vec!["(Intercept)"])]);
    assert_eq!((crossed.random[0].levels.len(), crossed.random[1].levels.len()), (316, 24));
    assert_eq!(
        crossed.fixed.columns().into_iter().map(|column| column.sum()).collect::<Vec<_>>(),
        [7584.0, 3792.0, 2528.0, 2528.0, 3792.0]
    );
    assert_eq!(crossed.response.values.iter().sum::<f64>(), 3611.0);
    assert_eq!(check_binary(&crossed), Ok(()));

    // The paper's model: every row is a group of its own.
    let paper = design("r2 ~ situ+btype+mode + (1+situ+btype+mode | obs)");
    assert_eq!(random(&paper), [("obs", names.to_vec())]);
    assert_eq!(paper.random[0].effects, paper.fixed);
    assert_eq!(paper.random[0].codes, (0..7584).collect::<Vec<_>>());

    let interaction = design("r2 ~ btype * mode + situ + (1 | id)").fixed_names;
    assert_eq!(interaction[1..5], ["btypescold", "btypeshout", "modedo", "situself"]);
    assert_eq!(interaction[5..], ["btypescold:modedo", "btypeshout:modedo"]);
}

#[test]
fn cbpp_has_its_names_and_trials() {
    let columns = [
        ("incidence", numbers(|row| row % 4)),
        ("size", numbers(|row| 5 + row % 7)),
        ("period", cycle(&["1", "2", "3", "4"], 1)),
        ("herd", cycle(&["1", "2", "3"], 4)),
    ];
    let design = design("cbind(incidence, size - incidence) ~ period + (1 | herd)", &columns);
    assert_eq!(design.fixed_names, ["(Intercept)", "period2", "period3", "period4"]);
    assert_eq!(random(&design), [("herd", vec!["(Intercept)"])]);
    assert_eq!((design.response.weights[9], design.response.values[9]), (7.0, 1.0 / 7.0));
    assert_eq!(check_shares(&design), Ok(()));
}

#[test]
fn grouseticks_has_its_names() {
    let columns = [
        ("TICKS", numbers(|row| row * row % 5)),
        ("YEAR", cycle(&["95", "96", "97"], 1)),
        ("LOCATION", numbers(|row| 1 + row / 3 % 5)),
        ("BROOD", numbers(|row| row / 3)),
        ("INDEX", numbers(|row| row)),
    ];
    let design = design("TICKS ~ YEAR + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", &columns);
    assert_eq!(design.fixed_names, ["(Intercept)", "YEAR96", "YEAR97"]);
    let groups: Vec<&str> = design.random.iter().map(|term| term.group.as_str()).collect();
    assert_eq!(groups, ["BROOD", "INDEX", "LOCATION"]);
    assert_eq!(check_counts(&design), Ok(()));
}

#[test]
fn sleepstudy_and_dyestuff2_have_their_names() {
    let sleep = [
        ("Reaction", numbers(|row| 250 + row)),
        ("Days", numbers(|row| row % 10)),
        ("Subject", numbers(|row| 308 + row / 10)),
    ];
    let slope = design("Reaction ~ Days + (Days | Subject)", &sleep);
    assert_eq!(slope.fixed_names, ["(Intercept)", "Days"]);
    assert_eq!(random(&slope), [("Subject", vec!["(Intercept)", "Days"])]);
    assert_eq!(slope.random[0].levels, ["308", "309", "310", "311", "312"]);
    let split = design("Reaction ~ Days + (Days || Subject)", &sleep);
    assert_eq!(random(&split), [("Subject", vec!["(Intercept)"]), ("Subject", vec!["Days"])]);

    let dyestuff = [("Yield", numbers(|row| row)), ("Batch", cycle(&["A", "B", "C", "D", "E", "F"], 8))];
    let batches = design("Yield ~ 1 + (1 | Batch)", &dyestuff);
    assert_eq!(batches.fixed_names, ["(Intercept)"]);
    assert_eq!(batches.random[0].levels, ["A", "B", "C", "D", "E", "F"]);
}

#[test]
fn simulated_counts_have_their_names() {
    let columns = [
        ("y_int", numbers(|row| row % 3)),
        ("x1", numbers(|row| row * row % 11)),
        ("x2", numbers(|row| row % 2)),
        ("g", numbers(|row| row / 4)),
    ];
    let design = design("y_int ~ x1 + x2 + (1 | g)", &columns);
    assert_eq!(design.fixed_names, ["(Intercept)", "x1", "x2"]);
    assert_eq!(design.random[0].levels.len(), 12);
}
