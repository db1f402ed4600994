//! Where the numbers of a report come from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cell::Cell;

/// What produced the cells of a report; lists are sorted and hold each value once.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Provenance<'a> {
    /// Versions of the program; one, unless cells of several were joined.
    pub(super) version: BTreeSet<&'a str>,
    pub(super) instruction_sets: BTreeSet<&'a str>,
    pub(super) machines: BTreeSet<&'a str>,
    /// Empty where the program always makes them.
    pub(super) data: BTreeSet<&'a str>,
    /// By method, as all below.
    pub(super) config_hashes: BTreeMap<&'a str, BTreeSet<&'a str>>,
    pub(super) epochs: BTreeMap<&'a str, BTreeSet<usize>>,
    pub(super) seeds: BTreeMap<&'a str, BTreeSet<u64>>,
}

impl<'a> Provenance<'a> {
    pub(super) fn of(cells: &'a [Cell]) -> Self {
        let mut provenance = Self::default();
        for cell in cells {
            provenance.version.insert(&cell.version);
            provenance.instruction_sets.insert(&cell.instruction_set);
            provenance.machines.insert(&cell.machine);
            provenance.data.extend(cell.data.as_deref());
            provenance.config_hashes.entry(&cell.method).or_default().insert(&cell.config_hash);
            provenance.epochs.entry(&cell.method).or_default().insert(cell.epochs);
            provenance.seeds.entry(&cell.method).or_default().insert(cell.seed);
        }
        provenance
    }

    /// `; data: ...`, or nothing where the program makes them.
    pub(super) fn data_in_words(&self) -> String {
        if self.data.is_empty() { String::new() } else { format!("; data: {}", list(&self.data)) }
    }
}

/// `a, b, c`.
pub(super) fn list<T: ToString>(values: &BTreeSet<T>) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The first digits of each hash, enough to tell settings apart; of many only the first two.
pub(super) fn short_hashes(hashes: &BTreeSet<&str>) -> Vec<String> {
    let short = |hash: &&str| hash.chars().take(12).collect();
    let mut shown: Vec<String> = hashes.iter().take(2).map(short).collect();
    if hashes.len() > shown.len() {
        shown.push(format!("and {} more", hashes.len() - shown.len()));
    }
    shown
}

/// Mean minutes of a method's cells, `3.4 min`, or seconds where they are few.
pub(super) fn mean_time(cells: &[Cell], method: &str) -> String {
    let mut times: Vec<f64> =
        cells.iter().filter(|cell| cell.method == method).map(|cell| cell.timing.seconds).collect();
    // Summed in one order whatever the order of the cells.
    times.sort_by(f64::total_cmp);
    let mean = times.iter().sum::<f64>() / times.len().max(1) as f64;
    if mean < 90.0 { format!("{mean:.1} s") } else { format!("{:.1} min", mean / 60.0) }
}
