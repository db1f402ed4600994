//! Models that are kept, and how likely they find data.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use aais_models::Checkpoint;
use assert_cmd::prelude::*;
use serde_json::Value;

use common::{Scratch, all_files, kill_at_epoch, lasting_files, program, refuse, succeed};

/// `reproduce` of the small experiment with models kept.
fn keep(scratch: &Scratch, out: &str) -> Command {
    let mut command = scratch.reproduce_in_a_row(out);
    command.arg("--keep-models");
    command
}

/// `evaluate table2` of a cell of the small experiment.
fn evaluate(scratch: &Scratch, out: &str, arguments: &[&str]) -> Command {
    let mut command = program(&["evaluate", "table2"]);
    command.args(arguments).arg("--config").arg(scratch.config("", "")).arg("--results").arg(scratch.path(out));
    command
}

fn stdout(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

fn json(command: &mut Command) -> Value {
    serde_json::from_str(&stdout(command.arg("--json"))).unwrap()
}

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).unwrap_or_else(|| panic!("no {path} in {value}")).as_f64().unwrap()
}

#[test]
fn a_kept_model_changes_no_number_and_comes_after_the_fact_too() {
    let scratch = Scratch::new();
    succeed(&mut scratch.reproduce("plain"));
    let before = all_files(&scratch.path("plain")).into_iter().map(|path| (fs::read(&path).unwrap(), path));
    let before: Vec<_> = before.filter(|(_, path)| path.ends_with("cells/aais/1.json")).collect();

    let checkpoint = scratch.cell("kept", "aais/1.checkpoint");
    kill_at_epoch(&mut keep(&scratch, "kept"), &checkpoint, 200);
    succeed(&mut keep(&scratch, "kept"));
    let mut files = lasting_files(&scratch.path("kept/table2"));
    for row in ["aais", "vae"] {
        assert!(files.remove(Path::new(&format!("models/{row}/1.safetensors"))).is_some(), "{row}");
    }
    assert!(files == lasting_files(&scratch.path("plain/table2")), "a file differs");

    // Trained again for its model, with the bits of the run that was killed; the cell's file is not touched.
    let said = succeed(&mut keep(&scratch, "plain"));
    assert!(said.contains("2 of 2 cells to train"), "{said}");
    for (bytes, path) in before {
        assert!(fs::read(&path).unwrap() == bytes, "{} was written again", path.display());
    }
    // Their bytes differ in the order of the metadata.
    let model = |out: &str| {
        let bytes = fs::read(scratch.path(out).join("table2/models/aais/1.safetensors")).unwrap();
        Checkpoint::from_bytes(&bytes).unwrap()
    };
    assert!(model("plain") == model("kept"));
    assert!(succeed(&mut keep(&scratch, "plain")).contains("0 of 2 cells to train"));
}

#[test]
fn an_evaluation_is_the_same_on_any_number_of_threads() {
    let scratch = Scratch::new();
    succeed(&mut keep(&scratch, "out"));
    let settings = ["aais/1", "--samples", "200", "--ais", "--temperatures", "20", "--chains", "4"];
    let run = |jobs: &str, csv: &str| {
        let mut command = evaluate(&scratch, "out", &settings);
        stdout(command.args(["--json", "--jobs", jobs]).arg("--out").arg(scratch.path(csv)))
    };
    assert_eq!(run("1", "one.csv"), run("3", "three.csv"));
    let csv = fs::read_to_string(scratch.path("one.csv")).unwrap();
    assert_eq!(csv, fs::read_to_string(scratch.path("three.csv")).unwrap());
    assert_eq!(csv.lines().count(), 41);
    assert!(csv.starts_with(
        "row,log_likelihood,std_error,ess,k_hat,annealed_lower,annealed_lower_std_error,annealed_upper\n0,-"
    ));

    // A row has the value it has among others.
    let mut some = evaluate(&scratch, "out", &["aais/1", "--samples", "200", "--rows", "9"]);
    stdout(some.arg("--out").arg(scratch.path("some.csv")));
    for line in fs::read_to_string(scratch.path("some.csv")).unwrap().lines().skip(1) {
        assert!(csv.lines().any(|row| row.starts_with(line)), "{line}");
    }
}

