//! Table 6 from the command line, on a small table of counts in the published layout.

#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use assert_cmd::prelude::*;
use common::{Scratch, all_files, lasting_files, program, refuse, succeed};
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

const N_CELLS: usize = 60;

/// Table 6 in seconds: few epochs, samples and genes that vary.
const CONFIG: &str = r#"
title = "Small table of cells"
task = "clusters"
architecture = "cortex"
seeds = 2

[data]
name = "cortex"
least_total = 3
n_genes = 1200

[train]
epochs = 3
batch_size = 32
learning_rate = 1e-3
weight_decay = 0.0
average_rate = 0.0

[evaluate]
restarts = 3
n_points = 30

[quick]
epochs = 1
seeds = 1

[[methods]]
row = "pca"
name = "pca"
dimension = 5
input = "log-normalized"

[[methods]]
row = "scvi"
name = "scvi"
hidden = 8
latent = 3
train_share = 0.9
objective = { dropout = 0.1, kl_weight = { low = 0.0, high = 1.0, epochs = 3 }, adam_epsilon = 0.01 }
seeds = 1

[[methods]]
row = "aais"
name = "aais"
n_samples = 2
beta = { low = 0.0, high = 1e-4, period = 25, ramp = 12 }
power = 1e-4
fallback_below = -inf
weight_gradient = "published"
seeds = 1
"#;

/// Sixty cells of two classes, in the layout of the published table and under the name of its extract of 4,000 genes.
///
/// Every tenth gene is seen six times as often in one class as in the other.
fn write_cells(folder: &Path) {
    let class = |cell: usize| ["interneurons", "microglia"][cell % 2];
    let mut text = String::new();
    for line in 1..=11 {
        let name = [(8, "cell_id"), (9, "level1class")].iter().find(|(at, _)| *at == line).map_or("", |(_, name)| name);
        write!(text, "\t{name}").unwrap();
        for cell in 0..N_CELLS {
            match line {
                8 => write!(text, "\tcell{cell}").unwrap(),
                9 => write!(text, "\t{}", class(cell)).unwrap(),
                _ => write!(text, "\t").unwrap(),
            }
        }
        text.push('\n');
    }
    for gene in 0..4000 {
        write!(text, "gene{gene}\t0").unwrap();
        for cell in 0..N_CELLS {
            let wobble = (gene * 31 + cell * 17 + gene * cell) % 7;
            let marks = gene % 10 == 0 && (gene / 10) % 2 == cell % 2;
            write!(text, "\t{}", (1 + wobble) * (1 + gene % 40) * if marks { 6 } else { 1 }).unwrap();
        }
        text.push('\n');
    }
    fs::create_dir_all(folder.join("cortex")).unwrap();
    let file = fs::File::create(folder.join("cortex/cortex_4000genes.txt.gz")).unwrap();
    let mut zipped = GzEncoder::new(file, Compression::fast());
    zipped.write_all(text.as_bytes()).unwrap();
    zipped.finish().unwrap();
}

fn reproduce(scratch: &Scratch, out: &str) -> Command {
    let (config, data) = (scratch.path("small.toml"), scratch.path("data"));
    if !data.is_dir() {
        fs::write(&config, CONFIG).unwrap();
        write_cells(&data);
    }
    let mut command = program(&["reproduce", "table6", "--jobs", "1", "--config"]);
    command.arg(config).arg("--data-dir").arg(data).arg("--out").arg(scratch.path(out));
    command
}

fn cell(scratch: &Scratch, name: &str) -> Value {
    let path = scratch.path("one/table6/cells").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_kind_of_row_is_clustered_with_the_same_bits_each_time() {
    let scratch = Scratch::new();
    let said = succeed(&mut reproduce(&scratch, "one"));
    let source = "cortex/cortex_4000genes.txt.gz, 4000 of 19972 genes, SHA-256 ";
    assert!(said.contains(source), "{said}");

    // The classes lie apart along the first components.
    for seed in ["pca/1.json", "pca/2.json"] {
        assert_eq!(cell(&scratch, seed)["outcome"]["metrics"]["ari"], 1.0);
    }
    let aais = cell(&scratch, "aais/1.json");
    assert!(aais["data"].as_str().unwrap().starts_with(source));
    let ess = aais["outcome"]["metrics"]["ess"].as_f64().unwrap();
    assert!(ess > 1.9 && ess < 2.0 + 1e-6, "{ess}"); // Of two samples, flattened by the power 1e-4.
    assert!(cell(&scratch, "scvi/1.json")["outcome"]["metrics"]["nmi"].is_number());
    assert!(cell(&scratch, "scvi/1.json")["outcome"]["metrics"]["ess"].is_null());
    let shown = cell(&scratch, "scvi/1.json")["outcome"]["generated"]["classes"].clone();
    let n_points: usize = shown.as_array().unwrap().iter().map(|class| class["points"].as_array().unwrap().len()).sum();
    assert_eq!((n_points, &shown[1]["name"]), (30, &Value::from("microglia")));

    succeed(&mut reproduce(&scratch, "two"));
    assert!(lasting_files(&scratch.path("one/table6")) == lasting_files(&scratch.path("two/table6")));
    for page in all_files(&scratch.path("one")).iter().filter(|path| path.ends_with("report.html")) {
        assert!(fs::read_to_string(page).unwrap().contains("4000 of 19972 genes"));
    }
}

#[test]
fn finished_cells_are_kept_and_others_refused() {
    let scratch = Scratch::new();
    succeed(reproduce(&scratch, "one").args(["--methods", "pca"]));
    assert!(succeed(reproduce(&scratch, "one").args(["--methods", "pca"])).contains("0 of 2 cells to train"));
    fs::write(scratch.path("small.toml"), CONFIG.replace("restarts = 3", "restarts = 4")).unwrap();
    refuse(reproduce(&scratch, "one").args(["--methods", "pca"]), &["trained with other settings"]);
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
    refused("input = \"log-normalized\"", "input = \"log\"", &["`pca`", "counts"]);
    refused("name = \"pca\"", "name = \"saturated\"", &["`pca`"]);
    refused("restarts = 3", "restarts = 0", &["`evaluate.restarts`"]);
    refused("n_genes = 1200", "n_genes = 100", &["1200", "100"]);
    refused("train_share = 0.9", "train_share = 1.5", &["train_share"]);
    refused("dropout = 0.1", "dropout = 1.0", &["dropout"]);
    refused("task = \"clusters\"", "task = \"signal\"", &["`task`"]);

    let mut command = program(&["reproduce", "table6", "--quick", "--out"]);
    command.arg(scratch.path("none")).env("AAIS_DATA_DIR", scratch.path("no data"));
    refuse(&mut command, &["cortex", "data cortex"]);
    assert!(!scratch.path("none").exists());
}

/// The committed cells need no data to be reported again.
#[test]
fn a_report_is_written_without_the_data() {
    let scratch = Scratch::new();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/table6/cells/pca/1.json");
    let place = scratch.path("out/table6/cells/pca");
    fs::create_dir_all(&place).unwrap();
    fs::copy(committed, place.join("1.json")).unwrap();
    let mut command = program(&["report", "table6", "--out"]);
    command.arg(scratch.path("out")).env("AAIS_DATA_DIR", scratch.path("no data")).assert().success();
}
