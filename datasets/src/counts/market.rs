//! Folders of a Matrix Market file with the names of its rows and columns, as Cell Ranger writes them.
//!
//! The matrix has genes by cells: the line `%%MatrixMarket matrix coordinate integer general`, comments that begin with `%`,
//! a line with the numbers of rows, columns and entries, and a line for each entry: row and column, from one, and count.
//! (Boisvert, Pozo, Remington, The Matrix Market exchange formats, NISTIR 5935, 1996.)

use std::path::{Path, PathBuf};

use super::lines::{Line, count};
use super::sparse::Entry;
use super::{CountMatrix, CountOptions, GeneNames, Lines, Names, Place, SparseCounts};
use crate::{Error, Result};

const MATRIX: &[&str] = &["matrix.mtx.gz", "matrix.mtx"];
const FEATURES: &[&str] = &["features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv"];
const BARCODES: &[&str] = &["barcodes.tsv.gz", "barcodes.tsv"];

/// The type of features that are genes; peaks, antibodies and guides are others.
const EXPRESSION: &str = "Gene Expression";

/// Entries for which memory is set aside before they are seen: a header may promise more than there is.
const MOST_RESERVED: usize = 1 << 24;

pub(super) fn read(folder: &Path, options: &CountOptions) -> Result<CountMatrix> {
    let here = Place::new(&folder.display().to_string());
    if let Some(column) = options.label_column() {
        return Err(here.malformed("labels in another table", &format!("the column `{column}`")));
    }
    let features = features(Lines::open(&find(folder, FEATURES)?)?, options.gene_names)?;
    let cells = barcodes(Lines::open(&find(folder, BARCODES)?)?)?;
    let counts = matrix(Lines::open(&find(folder, MATRIX)?)?, features.names.len(), cells.len())?;

    let counts = CountMatrix::new(counts, cells, features.names);
    if features.genes.len() == counts.n_genes() { Ok(counts) } else { counts.select_genes(&features.genes) }
}

fn find(folder: &Path, names: &[&str]) -> Result<PathBuf> {
    let mut paths = names.iter().map(|name| folder.join(name));
    let missing = || {
        let expected = format!("`{}`", names.join("` or `"));
        Place::new(&folder.display().to_string()).malformed(&expected, "a folder without")
    };
    paths.find(|path| path.is_file()).ok_or_else(missing)
}

struct Features {
    names: Vec<String>,
    /// Positions of those that are genes.
    genes: Vec<usize>,
}

fn features(mut lines: Lines<'_>, column: GeneNames) -> Result<Features> {
    let (mut names, mut genes) = (Vec::new(), Vec::new());
    let mut known = Names::new("gene");
    while let Some(line) = lines.next()? {
        let fields: Vec<&str> = line.text.split('\t').collect();
        let column = match column {
            GeneNames::Symbols if fields.len() > 1 => 1,
            GeneNames::Symbols | GeneNames::Ids => 0,
        };
        let name = fields[column];
        if fields.get(2).is_none_or(|kind| *kind == EXPRESSION) {
            known.add(name, &line.place().column(column + 1))?;
            genes.push(names.len());
        }
        names.push(name.to_owned());
    }
    if genes.is_empty() {
        return Err(Place::new(lines.file()).malformed("names of genes", "none"));
    }
    Ok(Features { names, genes })
}

fn barcodes(mut lines: Lines<'_>) -> Result<Vec<String>> {
    let mut cells = Vec::new();
    while let Some(line) = lines.next()? {
        if line.text.is_empty() {
            return Err(line.place().malformed("the name of a cell", "nothing"));
        }
        cells.push(line.text.to_owned());
    }
    match cells.is_empty() {
        true => Err(Place::new(lines.file()).malformed("names of cells", "none")),
        false => Ok(cells),
    }
}

