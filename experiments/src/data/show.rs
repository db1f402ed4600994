//! What is seen of a download: a bar on a terminal, lines elsewhere, and a table in the end.

use std::io::IsTerminal;

use aais_datasets::{Fetched, Outcome, Progress};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

/// A file and what has become of it.
pub(super) struct Row {
    pub path: String,
    /// Nothing if it could not be had.
    pub fetched: Option<Fetched>,
}

/// The download of one file.
pub(super) struct Show {
    name: String,
    /// Only on a terminal.
    bar: Option<ProgressBar>,
    total: Option<u64>,
    /// Quarters of the file that a line has told of.
    quarters: u64,
}

impl Show {
    pub(super) fn new(name: &str) -> Self {
        let bar = ProgressBar::no_length().with_prefix(name.to_owned()).with_style(style(None));
        let bar = std::io::stderr().is_terminal().then_some(bar);
        Self { name: name.to_owned(), bar, total: None, quarters: 0 }
    }

    pub(super) fn tell(&mut self, progress: &Progress) {
        match progress {
            Progress::Waiting { .. } => self.say("waiting for another process that fetches into this folder"),
            Progress::Started { url, resumed, total, .. } => self.start(url, *resumed, *total),
            Progress::Received { bytes, .. } => self.receive(*bytes),
            Progress::Failed { url, problem, .. } => self.say(&format!("{url}: {problem}")),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn start(&mut self, url: &str, resumed: u64, total: Option<u64>) {
        let size = total.map_or_else(|| "a file of unknown length".to_owned(), megabytes);
        let after = if resumed > 0 { format!(", going on after {}", megabytes(resumed)) } else { String::new() };
        (self.total, self.quarters) = (total, quarters(resumed, total));
        if let Some(bar) = &self.bar {
            bar.set_style(style(total));
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(resumed);
            bar.reset_eta();
        }
        self.say(&format!("fetching {size} from {url}{after}"));
    }

    fn receive(&mut self, bytes: u64) {
        if let Some(bar) = &self.bar {
            return bar.set_position(bytes);
        }
        let reached = quarters(bytes, self.total);
        if reached > self.quarters {
            self.quarters = reached;
            self.say(&format!("{} %", 25 * reached));
        }
    }

    fn say(&self, what: &str) {
        let line = format!("{}: {what}", self.name);
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }
}

/// Whole quarters of a file of known length.
fn quarters(bytes: u64, total: Option<u64>) -> u64 {
    total.filter(|total| *total > 0).map_or(0, |total| bytes.saturating_mul(4) / total)
}

fn style(total: Option<u64>) -> ProgressStyle {
    let template = match total {
        Some(_) => "{prefix} [{bar:30}] {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left",
        None => "{prefix} {spinner} {decimal_bytes}, {decimal_bytes_per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
    let megabytes = bytes as f64 / 1e6;
    if bytes < 1_000_000 { format!("{bytes} bytes") } else { format!("{megabytes:.1} MB") }
}

/// Every file with its length, its state and its place.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).force_no_tty();
    table.set_header(["file", "bytes", "state", "path"]);
    for Row { path, fetched } in rows {
        let Some(fetched) = fetched else {
            table.add_row([path, "", "missing", ""]);
            continue;
        };
        let state = match fetched.outcome {
            Outcome::Present => "was there",
            Outcome::Fetched => "fetched",
            Outcome::Replaced => "replaced",
        };
        table.add_row([path, &fetched.bytes.to_string(), state, &fetched.path.display().to_string()]);
    }
    if let Some(bytes) = table.column_mut(1) {
        bytes.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_of_every_file() {
        let fetched = Fetched { path: "/data/a/b".into(), bytes: 12, outcome: Outcome::Fetched };
        let rows = [
            Row { path: "a/b".to_owned(), fetched: Some(fetched) },
            Row { path: "a/long name".to_owned(), fetched: None },
        ];
        let expected = [
            " file         bytes  state    path",
            " a/b             12  fetched  /data/a/b",
            " a/long name         missing",
        ];
        assert_eq!(table(&rows).lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn quarters_are_told_once_they_are_whole() {
        assert_eq!([0, 24, 25, 99, 100].map(|bytes| quarters(bytes, Some(100))), [0, 0, 1, 3, 4]);
        assert_eq!((quarters(5, None), quarters(0, Some(0))), (0, 0));
    }

    #[test]
    fn small_lengths_are_told_in_bytes() {
        assert_eq!((megabytes(4542), megabytes(9_912_422)), ("4542 bytes".to_owned(), "9.9 MB".to_owned()));
    }
}
