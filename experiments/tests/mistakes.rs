//! A mistake in a config or on the command line ends with exit code 2, its name on stderr, and nothing written.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Scratch, program, refuse, succeed};

/// Changes a passage of the config, and runs; the message must name the config and these words.
fn refuse_config(from: &str, to: &str, words: &[&str]) {
    let scratch = Scratch::new();
    let mut command = program(&["reproduce", "table2", "--config"]);
    command.arg(scratch.config(from, to)).arg("--out").arg(scratch.path("out"));
    refuse(&mut command, &[&["small.toml"], words].concat());
    assert!(!scratch.path("out").exists());
}

/// The same for a method with Langevin moves.
fn refuse_chains(from: &str, to: &str, words: &[&str]) {
    let scratch = Scratch::new();
    let mut command = program(&["reproduce", "table2", "--config"]);
    command.arg(scratch.config_with_chains(from, to)).arg("--out").arg(scratch.path("out"));
    refuse(&mut command, &[&["small.toml"], words].concat());
    assert!(!scratch.path("out").exists());
}

/// The same for counts with a copula.
fn refuse_counts(from: &str, to: &str, words: &[&str]) {
    let scratch = Scratch::new();
    let mut command = program(&["reproduce", "table4", "--config"]);
    command.arg(scratch.config_with_counts(from, to)).arg("--out").arg(scratch.path("out"));
    refuse(command.env("AAIS_DATA_DIR", scratch.path("no data")), &[&["small.toml"], words].concat());
    assert!(!scratch.path("out").exists());
}

/// Runs with arguments that must be refused before anything is written.
fn refuse_arguments(arguments: &[&str], words: &[&str]) {
    let scratch = Scratch::new();
    let mut command = scratch.reproduce("out");
    refuse(command.args(arguments), words);
    assert!(!scratch.path("out").exists());
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    refuse_config("seeds = 1", "seed = 1", &["line 5", "unknown field `seed`"]);
    refuse_config("weight_decay", "decay", &["line 18", "unknown field `decay`"]);
    refuse_config("n_rows = 40", "n_rows = 40\nrows = 9", &["line 7", "[data]", "unknown field `rows`"]);
    refuse_config("bins = 18", "bins = 18, width = 1.0", &["line 23", "unknown field `width`"]);
    refuse_config("power = 1.0", "powr = 1.0", &["method `aais`", "unknown field `powr`"]);
}

#[test]
fn a_circle_and_a_mixture_refuse_unknown_keys_too() {
    let exponential = "\"exponential\"\nmean = 2.0\nn_rows = 40\nnoise_std = 1.0\nseed = 42";
    let mixture = "\"mixture\"\ncomponents = []\nnoise_std = 1.0\nstream = { seed = 42 }\nshare = 0.5";
    refuse_config(exponential, mixture, &["line 7", "[data]", "unknown field `share`"]);
    let part = "\"mixture\"\ncomponents = [{ n_rows = 9, mean = 0.0, std = 1.0, share = 0.5 }]";
    refuse_config(exponential, part, &["line 7", "[data]", "unknown field `share`"]);
    let circle = "\"circle\"\nangles = []\nseed = 42\nnoise_variance = 1.0\nradius = 2.0";
    refuse_config(exponential, circle, &["line 7", "[data]", "unknown field `radius`"]);
}

#[test]
fn the_settings_of_a_copula_are_checked() {
    refuse_counts("theta = 2.0", "theta = -2.0", &["`theta` must be a positive number"]);
    refuse_counts("theta = 2.0", "theta = 2.0\ndraw = \"own\"", &["[data]", "unknown field `draw`"]);
    refuse_counts("margin = [2.0, 1.0, -2.0]", "margin = [0.0, 1.0, -2.0]", &["positive shape and scale"]);
    refuse_counts("beta = [0.4, 0.1, ", "beta = [", &["5 fixed effects and a signal of 5 coordinates"]);
    refuse_counts("covariate_std = 0.2", "covariate_std = 0.0", &["`covariate_std` must be a positive number"]);
    refuse_counts("n_rows = 40", "n_rows = 0", &["`n_rows` must be at least 1"]);
    refuse_counts("histogram = { low = -4.0, high = 8.0, bins = 24 }", "", &["`evaluate.histogram`"]);
}

#[test]
fn an_altered_data_file_is_not_trained_on() {
    let scratch = Scratch::new();
    let folder = scratch.path("data/synthetic");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("copula.csv"), "x,w,y\n1,2,3\n").unwrap();
    let mut command = scratch.reproduce_counts("out");
    command.arg("--data-dir").arg(scratch.path("data"));
    refuse(&mut command, &["copula.csv has SHA-256", "fetch it anew"]);
    assert!(!scratch.path("out").exists());
}

