//! Table 5 from the command line, on a few images of one's own in the layout of MNIST.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::prelude::*;
use common::{Scratch, all_files, kill_at_epoch, lasting_files, program, refuse, succeed};
use serde_json::Value;

/// Table 5 in seconds: few images, epochs and samples.
const CONFIG: &str = r#"
title = "A few images"
task = "images"
architecture = "mnist"
seeds = 2

[data]
name = "mnist"
train_rows = 40
test_rows = 12
files = ["train.idx", "test.idx"]

[train]
epochs = 5
batch_size = 24
learning_rate = 1e-3
weight_decay = 0.0
average_rate = 0.0

[evaluate]
n_generated = 6
n_samples = 5
n_reconstructed = 3

[quick]
epochs = 2
seeds = 1
images = [30, 8]

[[methods]]
row = "aais"
name = "aais"
n_samples = 3
beta = { low = 0.0, high = 1.0, period = 25, ramp = 12 }
power = 1.0
fallback_below = -745.0
weight_gradient = "published"
reconstruction = "weighted"
on_request = true

[[methods]]
row = "vae-short"
name = "vae"
n_samples = 2
beta = { low = 0.0, high = 1.0, period = 25, ramp = 12 }
reconstruction = "proposal"
reduced = "2 samples instead of 100."

[[methods]]
row = "iwae-short"
name = "iwae"
n_samples = 2
prior = "standard"
reconstruction = "weighted"
train = { epochs = 2 }
reduced = "2 epochs instead of 100."
seeds = 1

[[methods]]
row = "lmcvae-short"
name = "lmcvae"
n_samples = 2
n_transitions = 2
step_size = 0.01
target_acceptance = 0.95
reconstruction = "weighted"
train = { epochs = 2 }
reduced = "2 epochs instead of 100."
seeds = 1

[[methods]]
row = "amcvae-short"
name = "amcvae"
n_samples = 2
n_transitions = 2
step_size = 0.01
target_acceptance = 0.95
reconstruction = "weighted"
train = { epochs = 2 }
reduced = "2 epochs instead of 100."
seeds = 1
"#;

/// An IDX file of images with a bar that wanders.
fn write_images(path: &Path, n: u32, side: u32) {
    let header = [2051, n, side, side].into_iter().flat_map(u32::to_be_bytes);
    let pixel = |image: u32, row: u32, column: u32| -> u8 {
        let distance = (column + 3 * row + 7 * image) % side;
        if distance < 5 { u8::try_from(250 - 40 * distance).unwrap() } else { 0 }
    };
    let pixels = (0..n).flat_map(|k| (0..side).flat_map(move |i| (0..side).map(move |j| pixel(k, i, j))));
    fs::write(path, header.chain(pixels).collect::<Vec<u8>>()).unwrap();
}

fn reproduce(scratch: &Scratch, out: &str) -> Command {
    let (config, data) = (scratch.path("small.toml"), scratch.path("data"));
    if !data.is_dir() {
        fs::write(&config, CONFIG).unwrap();
        fs::create_dir(&data).unwrap();
        write_images(&data.join("train.idx"), 50, 28);
        write_images(&data.join("test.idx"), 20, 28);
    }
    let mut command = program(&["reproduce", "table5", "--jobs", "1", "--config"]);
    command.arg(config).arg("--data-dir").arg(data).arg("--out").arg(scratch.path(out));
    command
}

