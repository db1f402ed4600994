//! `glmm`: a table of one's own, fitted and told, or refused with what to do.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::process::Command;

use serde_json::Value;

use common::{Scratch, program, refuse, succeed};

/// Eight groups of six rows; `y` rises with `x`, and groups differ.
fn table() -> String {
    let mut text = "y,x,g,n,yes,sex,late,one\n".to_owned();
    for row in 0..48_u32 {
        let (group, x) = (row / 6, f64::from(row % 6) / 2.0);
        let y = 1.0 + 0.5 * x + 0.3 * f64::from(group % 4) + 0.1 * f64::from((row * row) % 7);
        let count = (row * 7 + group * 3) % 5;
        let yes = u32::from((row * row + row / 3) % 5 < 2);
        let late = if row == 5 { "NA".to_owned() } else { count.to_string() };
        text += &format!("{y},{x},{group},{count},{yes},{},{late},1\n", ["f", "m"][row as usize % 2]);
    }
    text
}

fn glmm(scratch: &Scratch, formula: &str, options: &[&str]) -> Command {
    let path = scratch.path("table.csv");
    fs::write(&path, table()).unwrap();
    let mut command = program(&["glmm", formula]);
    command.arg(path).args(options);
    command
}

fn json(formula: &str, options: &[&str]) -> Value {
    let scratch = Scratch::new();
    let mut command = glmm(&scratch, formula, options);
    succeed(command.arg("--json").arg(scratch.path("fit.json")));
    serde_json::from_str(&fs::read_to_string(scratch.path("fit.json")).unwrap()).unwrap()
}

#[test]
fn a_fit_is_told_and_written() {
    let scratch = Scratch::new();
    let mut command = glmm(&scratch, "y ~ x + (1 | g)", &["--reml"]);
    let output = command.arg("--json").arg(scratch.path("fit.json")).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("REML") && said.contains("(Intercept)"), "{said}");

    let fit: Value = serde_json::from_str(&fs::read_to_string(scratch.path("fit.json")).unwrap()).unwrap();
    let slope = &fit["fixed_effects"]["x"];
    assert!((slope["estimate"].as_f64().unwrap() - 0.5).abs() < 0.1, "{slope}");
    assert!(slope["se"].as_f64().unwrap() > 0.0 && slope["se_rx"].as_f64().unwrap() > 0.0);
    let deviance = -2.0 * fit["log_likelihood"].as_f64().unwrap();
    assert!((fit["deviance"].as_f64().unwrap() - deviance).abs() < 1e-9);
    assert_eq!(fit["theta"].as_array().unwrap().len(), 1);
    assert_eq!(fit["random_effects"]["g"]["n_levels"], 8);
    assert!(fit["sigma"].as_f64().unwrap() > 0.0);
    assert_eq!(fit["converged"], true);
    assert!(fit["warnings"].as_array().unwrap().is_empty(), "{}", fit["warnings"]);
    assert!(fit["seconds"].as_f64().unwrap() >= 0.0);
}

#[test]
fn every_family_and_link_fits() {
    for (formula, options) in [
        ("yes ~ x + (1 | g)", vec!["--family", "binomial"]),
        ("yes ~ x + (1 | g)", vec!["--family", "binomial", "--link", "probit"]),
        ("yes ~ x + (1 | g)", vec!["--family", "binomial", "--link", "cloglog", "--nagq", "0"]),
        ("yes ~ sex + (1 | g)", vec!["--family", "binomial", "--nagq", "9", "--reference", "sex=m"]),
        ("n ~ x + (1 | g)", vec!["--family", "poisson", "--categorical", "g"]),
        ("n ~ x + (1 | g)", vec!["--family", "negative-binomial"]),
        ("y ~ x + (1 | g)", vec!["--family", "gamma"]),
        ("y ~ x + (1 + x || g)", vec!["--offset", "x"]),
    ] {
        let fit = json(formula, &options);
        assert!(fit["log_likelihood"].as_f64().unwrap().is_finite(), "{options:?}");
    }
    let reference = json("yes ~ sex + (1 | g)", &["--family", "binomial", "--reference", "sex=m"]);
    assert!(reference["fixed_effects"]["sexf"].is_object());
}

#[test]
fn intervals_hold_their_estimates() {
    let fit = json("y ~ x + (1 | g)", &["--intervals", "0.9"]);
    let slope = fit["fixed_effects"]["x"]["estimate"].as_f64().unwrap();
    let ends: Vec<f64> = fit["intervals"]["x"].as_array().unwrap().iter().map(|end| end.as_f64().unwrap()).collect();
    assert!(ends[0] < slope && slope < ends[1], "{ends:?}");
    assert!(fit["intervals"]["sigma"].is_array() && fit["intervals"]["sd_(Intercept)|g"].is_array(), "{fit}");
}

#[test]
fn dropped_rows_are_counted() {
    let fit = json("late ~ x + (1 | g)", &["--family", "poisson", "--drop-missing"]);
    assert_eq!(fit["n_rows"], 47);
    let warnings = fit["warnings"].to_string();
    assert!(warnings.contains("1 of 48 rows are left out: missing values, 1 in `late`"), "{warnings}");
}