#[test]
fn wrong_types_are_named_with_their_line() {
    refuse_config("epochs = 800", "epochs = \"many\"", &["line 15", "epochs = \"many\"", "expected usize"]);
    refuse_config("epochs = 800", "epochs = -800", &["line 15", "epochs = -800"]);
    refuse_config("epochs = 800", "epochs = 1.5", &["line 15", "epochs = 1.5"]);
    refuse_config("noise_std = 1.0", "noise_std = \"loud\"", &["line 7", "[data]", "string \"loud\", expected f64"]);
    refuse_config("beta = 1.0", "beta = \"none\"", &["method `vae`", "`beta`"]);
    refuse_config("title = ", "title ", &["line 2"]);
}

#[test]
fn values_out_of_range_are_named() {
    refuse_config("epochs = 800", "epochs = 0", &["`epochs` must be at least 1"]);
    refuse_config("batch_size = 24", "batch_size = 0", &["`batch_size` must be at least 1"]);
    for rate in ["nan", "inf", "-0.001", "0.0", "1e40", "1e-60"] {
        let change = format!("learning_rate = {rate}");
        refuse_config("learning_rate = 1e-3", &change, &["`learning_rate` must be a positive number, got "]);
    }
    refuse_config("weight_decay = 0.01", "weight_decay = nan", &["`weight_decay` must be zero or a positive"]);
    refuse_config("average_rate = 5e-4", "average_rate = 1.0", &["`average_rate`", "got 1"]);
    refuse_config("n_samples = 4", "n_samples = 0", &["method `vae`", "n_samples must be at least 1, got 0"]);
    refuse_config("n_samples = 4", "n_samples = 1000001", &["`n_samples` of method `vae`", "at most 1000000"]);
    refuse_config("power = 1.0", "power = nan", &["`power` of method `aais` is not a number"]);
    refuse_config("n_rows = 40", "n_rows = 0", &["data", "at least one row"]);
    refuse_config("noise_std = 1.0", "noise_std = -1.0", &["data", "`noise_std` must be positive"]);
    for low in ["30.0", "nan", "-inf"] {
        refuse_config("low = -3.0", &format!("low = {low}"), &["`evaluate.histogram` needs low < high, both finite"]);
    }
    refuse_config("bins = 18", "bins = 0", &["`bins` must be 1 to 1000000, got 0"]);
    refuse_config("bins = 18", "bins = 1000000000000", &["`bins` must be 1 to 1000000"]);
    refuse_config("row = \"vae\"", "row = \"vae\"\nseeds = 0", &["`seeds` of method `vae` must be at least 1"]);
}

#[test]
fn settings_of_chains_out_of_range_are_named() {
    refuse_chains("step_size = 0.02", "step_size = -0.02", &["method `amcvae`", "step_size must be", "got -0.02"]);
    refuse_chains("step_size = 0.03", "step_size = -0.03", &["method `lmcvae`", "step_size must be", "got -0.03"]);
    refuse_chains("step_size = 0.01", "step_size = -0.01", &["method `almond`", "step_size must be", "got -0.01"]);
    let zero = "n_transitions = 0";
    refuse_chains("n_transitions = 2", zero, &["method `amcvae`", "n_transitions must be at least 1"]);
    refuse_chains("n_transitions = 2", "n_transitions = 1000001", &["`n_transitions` of method `amcvae`", "at most"]);
    let likely = "target_acceptance = 1.5";
    refuse_chains("target_acceptance = 0.9", likely, &["method `amcvae`", "target_acceptance must be", "got 1.5"]);
    refuse_chains("target_acceptance = 0.8", likely, &["method `lmcvae`", "target_acceptance must be", "got 1.5"]);
    let negative = "longest_gradient = -1";
    refuse_chains("longest_gradient = 9.0", negative, &["method `amcvae`", "longest_gradient must be", "got -1"]);
    refuse_chains("longest_gradient = 8.0", negative, &["method `lmcvae`", "longest_gradient must be", "got -1"]);
    refuse_chains("skip_below = 0.1", "skip_below = 1.0", &["method `lmcvae`", "skip_below must be", "got 1"]);
    refuse_chains("vae_epochs = 20", "vae_epochs = 300", &["method `almond`", "vae_epochs must be", "got 300"]);
    refuse_chains("warmup_epochs = 30", "warmup_epochs = -30", &["method `almond`", "`warmup_epochs`", "-30"]);
}