fn read(path: PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_kind_of_row_reconstructs_with_the_same_bits_each_time() {
    let scratch = Scratch::new();
    let said = succeed(&mut reproduce(&scratch, "one"));
    assert!(said.contains("train.idx, SHA-256 "), "{said}");
    assert!(said.contains("40 of 50 images to train on, 12 of 20 to reconstruct"), "{said}");
    assert!(said.contains("5 of 5 cells to train"), "{said}"); // Not the row on request.

    let cell = |name: &str| read(scratch.path("one/table5/cells").join(name))["outcome"].clone();
    let (vae, iwae) = (cell("vae-short/1.json"), cell("iwae-short/1.json"));
    assert_eq!(vae["metrics"]["re"], vae["metrics"]["re_proposal"]);
    assert_eq!(iwae["metrics"]["re"], iwae["metrics"]["re_weighted"]);
    for outcome in [&vae, &iwae] {
        let metric = |name: &str| outcome["metrics"][name].as_f64().unwrap();
        // Weights prefer samples that reconstruct.
        assert!(metric("re_weighted") < metric("re_proposal") && metric("re_weighted") > 0.0);
        assert!((1.0..=5.001).contains(&metric("ess")), "{}", metric("ess"));
    }
    let n = |outcome: &Value, kind: &str| outcome["generated"]["images"][kind].as_array().unwrap().len();
    assert_eq!([n(&vae, "generated"), n(&vae, "originals"), n(&vae, "reconstructions")], [6, 3, 3]);
    assert_eq!(n(&cell("vae-short/2.json"), "generated"), 0);

    succeed(&mut reproduce(&scratch, "two"));
    let files = lasting_files(&scratch.path("one/table5"));
    assert!(files == lasting_files(&scratch.path("two/table5")));
    for figure in ["figure5", "figure5-reconstructions"] {
        for format in ["svg", "png"] {
            assert!(files.contains_key(&PathBuf::from(format!("figures/{figure}.{format}"))), "{figure}.{format}");
        }
    }
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let scratch = Scratch::new();
    let only_vae = |out: &str| {
        let mut command = reproduce(&scratch, out);
        command.args(["--methods", "vae-short"]);
        command
    };
    only_vae("whole"); // Writes the images.
    fs::write(scratch.path("small.toml"), CONFIG.replacen("epochs = 5", "epochs = 40", 1)).unwrap();
    succeed(&mut only_vae("whole"));
    let checkpoint = scratch.path("killed/table5/cells/vae-short/1.checkpoint");
    kill_at_epoch(&mut only_vae("killed"), &checkpoint, 4);
    succeed(&mut only_vae("killed"));
    assert!(lasting_files(&scratch.path("whole/table5")) == lasting_files(&scratch.path("killed/table5")));
}

#[test]
fn reduced_rows_are_named_as_such_and_never_judged() {
    let scratch = Scratch::new();
    succeed(reproduce(&scratch, "out").args(["--seeds", "1"]));
    let results = read(scratch.path("out/table5/results.json"));
    assert_eq!(results["protocol"], "reduced");
    assert!(results["note"].as_str().unwrap().contains("vae-short: 2 samples instead of 100."));
    for row in results["rows"].as_array().unwrap() {
        let has_run = ["vae-short", "iwae-short", "lmcvae-short", "amcvae-short"].iter().any(|m| row["method"] == *m);
        assert_eq!((&row["reduced"], row["n"] == 1), (&Value::from(has_run), has_run), "{row}");
    }
    for page in all_files(&scratch.path("out")).iter().filter(|path| path.extension() == Some("md".as_ref())) {
        assert!(fs::read_to_string(page).unwrap().contains("| VAE, short (reduced) | 1 |"));
    }

    let mut check = program(&["check", "table5", "--results"]);
    refuse(check.arg(scratch.path("out")), &["no full cell of table5"]);
}

#[test]
fn rows_on_request_are_trained_with_full_or_by_name() {
    let scratch = Scratch::new();
    assert!(succeed(reproduce(&scratch, "full").arg("--full")).contains("2 of 2 cells to train"));
    let cells = scratch.path("full/table5/cells");
    assert!(cells.join("aais/2.json").exists() && !cells.join("vae-short").exists());
    // Beside them, the others.
    assert!(succeed(reproduce(&scratch, "full").args(["--seeds", "1"])).contains("4 of 4 cells to train"));
    assert!(succeed(reproduce(&scratch, "full").args(["--methods", "aais"])).contains("0 of 2 cells to train"));
    let refused =
        reproduce(&scratch, "full").args(["--full", "--quick"]).assert().failure().get_output().stderr.clone();
    assert!(String::from_utf8(refused).unwrap().contains("--full"));
}

#[test]
fn a_quick_run_takes_few_images() {
    let scratch = Scratch::new();
    let said = succeed(reproduce(&scratch, "out").arg("--quick"));
    assert!(said.contains("30 of 50 images to train on, 8 of 20 to reconstruct"), "{said}");
    assert_eq!(read(scratch.path("out/table5-quick/results.json"))["protocol"], "quick");
    assert_eq!(read(scratch.path("out/table5-quick/cells/iwae-short/1.json"))["epochs"], 2);
}

/// With the published files, where they are at hand.
#[test]
fn the_quick_run_of_the_table_itself() {
    let Some(folder) = std::env::var_os("AAIS_DATA_DIR").map(PathBuf::from).filter(|f| f.join("mnist").is_dir()) else {
        eprintln!("skipped: AAIS_DATA_DIR names no folder with mnist/");
        return;
    };
    let scratch = Scratch::new();
    let mut command = program(&["reproduce", "table5", "--quick", "--jobs", "1", "--methods", "iwae-short", "--out"]);
    succeed(command.arg(scratch.path("out")).arg("--data-dir").arg(folder));
    let cell = read(scratch.path("out/table5-quick/cells/iwae-short/1.json"));
    assert!(cell["data"].as_str().unwrap().starts_with("MNIST; "), "{}", cell["data"]);
    // A decoder that knows each pixel's share of ink and nothing else has an error of 206.
    let re = cell["outcome"]["metrics"]["re"].as_f64().unwrap();
    assert!(re > 60.0 && re < 206.0, "{re}");
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let scratch = Scratch::new();
    let refused = |from: &str, to: &str, words: &[&str]| {
        let mut command = reproduce(&scratch, "one");
        assert!(CONFIG.contains(from), "{from}");
        fs::write(scratch.path("small.toml"), CONFIG.replacen(from, to, 1)).unwrap();
        refuse(&mut command, words);
    };
    refused("reconstruction = \"proposal\"", "", &["`reconstruction` of method `vae-short`", "`images`"]);
    refused("reconstruction = \"proposal\"", "reconstruction = \"plain\"", &["unknown variant `plain`"]);
    refused("n_samples = 5", "", &["`evaluate.n_samples`"]);
    refused("train_rows = 40", "train_rows = 0", &["`train_rows` must be at least 1"]);
    refused("train_rows = 40", "train_rows = 51", &["`train_rows`", "51 images are asked for, the file has 50"]);
    refused("test_rows = 12", "test_rows = 21", &["`test_rows`", "21 images are asked for, the file has 20"]);
    refused("images = [30, 8]", "images = [0, 8]", &["`quick.images`"]);
    refused("\"test.idx\"", "\"nothing.idx\"", &["nothing.idx"]);
    refused("task = \"images\"", "task = \"signal\"", &["`task`"]);
    write_images(&scratch.path("data/test.idx"), 20, 14);
    refused("", "", &["28 x 28", "14 x 14", "784 pixels"]);

    let mut command = program(&["reproduce", "table5", "--quick", "--out"]);
    command.arg(scratch.path("none")).env("AAIS_DATA_DIR", scratch.path("no data"));
    refuse(&mut command, &["train-images-idx3-ubyte.gz is not there", "cargo xtask data mnist"]);
    assert!(!scratch.path("none").exists());
}

#[test]
fn finished_cells_belong_to_what_the_files_held() {
    let scratch = Scratch::new();
    succeed(reproduce(&scratch, "one").args(["--methods", "iwae-short"]));
    assert!(succeed(reproduce(&scratch, "one").args(["--methods", "iwae-short"])).contains("0 of 1 cells to train"));
    write_images(&scratch.path("data/test.idx"), 21, 28);
    refuse(reproduce(&scratch, "one").args(["--methods", "iwae-short"]), &["trained with other settings"]);
}