/// Counts by cells of a file of genes by cells.
fn matrix(mut lines: Lines<'_>, n_genes: usize, n_cells: usize) -> Result<SparseCounts> {
    let n_entries = header(&mut lines, n_genes, n_cells)?;
    let mut entries = Vec::with_capacity(n_entries.min(MOST_RESERVED));
    let what = format!("{n_entries} entries as the header says");
    while let Some(line) = lines.next()? {
        if entries.len() == n_entries && line.text.is_empty() {
            continue;
        }
        if entries.len() == n_entries {
            return Err(line.place().malformed(&what, "one more"));
        }
        entries.push(entry(&line, n_genes, n_cells)?);
    }
    if entries.len() < n_entries {
        let found = format!("{}; the file may be cut short", entries.len());
        return Err(lines.place().malformed(&what, &found));
    }

    SparseCounts::from_entries(entries, n_cells, n_genes).map_err(|twice| {
        let (gene, cell) = (u64::from(twice.column) + 1, u64::from(twice.row) + 1);
        let found = format!("two for gene {gene} and cell {cell}");
        Place::new(lines.file()).malformed("one entry for a gene and a cell", &found)
    })
}

/// Reads up to the line of sizes, checks them, and gives the number of entries.
fn header(lines: &mut Lines<'_>, n_genes: usize, n_cells: usize) -> Result<usize> {
    let file = lines.file().to_owned();
    let first = lines.next()?.ok_or(Error::EmptyFile { file })?;
    let words: Vec<String> = first.text.split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if !matches!(words[..], ["%%matrixmarket", "matrix", "coordinate", "integer" | "real", "general"]) {
        let expected = "`%%MatrixMarket matrix coordinate integer general`";
        return Err(first.place().malformed(expected, &format!("`{}`", shortened(first.text))));
    }

    while let Some(line) = lines.next()? {
        if line.text.starts_with('%') || line.text.trim().is_empty() {
            continue;
        }
        let sizes = numbers(&line).ok_or_else(|| {
            line.place().malformed("the numbers of genes, cells and entries", &format!("`{}`", shortened(line.text)))
        })?;
        if sizes[..2] != [n_genes, n_cells] {
            let expected = format!("{n_genes} genes by {n_cells} cells, as many as there are names");
            return Err(line.place().malformed(&expected, &format!("{} by {}", sizes[0], sizes[1])));
        }
        return Ok(sizes[2]);
    }
    Err(lines.place().malformed("the numbers of genes, cells and entries", "the end of the file"))
}

fn numbers(line: &Line<'_>) -> Option<[usize; 3]> {
    let numbers: Option<Vec<usize>> = line.text.split_whitespace().map(|word| word.parse().ok()).collect();
    numbers?.try_into().ok()
}

fn entry(line: &Line<'_>, n_genes: usize, n_cells: usize) -> Result<Entry> {
    let mut words = line.text.split_whitespace();
    let (Some(gene), Some(cell), Some(value), None) = (words.next(), words.next(), words.next(), words.next()) else {
        let found = format!("`{}`", shortened(line.text));
        return Err(line.place().malformed("a gene, a cell and a count", &found));
    };
    let index = |text: &str, what: &str, n: usize, column: usize| {
        let index = text.parse::<usize>().ok().filter(|index| (1..=n).contains(index));
        let outside =
            || line.place().column(column).malformed(&format!("a {what} from 1 to {n}"), &format!("`{text}`"));
        let index = index.ok_or_else(outside)?;
        u32::try_from(index - 1).map_err(|_| outside())
    };
    Ok(Entry {
        column: index(gene, "gene", n_genes, 1)?,
        row: index(cell, "cell", n_cells, 2)?,
        count: count(value, || line.place().column(3))?,
    })
}

