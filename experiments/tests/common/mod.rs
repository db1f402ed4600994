//! A small experiment, and what its runs leave behind.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use aais_models::Checkpoint;
use assert_cmd::prelude::*;
use tempfile::TempDir;

/// The protocol of Table 2 in a second: 40 rows, 4 samples, two methods, one seed.
pub const CONFIG: &str = r#"
title = "Small exponential signal"
task = "signal"
architecture = "exp"
seeds = 1

[data]
name = "exponential"
mean = 2.0
n_rows = 40
noise_std = 1.0
seed = 42

[train]
epochs = 800
batch_size = 24
learning_rate = 1e-3
weight_decay = 0.01
average_rate = 5e-4

[evaluate]
n_generated = 200
histogram = { low = -3.0, high = 15.0, bins = 18 }

[quick]
epochs = 2
seeds = 1

[[methods]]
row = "vae"
name = "vae"
n_samples = 4
beta = 1.0

[[methods]]
row = "aais"
name = "aais"
n_samples = 4
beta = 1.0
power = 1.0
fallback_below = -745.0
weight_gradient = "published"
"#;

/// Three more methods, small, for the end of [`CONFIG`].
pub const CHAINS: &str = r#"
[[methods]]
row = "amcvae"
name = "amcvae"
n_samples = 2
n_transitions = 2
step_size = 0.02
target_acceptance = 0.9
longest_gradient = 9.0
train = { epochs = 300 }

[[methods]]
row = "lmcvae"
name = "lmcvae"
n_samples = 2
n_transitions = 2
step_size = 0.03
target_acceptance = 0.8
longest_gradient = 8.0
skip_below = 0.1
train = { epochs = 300 }

[[methods]]
row = "almond"
name = "almond"
architecture = "exp-almond"
n_samples = 2
vae_epochs = 20
warmup_epochs = 30
n_steps = 2
step_size = 0.01
momentum = 0.1
weight_decay = 0.001
train = { epochs = 300 }
quick = { vae_epochs = 1, warmup_epochs = 0 }
"#;

/// Table 4 in a second: 40 counts of our own draw; a likelihood with parameters, methods that differentiate its score.
pub const COUNTS: &str = r#"
title = "Small copula"
task = "copula"
architecture = "copula"
seeds = 1

[data]
name = "copula"
theta = 2.0
margin = [2.0, 1.0, -2.0]
dimension = 5
n_rows = 40
counts = { beta = [0.4, 0.1, 1.9, 1.2, -0.1], covariate_std = 0.2, seed = 42 }

[train]
epochs = 300
batch_size = 24
learning_rate = 1e-3
weight_decay = 0.01
average_rate = 5e-4

[evaluate]
n_generated = 200
histogram = { low = -4.0, high = 8.0, bins = 24 }

[quick]
epochs = 2
seeds = 1

[[methods]]
row = "aais"
name = "aais"
n_samples = 4
beta = 1.0
power = 1.0
fallback_below = -745.0
weight_gradient = "published"

[[methods]]
row = "lmcvae"
name = "lmcvae"
n_samples = 2
n_transitions = 2
step_size = 0.01
target_acceptance = 0.95
reduced = "2 samples instead of 100."
"#;

/// A folder of one test's own, gone with the test.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes [`CONFIG`] with one passage changed.
    pub fn config(&self, from: &str, to: &str) -> PathBuf {
        self.write(CONFIG, from, to)
    }

    /// Writes [`CONFIG`] and [`CHAINS`] with one passage changed.
    pub fn config_with_chains(&self, from: &str, to: &str) -> PathBuf {
        self.write(&[CONFIG, CHAINS].concat(), from, to)
    }

    /// Writes [`COUNTS`] with one passage changed.
    pub fn config_with_counts(&self, from: &str, to: &str) -> PathBuf {
        self.write(COUNTS, from, to)
    }

    fn write(&self, config: &str, from: &str, to: &str) -> PathBuf {
        assert!(config.contains(from), "{from}");
        let path = self.path("small.toml");
        fs::write(&path, config.replacen(from, to, 1)).unwrap();
        path
    }

    /// `reproduce table2` of the small experiment into a folder of this name.
    pub fn reproduce(&self, out: &str) -> Command {
        let mut command = program(&["reproduce", "table2", "--config"]);
        command.arg(self.config("", "")).arg("--out").arg(self.path(out));
        command
    }

    /// The same, one cell after the other.
    pub fn reproduce_in_a_row(&self, out: &str) -> Command {
        let mut command = self.reproduce(out);
        command.args(["--jobs", "1"]);
        command
    }

    /// `reproduce table2` of the methods of [`CHAINS`] into a folder of this name, one cell after the other.
    pub fn reproduce_chains(&self, out: &str) -> Command {
        let mut command = program(&["reproduce", "table2", "--jobs", "1", "--methods", "amcvae,lmcvae,almond"]);
        command.arg("--config").arg(self.config_with_chains("", "")).arg("--out").arg(self.path(out));
        command
    }

    /// `reproduce table4` of [`COUNTS`] into a folder of this name, one cell after the other, with no data folder.
    pub fn reproduce_counts(&self, out: &str) -> Command {
        let mut command = program(&["reproduce", "table4", "--jobs", "1", "--config"]);
        command.arg(self.config_with_counts("", "")).arg("--out").arg(self.path(out));
        command.env("AAIS_DATA_DIR", self.path("no data"));
        command
    }

    /// Where [`reproduce`](Self::reproduce) keeps a cell: `vae/1.json`, or its checkpoint `vae/1.checkpoint`.
    pub fn cell(&self, out: &str, name: &str) -> PathBuf {
        self.path(out).join("table2/cells").join(name)
    }
}

/// The program with arguments.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aais-experiments"));
    command.args(arguments);
    command
}

/// Runs a command that must succeed; what it said on stderr.
pub fn succeed(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stderr.clone()).unwrap()
}

/// Runs a command that must end with exit code 2 and say all these words on stderr.
pub fn refuse(command: &mut Command, words: &[&str]) {
    let message = String::from_utf8(command.assert().code(2).get_output().stderr.clone()).unwrap();
    for word in words {
        assert!(message.contains(word), "no `{word}` in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

/// Starts a command and kills it once this checkpoint has reached this epoch.
pub fn kill_at_epoch(command: &mut Command, checkpoint: &Path, epoch: usize) {
    command.args(["--checkpoint-seconds", "0"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    while !fs::read(checkpoint).is_ok_and(|bytes| Checkpoint::from_bytes(&bytes).unwrap().epoch >= epoch) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it could be killed");
        assert!(started.elapsed() < Duration::from_secs(300), "no checkpoint of epoch {epoch}");
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap(); // SIGKILL on Unix.
    child.wait().unwrap();
}

/// Every file of a finished run that must not differ between two runs: cells without their timing, `results.json`,
/// figures. The two other reports show times.
pub fn lasting_files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for path in all_files(directory) {
        let name = path.strip_prefix(directory).unwrap().to_owned();
        let mut bytes = fs::read(&path).unwrap();
        if name.starts_with("cells") {
            let text = String::from_utf8(bytes).unwrap();
            let (before, after) = text.split_once("\"timing\": {").unwrap();
            let (_, after) = after.split_once('}').unwrap();
            bytes = [before, after].concat().into_bytes();
        }
        if !["report.md", "report.html"].iter().any(|report| name.ends_with(report)) {
            files.insert(name, bytes);
        }
    }
    files
}

/// Files below a folder, sorted.
pub fn all_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(all_files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