#[test]
fn mistakes_in_quick_tables_show_at_once() {
    let of_quick = "with the settings of `quick`";
    refuse_config("epochs = 2", "epochs = 0", &[of_quick, "`epochs` must be at least 1"]);
    refuse_config("epochs = 2\nseeds = 1", "epochs = 2\nseeds = 0", &[of_quick, "`seeds` must be at least 1"]);
    let quick = "quick = { vae_epochs = 1, warmup_epochs = 0 }";
    refuse_chains(quick, "quick = { vea_epochs = 1 }", &[of_quick, "method `almond`", "unknown field `vea_epochs`"]);
    refuse_chains(quick, "quick = { vae_epochs = 2 }", &[of_quick, "method `almond`", "vae_epochs must be", "got 2"]);
    refuse_chains(quick, "", &[of_quick, "method `almond`", "vae_epochs must be", "got 20"]);
    let train = "quick = { vae_epochs = 1, train = { epochs = 0 } }";
    refuse_chains(quick, train, &[of_quick, "`train` of method `almond`", "`epochs` must be at least 1"]);
    let unknown = "quick = { train = { epoch = 9 } }";
    refuse_chains(quick, unknown, &["`quick` of method `almond`", "unknown field `epoch`"]);
}

#[test]
fn parts_that_do_not_fit_together_are_named() {
    refuse_config(
        "name = \"vae\"",
        "name = \"vea\"",
        &["unknown method `vea`", "vae, iwae, amcvae, lmcvae, almond, aais"],
    );
    refuse_config("row = \"aais\"", "row = \"vae\"", &["two methods have the row `vae`"]);
    refuse_config("row = \"aais\"", "row = \"../aais\"", &["`row = \"../aais\"`"]);
    refuse_config("architecture = \"exp\"", "architecture = \"circle\"", &["`architecture` circle", "width 2"]);
    refuse_config("architecture = \"exp\"", "architecture = \"expo\"", &["architecture must be one of", "expo"]);
    refuse_config("task = \"signal\"", "task = \"circle\"", &["`task`"]);
}

#[test]
fn mistakes_on_the_command_line_are_named() {
    refuse_arguments(&["--methods", "vea"], &["unknown method `vea`", "vae, aais"]);
    refuse_arguments(&["--sedes", "3"], &["--sedes"]);
    refuse_arguments(&["--seeds", "0"], &["--seeds must be at least 1"]);
    refuse_arguments(&["--seeds", "x"], &["'x'", "--seeds"]);
    refuse_arguments(&["--jobs", "0"], &["--jobs must be at least 1"]);
    refuse_arguments(&["--jobs", "-1"], &["-1"]);
    refuse_arguments(&["--checkpoint-seconds", "often"], &["'often'", "--checkpoint-seconds"]);
    refuse_arguments(&["--device", "tpu"], &["unknown device `tpu`"]);
    refuse_arguments(&["--data-dir", "/no/such/folder"], &["--data-dir", "/no/such/folder"]);
}

#[test]
fn unknown_targets_are_named() {
    refuse(
        &mut program(&["reproduce", "table22"]),
        &["unknown target `table22`", "table2, table3, table4, table7, table9, figure1, table5, table6, all"],
    );
    refuse(&mut program(&["report", "table22"]), &["unknown target `table22`"]);
    refuse(&mut program(&["check", "table22"]), &["unknown target `table22`"]);
}

#[test]
fn a_config_is_for_one_target_of_its_task() {
    let scratch = Scratch::new();
    for (target, word) in [("all", "--config"), ("figure1", "`task` is not that of figure1")] {
        let mut command = program(&["reproduce", target, "--config"]);
        command.arg(scratch.config("", "")).arg("--out").arg(scratch.path("out"));
        refuse(&mut command, &[word]);
    }
    refuse(&mut program(&["reproduce", "table2", "--config", "no-such.toml"]), &["reading no-such.toml"]);
    assert!(!scratch.path("out").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let scratch = Scratch::new();
    fs::write(scratch.path("file"), "").unwrap();
    refuse(&mut scratch.reproduce("file/out"), &["file/out/table2", "--out"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_to_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let scratch = Scratch::new();
    let locked = scratch.path("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    // Permissions do not bind root, for whom the folder is like any other.
    if fs::write(locked.join("try"), "").is_ok() {
        succeed(scratch.reproduce("locked").arg("--quick"));
    } else {
        refuse(scratch.reproduce("locked").arg("--quick"), &["locked/table2-quick", "--out"]);
        assert_eq!(fs::read_dir(&locked).unwrap().count(), 0);
    }
}
