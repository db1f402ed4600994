//! AnnData files: HDF5 with a matrix of cells by genes, tables `obs` of cells and `var` of genes, and more.
//!
//! How matrices and tables are laid out is told by `encoding-type` attributes (anndata's "On-disk format", 0.8 and later).

mod matrix;

use std::path::Path;

use hdf5_pure::{AttrValue, DType, Dataset, File, Group, is_hdf5};

use super::{CountMatrix, CountOptions, Labels, Names, Place};
use crate::{Error, Result};

pub(super) fn read(path: &Path, options: &CountOptions) -> Result<CountMatrix> {
    let file = H5ad::open(path)?;
    let (cells, genes) = (file.index("obs")?, file.index("var")?);
    let mut known = Names::new("gene");
    genes.iter().enumerate().try_for_each(|(at, gene)| known.add(gene, &file.row("var", at)))?;

    let part = options.layer.as_ref().map_or_else(|| "X".to_owned(), |layer| format!("layers/{layer}"));
    let counts = file.matrix(&part, [cells.len(), genes.len()])?;
    let labels = options.label_column().map(|column| file.labels(column, &cells)).transpose()?;
    let counts = CountMatrix::new(counts, cells, genes);
    match labels {
        Some(labels) => counts.with_labels(labels),
        None => Ok(counts),
    }
}

/// An open file and its name.
pub(super) struct H5ad {
    file: File,
    name: String,
}

impl H5ad {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let unreadable = |reason: String| Error::Unreadable { file: name.clone(), reason };
        if !is_hdf5(path).map_err(|error| unreadable(error.to_string()))? {
            return Err(Place::new(&name).malformed("an HDF5 file", "other bytes at its beginning"));
        }
        let file = File::open_streaming(path).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { file, name })
    }

    /// A group or data set in the file.
    fn place(&self, part: &str) -> Place {
        Place::new(&format!("{}, {part}", self.name))
    }

    /// A row of a table or matrix, from zero.
    fn row(&self, part: &str, row: usize) -> Place {
        self.place(&format!("{part}, row {}", row + 1))
    }

    fn failed(&self, part: &str, error: &hdf5_pure::Error) -> Error {
        Error::Unreadable { file: self.name.clone(), reason: format!("{part}: {error}") }
    }

    fn dataset(&self, part: &str) -> Result<Dataset> {
        self.file.dataset(part).map_err(|error| self.failed(part, &error))
    }

    fn attribute(&self, group: &Group, part: &str, name: &str) -> Result<Option<AttrValue>> {
        let attributes = group.attrs().map_err(|error| self.failed(part, &error))?;
        Ok(attributes.get(name).cloned())
    }

    /// The names of the rows of `obs` or `var`.
    pub(super) fn index(&self, table: &str) -> Result<Vec<String>> {
        let Ok(group) = self.file.group(table) else {
            let found = "something else; open and save the file with anndata 0.8 or later";
            return Err(self.place(table).malformed("a group with one data set for each column", found));
        };
        let index = self.attribute(&group, table, "_index")?;
        let index = index.as_ref().and_then(AttrValue::as_str).unwrap_or("_index").to_owned();
        let part = format!("{table}/{index}");
        let names: Option<Vec<String>> = self.texts(&part)?.into_iter().collect();
        names.ok_or_else(|| self.place(&part).malformed("a name for each row", "missing ones"))
    }

    /// Texts, or whole numbers as texts; `None` is a missing one.
    fn texts(&self, part: &str) -> Result<Vec<Option<String>>> {
        if let Ok(values) = self.file.dataset(&format!("{part}/values")) {
            let mask = self.dataset(&format!("{part}/mask"))?.read_u8().map_err(|error| self.failed(part, &error))?;
            let texts = self.plain_texts(&values, part)?;
            return Ok(texts.into_iter().zip(mask).map(|(text, missing)| (missing == 0).then_some(text)).collect());
        }
        Ok(self.plain_texts(&self.dataset(part)?, part)?.into_iter().map(Some).collect())
    }

    fn plain_texts(&self, dataset: &Dataset, part: &str) -> Result<Vec<String>> {
        let failed = |error: hdf5_pure::Error| self.failed(part, &error);
        match dataset.dtype().map_err(failed)? {
            DType::String | DType::VariableLengthString => dataset.read_string().map_err(failed),
            kind @ (DType::F32 | DType::F64) => {
                Err(self.place(part).malformed("texts or whole numbers", &kind.to_string()))
            }
            _ => Ok(dataset.read_i64().map_err(failed)?.iter().map(i64::to_string).collect()),
        }
    }

    /// The column of `obs` with the class of each cell: a categorical, texts, or whole numbers.
    fn labels(&self, column: &str, cells: &[String]) -> Result<Labels> {
        let part = format!("obs/{column}");
        let none = |cell: usize| Error::NoLabel { place: self.row(&part, cell), cell: cells[cell].clone() };
        let Some(Categorical { codes, categories }) = self.categorical(column)? else {
            let texts = self.texts(&part)?;
            Error::expect_length("labels", cells.len(), texts.len())?;
            let missing = |text: &Option<String>| text.as_ref().is_none_or(String::is_empty);
            texts.iter().position(missing).map_or(Ok(()), |cell| Err(none(cell)))?;
            return Ok(Labels::new(&texts.into_iter().flatten().collect::<Vec<_>>()));
        };

        Error::expect_length("labels", cells.len(), codes.len())?;
        let class = |(cell, code): (usize, i64)| match usize::try_from(code) {
            Ok(class) if class < categories.len() => Ok(class),
            Ok(class) => {
                let expected = format!("codes below {}", categories.len());
                Err(self.row(&part, cell).malformed(&expected, &class.to_string()))
            }
            Err(_) => Err(none(cell)),
        };
        let codes = codes.into_iter().enumerate().map(class).collect::<Result<_>>()?;
        Ok(Labels::in_order(categories, codes))
    }

    /// A column of `obs` that is kept as codes. Before anndata 0.8 all columns' categories were in a group of their own.
    fn categorical(&self, column: &str) -> Result<Option<Categorical>> {
        let (new, old) = (format!("obs/{column}/categories"), format!("obs/__categories/{column}"));
        let holds = |part: &str| [part, &format!("{part}/values")].iter().any(|part| self.file.dataset(part).is_ok());
        let (codes, categories) = match (holds(&new), holds(&old)) {
            (true, _) => (format!("obs/{column}/codes"), new),
            (false, true) => (format!("obs/{column}"), old),
            (false, false) => return Ok(None),
        };
        let categories = self.texts(&categories)?.into_iter().flatten().collect();
        let codes = self.dataset(&codes)?.read_i64().map_err(|error| self.failed(&codes, &error))?;
        Ok(Some(Categorical { codes, categories }))
    }
}

/// A column of `obs` as the position of each cell's category, negative for a missing one.
struct Categorical {
    codes: Vec<i64>,
    categories: Vec<String>,
}