/// Both estimates of the same rows agree, and bounds lie on their sides.
#[test]
fn importance_sampling_and_annealing_agree() {
    let scratch = Scratch::new();
    succeed(&mut keep(&scratch, "out"));
    let arguments = ["vae/1", "--ais", "--temperatures", "200", "--data", "simulated", "--samples", "2000"];
    let found = json(&mut evaluate(&scratch, "out", &arguments));
    let mean = |path: &str| number(&found, &format!("{path}/mean"));
    let (sampled, below, above) =
        (mean("/importance/log_likelihood"), mean("/annealed/lower"), mean("/annealed/upper"));
    assert!((sampled - below).abs() < 0.02 && below < above + 0.01 && above - below < 0.1, "{found:#}");
    assert_eq!(found["model"]["method"], "vae");
    assert_eq!(
        (&found["parameters"], &found["data"], &found["n_rows"]),
        (&"last".into(), &"simulated".into(), &40.into())
    );

    // Test rows are not those of the training data, and the averaged model is another.
    let of = |arguments: &[&str]| {
        number(&json(&mut evaluate(&scratch, "out", arguments)), "/importance/log_likelihood/mean")
    };
    let values = [of(&["vae/1"]), of(&["vae/1", "--data", "train"]), of(&["vae-ema/1"]), of(&["vae/1", "--seed", "2"])];
    assert!(values[0] != values[1] && values[0] != values[2] && (values[0] - values[3]).abs() < 0.01, "{values:?}");
    assert_eq!(of(&["vae-ema/1"]), of(&["vae/1", "--averaged"]));

    let file = scratch.path("out/table2/models/vae/1.safetensors");
    let mut by_file = program(&["evaluate"]);
    assert_eq!(
        number(
            &json(by_file.arg(&file).arg("--config").arg(scratch.config("", ""))),
            "/importance/log_likelihood/mean"
        ),
        values[0]
    );
    let text = stdout(&mut evaluate(&scratch, "out", &["vae/1", "--ais", "--temperatures", "20", "--chains", "4"]));
    for words in ["40 test rows", "importance sampling", "annealed, from below", "MC error", "k-hat"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn counts_are_evaluated_with_their_covariates() {
    let scratch = Scratch::new();
    succeed(scratch.reproduce_counts("out").arg("--keep-models"));
    for data in ["test", "train", "simulated"] {
        let mut command = program(&["evaluate", "table4", "aais/1", "--samples", "300", "--data", data, "--ais"]);
        command.args(["--temperatures", "50", "--config"]).arg(scratch.config_with_counts("", ""));
        command.arg("--results").arg(scratch.path("out")).env("AAIS_DATA_DIR", scratch.path("no data"));
        let found = json(&mut command);
        let (sampled, below) =
            (number(&found, "/importance/log_likelihood/mean"), number(&found, "/annealed/lower/mean"));
        assert!((sampled - below).abs() < 0.1, "{data}: {sampled} {below}");
        assert_eq!(found["annealed"]["upper"].is_null(), data != "simulated");
    }
}

#[test]
fn mistakes_are_told() {
    let scratch = Scratch::new();
    let table = |arguments: &[&str]| program(&[&["evaluate", "table2"], arguments].concat());
    refuse(&mut table(&[]), &["`table2` is no file of a model", "METHOD/SEED"]);
    refuse(&mut table(&["aais"]), &["`aais` names no cell", "such as aais/1"]);
    refuse(&mut table(&["vea/1"]), &["`vea` is no row of table2", "vae, iwae-published, iwae"]);
    refuse(&mut program(&["evaluate", "table7", "glmm/1"]), &["`glmm` is fitted", "trained are aais"]);
    refuse(&mut program(&["evaluate", "table99", "aais/1"]), &["unknown target `table99`"]);
    refuse(&mut program(&["evaluate", "gone.safetensors"]), &["there is no file gone.safetensors"]);
    let mut missing = table(&["aais/1"]);
    refuse(
        missing.arg("--results").arg(scratch.path("out")),
        &["there is no model", "--methods aais --seeds 1 --keep-models"],
    );

    succeed(&mut keep(&scratch, "out"));
    let refused = |arguments: &[&str], words: &[&str]| refuse(&mut evaluate(&scratch, "out", arguments), words);
    refused(&["vae/1", "--samples", "0"], &["samples must be at least 1"]);
    refused(&["vae/1", "--samples", "99999999"], &["--samples must be at most"]);
    refused(&["vae/1", "--widen", "nan"], &["widen must be a positive number"]);
    refused(&["vae/1", "--prior-share", "2"], &["prior_share must be from 0 to 1"]);
    refused(&["vae/1", "--ais", "--temperatures", "1"], &["temperatures must be at least 2"]);
    refused(&["vae/1", "--chains", "3"], &["--ais"]);
    refused(&["vae/1", "--rows", "41"], &["--rows 41: there are only 40"]);
    refused(&["vae/1", "--data", "unseen"], &["test, train, simulated"]);

    let mut other = table(&["vae/1", "--results"]);
    refuse(other.arg(scratch.path("out")), &["trained with other settings or data", "--config"]);
    let file = scratch.path("out/table2/models/vae/1.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, &bytes).unwrap();
    refused(&["vae/1"], &["reading model", "vae/1.safetensors", "checksum"]);
}
