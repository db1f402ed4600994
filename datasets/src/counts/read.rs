//! Counts from files of several formats.

use std::path::{Path, PathBuf};

use super::{CountMatrix, Lines, Place, delimited, h5ad, market};
use crate::Result;
use crate::table::Delimiter;

/// What the file does not say of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CountOptions {
    /// Which way a CSV or TSV file is written.
    pub orientation: Orientation,
    /// What stands between the cells of a CSV or TSV file.
    pub delimiter: Delimiter,
    /// Which column of `features.tsv` names the genes of a Matrix Market folder.
    pub gene_names: GeneNames,
    /// The layer of an `.h5ad` file; its `X` without one.
    pub layer: Option<String>,
    /// Where the cells' classes are.
    pub labels: LabelSource,
}

/// Which way a text table of counts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orientation {
    /// A row for each cell; genes are named in the header.
    #[default]
    CellsByGenes,
    /// A row for each gene; cells are named in the header.
    GenesByCells,
}

/// Names of genes in the files of 10x Genomics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeneNames {
    /// The first column, such as `ENSMUSG00000051951`; no two are equal.
    #[default]
    Ids,
    /// The second column, such as `Xkr4`; some genomes have two genes of one symbol, which is an error here.
    Symbols,
}

/// Where the cells' classes are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LabelSource {
    /// Nowhere.
    #[default]
    None,
    /// In this column: of a table with rows of cells, or of `obs` in an `.h5ad` file.
    Column(String),
    /// In this column of another table, CSV or TSV, with a header and the cells' names in the first column.
    Table {
        /// The other table; it may have more cells.
        path: PathBuf,
        /// Its column.
        column: String,
    },
}

/// Reads counts from whatever the path is.
///
/// | path | format |
/// |---|---|
/// | a folder | `matrix.mtx`, `features.tsv` or `genes.tsv`, `barcodes.tsv`, as Cell Ranger writes them |
/// | `.h5ad` | AnnData: `X` or a layer, dense, CSR or CSC, with the names of `obs` and `var` |
/// | `.csv`, `.tsv`, `.tab`, `.txt` | a header, then a row for each cell or gene that begins with its name |
///
/// Text may be gzipped, with `.gz` at the end of its name. Text is read line by line: memory goes to the counts, eight bytes for
/// each that is not zero, and twice that while rows of genes are turned into rows of cells. A folder keeps the features
/// of the type `Gene Expression` where it names types.
///
/// # Errors
/// A file that cannot be read or is of another format, cells of different numbers in its rows, a value that is not a count, two genes
/// of one name, entries missing or out of range, a cell without label. Errors name the file, and the line and column where there are some.
pub fn read_counts(path: &Path, options: &CountOptions) -> Result<CountMatrix> {
    let counts = match format(path)? {
        Format::Folder => market::read(path, options)?,
        Format::H5ad => h5ad::read(path, options)?,
        Format::Text => delimited::read(Lines::open(path)?, options)?,
    };
    match &options.labels {
        LabelSource::Table { path, column } => {
            let labels = delimited::read_labels(Lines::open(path)?, column, counts.cells())?;
            counts.with_labels(labels)
        }
        LabelSource::None | LabelSource::Column(_) => Ok(counts),
    }
}

enum Format {
    Folder,
    H5ad,
    Text,
}

fn format(path: &Path) -> Result<Format> {
    if path.is_dir() {
        return Ok(Format::Folder);
    }
    let name = path.display().to_string();
    let lower = name.to_lowercase();
    let is = |endings: &[&str]| endings.iter().any(|ending| lower.trim_end_matches(".gz").ends_with(ending));
    if is(&[".csv", ".tsv", ".tab", ".txt"]) {
        return Ok(Format::Text);
    }
    let known = "a folder or a file ending in .h5ad, .csv, .tsv, .tab or .txt";
    match lower.ends_with(".h5ad") {
        true => Ok(Format::H5ad),
        false if is(&[".mtx"]) => {
            Err(Place::new(&name).malformed(known, "a matrix alone; give its folder, with features and barcodes"))
        }
        false => Err(Place::new(&name).malformed(known, "another name")),
    }
}

impl CountOptions {
    /// The column of the cells' classes in the file of the counts itself.
    pub(super) fn label_column(&self) -> Option<&str> {
        match &self.labels {
            LabelSource::Column(column) => Some(column),
            LabelSource::None | LabelSource::Table { .. } => None,
        }
    }
}