/// Enough of a text to know it by.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "%%MatrixMarket matrix coordinate integer general\n% made by hand\n";

    /// Of 3 genes by 2 cells.
    fn counts(text: &str) -> Result<SparseCounts> {
        matrix(Lines::new(text.as_bytes(), "matrix.mtx")?, 3, 2)
    }

    fn message(text: &str) -> String {
        counts(text).unwrap_err().to_string()
    }

    #[test]
    fn entries_come_in_any_order() {
        let sparse = counts(&format!("{HEADER}3 2 3\n3 2 7\n1 1 5\n1 2 2\n\n")).unwrap();
        let rows: Vec<Vec<_>> = (0..2).map(|cell| sparse.row(cell).collect()).collect();
        assert_eq!(rows, [vec![(0, 5)], vec![(0, 2), (2, 7)]]);
        let floats = HEADER.replace("integer", "real");
        assert_eq!(counts(&format!("{floats}3 2 3\n1 1 5.0\n1 2 2e0\n3 2 7\n")), Ok(sparse));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let body = |text: &str| message(&format!("{HEADER}{text}"));
        assert_eq!(message(""), "matrix.mtx: expected a header and rows, got an empty file");
        assert_eq!(
            message("gene,cell\n"),
            "matrix.mtx, line 1: expected `%%MatrixMarket matrix coordinate integer general`, got `gene,cell`"
        );
        assert!(message("%%MatrixMarket matrix array integer general\n1 1\n").starts_with("matrix.mtx, line 1: "));
        assert!(message("%%MatrixMarket matrix coordinate integer symmetric\n").starts_with("matrix.mtx, line 1: "));
        assert_eq!(
            body(""),
            "matrix.mtx, line 2: expected the numbers of genes, cells and entries, got the end of the file"
        );
        assert_eq!(body("3 2\n"), "matrix.mtx, line 3: expected the numbers of genes, cells and entries, got `3 2`");
        assert_eq!(
            body("2 3 1\n1 1 1\n"),
            "matrix.mtx, line 3: expected 3 genes by 2 cells, as many as there are names, got 2 by 3"
        );
        assert_eq!(
            body("3 2 2\n1 1 1\n"),
            "matrix.mtx, line 4: expected 2 entries as the header says, got 1; the file may be cut short"
        );
        assert_eq!(
            body("3 2 1\n1 1 1\n2 1 1\n"),
            "matrix.mtx, line 5: expected 1 entries as the header says, got one more"
        );
        assert_eq!(body("3 2 1\n4 1 1\n"), "matrix.mtx, line 4, column 1: expected a gene from 1 to 3, got `4`");
        assert_eq!(body("3 2 1\n1 0 1\n"), "matrix.mtx, line 4, column 2: expected a cell from 1 to 2, got `0`");
        assert!(body("3 2 1\n1 1 -1\n").starts_with("matrix.mtx, line 4, column 3: expected a raw count"));
        assert!(body("3 2 1\n1 1 0.5\n").ends_with("got `0.5`"));
        assert_eq!(body("3 2 1\n1 1\n"), "matrix.mtx, line 4: expected a gene, a cell and a count, got `1 1`");
        assert_eq!(
            body("3 2 2\n2 1 1\n2 1 4\n"),
            "matrix.mtx: expected one entry for a gene and a cell, got two for gene 2 and cell 1"
        );
        assert!(body(&format!("3 2 {}\n1 1 1\n", usize::MAX)).ends_with("got 1; the file may be cut short"));
    }

    #[test]
    fn names_may_be_ids_or_symbols() {
        let read = |text: &str, column| features(Lines::new(text.as_bytes(), "features.tsv").unwrap(), column);
        let text = "E1\tActb\tGene Expression\nE2\tCD3\tAntibody Capture\nE3\tActb\tGene Expression\n";
        let ids = read(text, GeneNames::Ids).unwrap();
        assert_eq!((ids.names, ids.genes), (["E1", "E2", "E3"].map(str::to_owned).to_vec(), vec![0, 2]));
        assert_eq!(
            read(text, GeneNames::Symbols).map(|_| ()).unwrap_err().to_string(),
            "features.tsv, line 3, column 2: expected genes of different names, got `Actb` again, \
             first in features.tsv, line 1, column 2"
        );
        assert_eq!(read("E1\nE2\n", GeneNames::Symbols).unwrap().names, ["E1", "E2"]);
        assert!(read("", GeneNames::Ids).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_matrix_or_an_error(body in "[0-4 .\n%-]{0,60}") {
            if let Ok(sparse) = counts(&format!("{HEADER}{body}")) {
                prop_assert_eq!((sparse.n_rows(), sparse.n_columns()), (2, 3));
            }
        }
    }
}
