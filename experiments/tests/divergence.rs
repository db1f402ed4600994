//! Training that leaves the finite numbers stops at once and says where.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use aais_models::Checkpoint;

use common::{Scratch, program, refuse};

#[test]
fn training_that_diverges_says_where_and_keeps_the_last_finite_state() {
    let scratch = Scratch::new();
    let mut command = program(&["reproduce", "table2", "--jobs", "1", "--config"]);
    command.arg(scratch.config("learning_rate = 1e-3", "learning_rate = 1e30"));
    command.arg("--out").arg(scratch.path("out"));

    let last_good = scratch.cell("out", "vae/1.last-good.checkpoint");
    let place = ["table2 vae, seed 1", "loss became", "in epoch 1, step 2, on rows ", "6 more"];
    refuse(&mut command, &[&place[..], &[last_good.to_str().unwrap()]].concat());

    let checkpoint = Checkpoint::from_bytes(&fs::read(&last_good).unwrap()).unwrap();
    assert_eq!((checkpoint.epoch, checkpoint.adam_step), (0, 1));
    assert!(checkpoint.vectors.values().flatten().all(|value| value.is_finite()));
    assert_eq!(common::all_files(&scratch.path("out")), [last_good]);
}
