//! However a run is cut up, it ends with the same bytes.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use aais_models::Checkpoint;
use serde_json::Value;

use common::{Scratch, kill_at_epoch, lasting_files, succeed};

#[test]
fn a_run_killed_twice_ends_with_the_bytes_of_an_unbroken_one() {
    let scratch = Scratch::new();
    succeed(&mut scratch.reproduce("unbroken"));
    for (method, epoch) in [("vae", 100), ("vae", 300), ("aais", 200), ("aais", 300)] {
        let checkpoint = scratch.cell("broken", &format!("{method}/1.checkpoint"));
        kill_at_epoch(&mut scratch.reproduce_in_a_row("broken"), &checkpoint, epoch);
        assert!(!scratch.cell("broken", &format!("{method}/1.json")).exists());
    }
    let said = succeed(&mut scratch.reproduce("broken"));

    assert!(said.contains("1 of 2 cells to train"), "{said}");
    assert!(!scratch.cell("broken", "aais/1.checkpoint").exists());
    same_files(&scratch, "unbroken", "broken");
}

#[test]
fn a_killed_run_of_methods_with_state_ends_with_the_bytes_of_an_unbroken_one() {
    let scratch = Scratch::new();
    succeed(&mut scratch.reproduce_chains("unbroken"));
    // Almond is killed while its VAE trains, in Adam's epochs on chains, and in descent.
    for (method, epoch) in [("amcvae", 100), ("lmcvae", 100), ("almond", 5), ("almond", 25), ("almond", 100)] {
        let checkpoint = scratch.cell("broken", &format!("{method}/1.checkpoint"));
        kill_at_epoch(&mut scratch.reproduce_chains("broken"), &checkpoint, epoch);
    }
    succeed(&mut scratch.reproduce_chains("broken"));
    same_files(&scratch, "unbroken", "broken");
}

#[test]
fn a_killed_run_with_fixed_effects_ends_with_the_bytes_of_an_unbroken_one() {
    let scratch = Scratch::new();
    succeed(&mut scratch.reproduce_counts("unbroken"));
    for (method, epoch) in [("aais", 100), ("lmcvae", 100)] {
        let checkpoint = scratch.path("broken").join(format!("table4/cells/{method}/1.checkpoint"));
        kill_at_epoch(&mut scratch.reproduce_counts("broken"), &checkpoint, epoch);
    }
    let said = succeed(&mut scratch.reproduce_counts("broken"));
    assert!(said.contains("data: a draw of our own from the same law (seed 42)"), "{said}");
    same_files_of(&scratch, "table4", "unbroken", "broken");

    let results = fs::read_to_string(scratch.path("unbroken/table4/results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(results["protocol"], "reduced");
    assert!(results["note"].as_str().unwrap().contains("lmcvae: 2 samples instead of 100."), "{}", results["note"]);
    assert_eq!(results["provenance"]["data"][0], "a draw of our own from the same law (seed 42)");
}

/// Two folders of the same settings hold the same files.
fn same_files(scratch: &Scratch, unbroken: &str, broken: &str) {
    same_files_of(scratch, "table2", unbroken, broken);
}

fn same_files_of(scratch: &Scratch, target: &str, unbroken: &str, broken: &str) {
    let files = |out| lasting_files(&scratch.path(out).join(target));
    let (unbroken, broken) = (files(unbroken), files(broken));
    assert_eq!(broken.keys().collect::<Vec<_>>(), unbroken.keys().collect::<Vec<_>>());
    for (name, bytes) in &unbroken {
        assert!(broken[name] == *bytes, "{} differs", name.display());
    }
}

#[test]
fn a_killed_run_goes_on_from_its_checkpoint() {
    let scratch = Scratch::new();
    let path = scratch.cell("out", "vae/1.checkpoint");
    kill_at_epoch(&mut scratch.reproduce_in_a_row("out"), &path, 10);
    // Time spent before is the one thing in a checkpoint that may change: it must come back in the cell.
    let mut checkpoint = Checkpoint::from_bytes(&fs::read(&path).unwrap()).unwrap();
    let mut note: Value = serde_json::from_str(&checkpoint.note).unwrap();
    note["seconds"] = 1e6.into();
    checkpoint.note = note.to_string();
    fs::write(&path, checkpoint.to_bytes().unwrap()).unwrap();

    succeed(&mut scratch.reproduce("out"));
    let cell: Value = serde_json::from_slice(&fs::read(scratch.cell("out", "vae/1.json")).unwrap()).unwrap();
    assert!(cell["timing"]["seconds"].as_f64().unwrap() > 1e6);
    assert!(!path.exists());
}

#[test]
fn cells_side_by_side_have_the_bytes_of_cells_in_a_row() {
    let scratch = Scratch::new();
    let run = |jobs: &str| {
        let mut command = scratch.reproduce(jobs);
        succeed(command.args(["--quick", "--seeds", "3", "--jobs", jobs]));
        lasting_files(&scratch.path(jobs).join("table2-quick"))
    };
    let (in_a_row, side_by_side) = (run("1"), run("2"));
    assert_eq!(in_a_row.keys().filter(|name| name.starts_with("cells")).count(), 6);
    assert!(in_a_row == side_by_side);
}

#[test]
fn a_finished_target_trains_nothing() {
    let scratch = Scratch::new();
    succeed(scratch.reproduce("out").arg("--quick"));
    let directory = scratch.path("out/table2-quick");
    let before = common::all_files(&directory).into_iter().map(|path| (fs::read(&path).unwrap(), path));
    let before: Vec<_> = before.collect();

    let said = succeed(scratch.reproduce("out").arg("--quick"));
    assert!(said.contains("0 of 2 cells to train"), "{said}");
    for (bytes, path) in before {
        assert!(fs::read(&path).unwrap() == bytes, "{} changed", path.display());
    }
}
