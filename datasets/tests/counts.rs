//! Counts from files of every format, by the function that tells them apart.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use aais_datasets::{CountMatrix, CountOptions, GeneNames, LabelSource, Orientation, read_counts};
use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::array;
use tempfile::{TempDir, tempdir};

fn write(folder: &TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.path().join(name);
    let mut file = File::create(&path).unwrap();
    if name.ends_with(".gz") {
        let mut encoder = GzEncoder::new(file, Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap();
    } else {
        file.write_all(text.as_bytes()).unwrap();
    }
    path
}

fn read(path: &Path, options: CountOptions) -> Result<CountMatrix, String> {
    read_counts(path, &options).map_err(|error| error.to_string().replace(&path.display().to_string(), "PATH"))
}

const MATRIX: &str =
    "%%MatrixMarket matrix coordinate integer general\n%metadata_json: {}\n3 2 3\n1 1 5\n3 1 1\n2 2 8\n";

#[test]
fn all_formats_hold_the_same_counts() {
    let folder = tempdir().unwrap();
    write(&folder, "matrix.mtx.gz", MATRIX);
    write(&folder, "features.tsv.gz", "E1\tA\tGene Expression\nE2\tB\tGene Expression\nE3\tC\tGene Expression\n");
    write(&folder, "barcodes.tsv.gz", "AAA-1\nCCC-1\n");
    let symbols = CountOptions { gene_names: GeneNames::Symbols, ..CountOptions::default() };
    let market = read(folder.path(), symbols).unwrap();
    assert_eq!(market.to_dense(), array![[5.0, 0.0, 1.0], [0.0, 8.0, 0.0]]);
    assert_eq!(read(folder.path(), CountOptions::default()).unwrap().genes(), ["E1", "E2", "E3"]);

    let csv = write(&folder, "counts.CSV", "cell,A,B,C\nAAA-1,5,0,1\nCCC-1,0,8,0\n");
    assert_eq!(read(&csv, CountOptions::default()).unwrap(), market);
    let tsv = write(&folder, "counts.tsv.gz", "A\tB\tC\nAAA-1\t5\t0\t1\nCCC-1\t0\t8\t0\n");
    assert_eq!(read(&tsv, CountOptions::default()).unwrap(), market);
    let genes = write(&folder, "counts.tab", "gene\tAAA-1\tCCC-1\r\nA\t5\t0\r\nB\t0\t8\r\nC\t1\t0\r\n");
    let by_genes = CountOptions { orientation: Orientation::GenesByCells, ..CountOptions::default() };
    assert_eq!(read(&genes, by_genes).unwrap(), market);
}

#[test]
fn labels_may_come_from_another_file() {
    let folder = tempdir().unwrap();
    let counts = write(&folder, "counts.csv", "gene,c1,c2\nA,5,0\n");
    let labels = write(&folder, "labels.tsv", "cell\tkind\nc2\tx\nc1\ty\n");
    let table = |column: &str| LabelSource::Table { path: labels.clone(), column: column.to_owned() };
    let options = |column| CountOptions {
        orientation: Orientation::GenesByCells,
        labels: table(column),
        ..CountOptions::default()
    };
    let found = read(&counts, options("kind")).unwrap();
    assert_eq!(found.labels().unwrap().names().collect::<Vec<_>>(), ["y", "x"]);
    assert!(read(&counts, options("sort")).unwrap_err().ends_with("expected a column `sort`, got none of that name"));
}

#[test]
fn a_path_of_no_known_format_is_refused() {
    let folder = tempdir().unwrap();
    let refused = |name: &str, end: &str| {
        let message = read(&write(&folder, name, ""), CountOptions::default()).unwrap_err();
        let wanted = "PATH: expected a folder or a file ending in .h5ad, .csv, .tsv, .tab or .txt, got ";
        assert_eq!(message, format!("{wanted}{end}"));
    };
    refused("counts.rds", "another name");
    refused("matrix.mtx.gz", "a matrix alone; give its folder, with features and barcodes");
    let absent = read(&folder.path().join("absent.csv"), CountOptions::default()).unwrap_err();
    assert!(absent.starts_with("cannot read PATH: "), "{absent}");
}

#[test]
fn a_folder_must_be_complete_and_fit_together() {
    let folder = tempdir().unwrap();
    let message = || read(folder.path(), CountOptions::default()).unwrap_err();
    assert!(message().ends_with("`genes.tsv.gz` or `genes.tsv`, got a folder without"), "{}", message());
    write(&folder, "genes.tsv", "E1\tA\nE2\tB\n");
    assert_eq!(message(), "PATH: expected `barcodes.tsv.gz` or `barcodes.tsv`, got a folder without");
    write(&folder, "barcodes.tsv", "");
    assert_eq!(message(), "PATH/barcodes.tsv: expected names of cells, got none");
    write(&folder, "barcodes.tsv", "c1\nc2\n");
    assert_eq!(message(), "PATH: expected `matrix.mtx.gz` or `matrix.mtx`, got a folder without");
    let path = write(&folder, "matrix.mtx", MATRIX);
    let sizes = "line 3: expected 2 genes by 2 cells, as many as there are names, got 3 by 2";
    assert_eq!(message(), format!("PATH/matrix.mtx, {sizes}"));

    write(&folder, "genes.tsv", "E1\tA\nE2\tB\nE3\tC\n");
    assert!(read(folder.path(), CountOptions::default()).is_ok());
    let column = CountOptions { labels: LabelSource::Column("kind".to_owned()), ..CountOptions::default() };
    assert_eq!(
        read(folder.path(), column).unwrap_err(),
        "PATH: expected labels in another table, got the column `kind`"
    );

    // A gzip that ends in the middle.
    let zipped = write(&folder, "matrix.mtx.gz", MATRIX);
    let bytes = fs::read(&zipped).unwrap();
    fs::write(&zipped, &bytes[..bytes.len() - 12]).unwrap();
    assert!(message().starts_with("cannot read PATH/matrix.mtx.gz: as gzip, after line "), "{}", message());
    fs::remove_file(path).unwrap();
}