/// Refused with exit code 2, these words, and no file.
fn refuse_glmm(formula: &str, options: &[&str], words: &[&str]) {
    let scratch = Scratch::new();
    let mut command = glmm(&scratch, formula, options);
    command.arg("--json").arg(scratch.path("fit.json"));
    refuse(&mut command, words);
    assert!(!scratch.path("fit.json").exists());
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    refuse_glmm("y ~ x + (1 | g", &[], &["character 15 of the formula", "^"]);
    refuse_glmm("y ~ sexx + (1 | g)", &[], &["table.csv", "unknown column `sexx`", "did you mean `sex`?"]);
    refuse_glmm("late ~ x + (1 | g)", &[], &["1 of 48", "`late`", "--drop-missing"]);
    refuse_glmm("y ~ x + (1 | x)", &[], &["`x`", "--categorical COLUMN"]);
    refuse_glmm("y ~ x + (1 | g)", &["--family", "binomial"], &["row", "got 1"]);
    refuse_glmm("y ~ x + (1 | g)", &["--family", "poisson"], &["row", "got 1"]);
    refuse_glmm("one ~ x + (1 | g)", &[], &["a response that varies", "`one`"]);
    refuse_glmm("one ~ x + (1 | g)", &["--family", "binomial"], &["a response that varies", "`one`"]);
    refuse_glmm("y ~ x + (1 | g)", &["--link", "probit"], &["--link is for --family binomial"]);
    refuse_glmm("y ~ x + (1 | g)", &["--nagq", "9"], &["--nagq is for other families"]);
    refuse_glmm("n ~ x + (1 | g)", &["--family", "poisson", "--reml"], &["--reml is for --family gaussian"]);
    refuse_glmm("y ~ x + (1 | g)", &["--reference", "sex"], &["COLUMN=LEVEL"]);
    refuse_glmm("y ~ sex + (1 | g)", &["--reference", "sex=d"], &["unknown level `d`", "`f`"]);
    refuse_glmm("y ~ x + (1 | g)", &["--weights", "w"], &["unknown column `w`"]);
    refuse_glmm("y ~ x + (1 | g)", &["--intervals", "95"], &["95"]);
}

#[test]
fn a_table_that_is_none_is_refused_with_its_line() {
    let scratch = Scratch::new();
    let path = scratch.path("ragged.csv");
    fs::write(&path, "y,x\n1,2\n3\n").unwrap();
    let mut command = program(&["glmm", "y ~ x"]);
    refuse(command.arg(&path), &["ragged.csv", "line 3", "expected 2 cells"]);
    let mut command = program(&["glmm", "y ~ x"]);
    refuse(command.arg(scratch.path("absent.csv")), &["cannot read", "absent.csv"]);
}

/// Twenty-four groups of six answers, some of which are nearly always yes.
fn answers() -> String {
    let mut text = "y,x,g\n".to_owned();
    for row in 0..144_u32 {
        let group = row / 6;
        let threshold = if group % 3 == 0 { 9 } else { 3 };
        text += &format!("{},{},g{group}\n", u32::from((row * 7 + group) % 10 < threshold), row % 2);
    }
    text
}

#[test]
fn a_learned_law_is_told_written_and_drawn() {
    let scratch = Scratch::new();
    fs::write(scratch.path("answers.csv"), answers()).unwrap();
    let run = |json: &str| {
        let mut command = program(&["glmm", "y ~ x + (1 | g)"]);
        command.arg(scratch.path("answers.csv")).args(["--family", "binomial", "--random-effects", "learned"]);
        command.args(["--steps", "20", "--folds", "2", "--json"]).arg(scratch.path(json));
        let output = command.arg("--figures").arg(scratch.path("figures")).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (said, serde_json::from_str::<Value>(&fs::read_to_string(scratch.path(json)).unwrap()).unwrap())
    };
    let (said, fit) = run("first.json");
    assert!(said.contains("Law of the random effects") && said.contains("groups held out (2 parts)"), "{said}");
    let learned = &fit["learned"];
    assert!(learned["fixed_effects"]["x"]["se"].as_f64().unwrap() > 0.0);
    assert_eq!(learned["law"]["percentiles"][0].as_array().unwrap().len(), 99);
    assert_eq!(learned["groups"].as_object().unwrap().len(), 24);
    assert!(learned["held_out"]["std_error"].as_f64().unwrap() > 0.0);
    for name in ["learned-law.svg", "learned-law.png"] {
        assert!(scratch.path("figures").join(name).exists(), "{name}");
    }

    let (_, again) = run("second.json");
    for part in ["law", "fixed_effects", "groups", "held_out"] {
        assert_eq!(learned[part], again["learned"][part], "{part}");
    }
}

#[test]
fn a_learned_law_that_cannot_be_is_refused() {
    let scratch = Scratch::new();
    let learned = ["--random-effects", "learned"];
    refuse(
        &mut glmm(&scratch, "n ~ x + (1 | g)", &[&learned[..], &["--family", "poisson"]].concat()),
        &["at least 20 groups"],
    );
    refuse(
        &mut glmm(&scratch, "y ~ x + (1 | g)", &[&learned[..], &["--reml"]].concat()),
        &["--reml has no learned law"],
    );
    refuse(&mut glmm(&scratch, "y ~ x + (1 | g)", &["--steps", "5"]), &["are for --random-effects learned"]);
    let crossed = "y ~ x + (1 | g) + (1 | sex)";
    refuse(&mut glmm(&scratch, crossed, &learned), &["one grouping factor, got g, sex"]);
}
