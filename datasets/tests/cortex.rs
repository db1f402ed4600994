//! The cortex data as they are published, where `AAIS_DATA_DIR` has them, and their variable genes.
//!
//! Golden values: `data/cortex_4000_highly_variable.txt`, whose first lines name software, versions and commands.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;

use aais_datasets::{Cortex, CountMatrix, cortex, gene_variability, highly_variable_genes};
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::tempdir;

/// The file with 4,000 genes, or nothing where it is not.
fn reduced() -> Option<Cortex> {
    let Some(folder) = std::env::var_os("AAIS_DATA_DIR").map(PathBuf::from) else {
        eprintln!("skipped: AAIS_DATA_DIR is not set");
        return None;
    };
    let cortex = cortex(&folder).unwrap();
    if cortex.source.is_complete() {
        eprintln!("skipped: {} is the whole table", cortex.source);
        return None;
    }
    Some(cortex)
}

#[test]
fn the_reduced_file_is_the_known_one() {
    let Some(Cortex { counts, source }) = reduced() else { return };
    assert_eq!(
        source.to_string(),
        "cortex/cortex_4000genes.txt.gz, 4000 of 19972 genes, \
         SHA-256 d90fda2a63aaecfb31416283edab76c7e6293ad3f48918a1f33dad9ebf8f1491"
    );
    assert_eq!((counts.n_cells(), counts.n_genes()), (3005, 4000));
    assert_eq!((counts.cells()[0].as_str(), counts.genes()[0].as_str()), ("1772071015_C02", "gene0001"));

    let labels = counts.labels().unwrap();
    let sizes: Vec<_> = labels.classes.iter().map(String::as_str).zip(labels.class_sizes()).collect();
    let published = [
        ("astrocytes_ependymal", 224),
        ("endothelial-mural", 235),
        ("interneurons", 290),
        ("microglia", 98),
        ("oligodendrocytes", 820),
        ("pyramidal CA1", 939),
        ("pyramidal SS", 399),
    ];
    assert_eq!(sizes, published);
    // Sums of the file's columns by awk.
    let sizes = counts.library_sizes();
    assert_eq!((sizes[0], sizes[3004], sizes.iter().sum::<u64>()), (16_091, 2880, 33_633_745));
}

#[test]
fn variable_genes_are_those_of_scanpy() {
    let Some(Cortex { counts, .. }) = reduced() else { return };
    let lines = include_str!("data/cortex_4000_highly_variable.txt").lines().filter(|line| !line.starts_with('#'));
    let golden: Vec<(&str, f64)> =
        lines.map(|line| line.split_once('\t').unwrap()).map(|(gene, value)| (gene, value.parse().unwrap())).collect();
    assert_eq!(golden.len(), 1200);

    let counts = counts.select_genes(&counts.genes_with_total(3)).unwrap();
    let chosen = highly_variable_genes(&counts, 1200).unwrap();
    assert!(chosen.is_sorted());
    let chosen: BTreeSet<&str> = chosen.into_iter().map(|gene| counts.genes()[gene].as_str()).collect();
    assert_eq!(chosen, golden.iter().map(|(gene, _)| *gene).collect());

    // Not the set alone: every rank, and the variances up to what doubles leave of differences of sums.
    let variability = gene_variability(&counts).unwrap();
    for (gene, (name, value)) in variability.ranking().into_iter().zip(golden) {
        assert_eq!(counts.genes()[gene], name);
        assert!((variability.normalized[gene] / value - 1.0).abs() < 1e-11, "{name}");
    }
}

/// The published layout with counts that follow a rule.
fn table(n_genes: usize, n_cells: usize) -> String {
    let annotations =
        ["tissue", "group #", "total mRNA mol", "well", "sex", "age", "diameter", "cell_id", "level1class"];
    let row = |start: &str, value: &dyn Fn(usize) -> String| {
        let values: Vec<String> = (0..n_cells).map(value).collect();
        format!("{start}\t{}\n", values.join("\t"))
    };
    let mut text: String =
        annotations.iter().map(|name| row(&format!("\t{name}"), &|cell| format!("{name}{}", cell % 7))).collect();
    text += &row("\tlevel2class", &|cell| cell.to_string());
    text += &row("\t", &|_| String::new());
    for gene in 0..n_genes {
        text += &row(&format!("gene{gene}\t0"), &|cell| ((gene * cell) % 5).to_string());
    }
    text
}

#[test]
fn the_whole_table_is_taken_first_and_must_be_whole() {
    let folder = tempdir().unwrap();
    let message =
        || cortex(folder.path()).unwrap_err().to_string().replace(&folder.path().display().to_string(), "DATA");
    let missing = "DATA/cortex/expression_mRNA_17-Aug-2014.txt is not there; get it with `cargo xtask data cortex`";
    assert!(message().starts_with(missing), "{}", message());

    fs::create_dir(folder.path().join("cortex")).unwrap();
    let mut zipped = GzEncoder::new(
        File::create(folder.path().join("cortex/cortex_4000genes.txt.gz")).unwrap(),
        Compression::fast(),
    );
    std::io::Write::write_all(&mut zipped, table(4000, 3).as_bytes()).unwrap();
    zipped.finish().unwrap();
    let reduced = cortex(folder.path()).unwrap();
    assert_eq!((reduced.source.n_genes, reduced.source.is_complete()), (4000, false));

    let whole = folder.path().join("cortex/expression_mRNA_17-Aug-2014.txt");
    fs::write(&whole, table(19_971, 3)).unwrap();
    let cut = "DATA/cortex/expression_mRNA_17-Aug-2014.txt: expected 19972 genes, got 19971; the file may be cut short";
    assert_eq!(message(), cut);
    fs::write(&whole, table(19_972, 3)).unwrap();
    let Cortex { counts, source } = cortex(folder.path()).unwrap();
    assert!(source.is_complete() && source.file == "cortex/expression_mRNA_17-Aug-2014.txt");
    let digest = |counts: &CountMatrix| counts.gene_totals()[..4].to_vec();
    assert_eq!((digest(&counts), source.sha256.len()), (vec![0, 3, 6, 4], 64));
}
