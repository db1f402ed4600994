//! A damaged or foreign file in the output folder is named, left as it is, and nothing is made from it.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use aais_models::Checkpoint;

use common::{Scratch, kill_at_epoch, program, refuse, succeed};

/// Runs the small experiment on an output folder, which must fail and leave this file alone.
fn refuse_file(scratch: &Scratch, path: &Path, bytes: &[u8], words: &[&str]) {
    fs::write(path, bytes).unwrap();
    let before = common::all_files(&scratch.path("out"));
    refuse(&mut scratch.reproduce_in_a_row("out"), &[&[path.to_str().unwrap()], words].concat());
    assert!(fs::read(path).unwrap() == bytes);
    assert_eq!(common::all_files(&scratch.path("out")), before);
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.cell("out", "vae/1.checkpoint");
    kill_at_epoch(&mut scratch.reproduce_in_a_row("out"), &path, 1);
    let sound = fs::read(&path).unwrap();

    // The header's length, the header, the first values, the last one.
    let header = 8 + usize::try_from(u64::from_le_bytes(sound[..8].try_into().unwrap())).unwrap();
    for position in [0, 7, 8, 40, header / 2, header, header + 1000, sound.len() - 1] {
        let mut flipped = sound.clone();
        flipped[position] ^= 0x10;
        refuse_file(&scratch, &path, &flipped, &["the checkpoint", "delete it"]);
    }
    for length in [0, 5, header, sound.len() - 1] {
        refuse_file(&scratch, &path, &sound[..length], &["cut short", "delete it"]);
    }
    fs::remove_file(&path).unwrap();
    succeed(&mut scratch.reproduce("out"));
}

#[test]
fn a_checkpoint_whose_method_has_other_state_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.cell("out", "amcvae/1.checkpoint");
    kill_at_epoch(&mut scratch.reproduce_chains("out"), &path, 1);
    let mut shortened = Checkpoint::from_bytes(&fs::read(&path).unwrap()).unwrap();
    shortened.vectors.get_mut("method.step_sizes").unwrap().pop();
    fs::write(&path, shortened.to_bytes().unwrap()).unwrap();
    refuse(&mut scratch.reproduce_chains("out"), &[path.to_str().unwrap(), "step sizes", "delete it"]);
}

#[test]
fn a_checkpoint_of_other_settings_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.cell("out", "vae/1.checkpoint");
    let mut other = program(&["reproduce", "table2", "--jobs", "1", "--config"]);
    other.arg(scratch.config("learning_rate = 1e-3", "learning_rate = 2e-3")).arg("--out").arg(scratch.path("out"));
    kill_at_epoch(&mut other, &path, 1);
    let bytes = fs::read(&path).unwrap();
    refuse_file(&scratch, &path, &bytes, &["belongs to other settings", "delete it"]);

    // Neither does a cell go on from the checkpoint of another seed.
    fs::remove_file(&path).unwrap();
    kill_at_epoch(&mut scratch.reproduce_in_a_row("out"), &path, 1);
    let second = scratch.cell("out", "vae/2.checkpoint");
    fs::rename(&path, &second).unwrap();
    let mut two_seeds = scratch.reproduce_in_a_row("out");
    refuse(two_seeds.args(["--methods", "vae", "--seeds", "2"]), &["vae/2.checkpoint", "other settings"]);
}

#[test]
fn a_damaged_cell_is_refused() {
    let scratch = Scratch::new();
    succeed(&mut scratch.reproduce("out"));
    let path = scratch.cell("out", "aais/1.json");
    let sound = fs::read(&path).unwrap();

    for length in [0, 20, sound.len() / 2, sound.len() - 3] {
        refuse_file(&scratch, &path, &sound[..length], &["not a finished cell", "delete it", "line "]);
        let mut report = program(&["report", "table2", "--out"]);
        refuse(report.arg(scratch.path("out")), &["aais/1.json", "not a finished cell"]);
    }
    fs::remove_file(&path).unwrap();
    let said = succeed(&mut scratch.reproduce("out"));
    assert!(said.contains("1 of 2 cells to train"), "{said}");
}

#[test]
fn a_cell_of_other_settings_is_refused() {
    let scratch = Scratch::new();
    let mut other = program(&["reproduce", "table2", "--config"]);
    other.arg(scratch.config("mean = 2.0", "mean = 2.5")).arg("--out").arg(scratch.path("out"));
    succeed(&mut other);
    let path = scratch.cell("out", "vae/1.json");
    let bytes = fs::read(&path).unwrap();
    refuse_file(&scratch, &path, &bytes, &["other settings", "--out"]);

    // Nor are such cells held against the paper's numbers, or reported under its title.
    let out = scratch.path("out");
    refuse(program(&["check", "table2", "--results"]).arg(&out), &["no full cell of table2"]);
    let way_out = format!("reproduce table2 --config FILE --out {}", out.display());
    refuse(program(&["report", "table2", "--out"]).arg(&out), &["other settings", "aais/1", &way_out]);

    let text = String::from_utf8(bytes).unwrap();
    fs::write(&path, text.replace("\"protocol\": \"reduced\"", "\"protocol\": \"full\"")).unwrap();
    refuse(program(&["check", "table2", "--results"]).arg(&out), &["table2 vae/1", "other settings"]);
}

#[test]
fn the_program_reports_and_checks_cells_of_its_own_settings() {
    let scratch = Scratch::new();
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/figure1/cells");
    for row in ["vae", "aais"] {
        let cells = scratch.path("out/figure1/cells").join(row);
        fs::create_dir_all(&cells).unwrap();
        fs::copy(results.join(row).join("1.json"), cells.join("1.json")).unwrap();
    }
    succeed(program(&["report", "figure1", "--out"]).arg(scratch.path("out")));
    // A row of the user's own beside them is skipped.
    let sound = fs::read_to_string(scratch.path("out/figure1/cells/vae/1.json")).unwrap();
    let other = sound.replace("\"full\"", "\"reduced\"").replace("\"config_hash\": \"", "\"config_hash\": \"0");
    fs::write(scratch.path("out/figure1/cells/vae/1.json"), other).unwrap();
    succeed(program(&["check", "figure1", "--results"]).arg(scratch.path("out")));
    refuse(program(&["report", "figure1", "--out"]).arg(scratch.path("out")), &["other settings (vae/1)"]);
}

#[test]
fn a_file_half_written_by_a_killed_run_is_no_cell() {
    let scratch = Scratch::new();
    succeed(&mut scratch.reproduce("out"));
    let cell = fs::read(scratch.cell("out", "vae/1.json")).unwrap();
    fs::write(scratch.cell("out", "vae/1.partial.json"), &cell).unwrap();
    fs::write(scratch.cell("out", "vae/2.partial.json"), &cell[..99]).unwrap();
    succeed(&mut scratch.reproduce("out"));
}
