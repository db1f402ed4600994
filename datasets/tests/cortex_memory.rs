//! A table of the published size is read in little memory. Alone in its process, since the system keeps one maximum for all of it.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::time::Instant;

use aais_datasets::cortex;
use tempfile::tempdir;

const GENES: usize = 19_972;
const CELLS: usize = 3_005;

/// One count of six is not zero, as in a table of 10 million such counts of 60 million: most are small, a few have four digits.
fn count(gene: usize, cell: usize) -> usize {
    let hash = (gene * CELLS + cell).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    match hash % 600 {
        0 => hash % 3000,
        1..=99 => 1 + hash % 5,
        _ => 0,
    }
}

fn peak_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
#[ignore = "minutes"]
fn a_table_of_the_published_size_takes_less_than_300_mb() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("cortex")).unwrap();
    let path = folder.path().join("cortex/expression_mRNA_17-Aug-2014.txt");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    for line in 1..=11 {
        let name = match line {
            8 => "cell_id",
            9 => "level1class",
            _ => "",
        };
        write!(file, "\t{name}").unwrap();
        (0..CELLS).for_each(|cell| write!(file, "\t{name}{}", cell % 7).unwrap());
        writeln!(file).unwrap();
    }
    for gene in 0..GENES {
        write!(file, "gene{gene}\t0").unwrap();
        (0..CELLS).for_each(|cell| write!(file, "\t{}", count(gene, cell)).unwrap());
        writeln!(file).unwrap();
    }
    file.flush().unwrap();

    let before = peak_kilobytes();
    let start = Instant::now();
    let counts = cortex(folder.path()).unwrap().counts;
    let (seconds, peak) = (start.elapsed().as_secs_f64(), peak_kilobytes());
    let size = fs::metadata(&path).unwrap().len();
    let n_positive: usize = counts.rows().map(Iterator::count).sum();
    eprintln!("{size} bytes, {n_positive} counts above zero: {seconds:.1} s, at most {peak} kB ({before} kB before)");
    assert!(peak < 300_000, "{peak} kB");
    let expected: usize = (0..GENES).map(|gene| count(gene, 17)).sum();
    assert_eq!(counts.library_sizes()[17], expected as u64);
}
