//! Matrices of AnnData files: data sets of two dimensions, or compressed by rows or columns.

use hdf5_pure::{AttrValue, Dataset};

use super::H5ad;
use crate::counts::lines::whole_number;
use crate::counts::{Place, SparseCounts, number};
use crate::{Error, Result};

/// Values read at a time.
const WINDOW: usize = 1 << 20;

impl H5ad {
    /// The counts of a matrix with this shape, cells by genes.
    pub(super) fn matrix(&self, part: &str, shape: [usize; 2]) -> Result<SparseCounts> {
        let Ok(group) = self.file.group(part) else { return self.dense(part, shape) };
        let encoding = self.attribute(&group, part, "encoding-type")?;
        match encoding.as_ref().and_then(AttrValue::as_str) {
            Some("csr_matrix") => self.compressed(part, shape, ["cell", "gene"]),
            Some("csc_matrix") => Ok(self.compressed(part, [shape[1], shape[0]], ["gene", "cell"])?.transposed()),
            other => {
                let found = format!("`{}`", other.unwrap_or("no encoding-type"));
                Err(self.place(part).malformed("`csr_matrix`, `csc_matrix` or a data set", &found))
            }
        }
    }

    fn dense(&self, part: &str, [n_cells, n_genes]: [usize; 2]) -> Result<SparseCounts> {
        let dataset = self.dataset(part)?;
        let found = dataset.shape().map_err(|error| self.failed(part, &error))?;
        if found != [n_cells as u64, n_genes as u64] {
            let expected = format!("{n_cells} cells by {n_genes} genes");
            return Err(self.place(part).malformed(&expected, &format!("the shape {found:?}")));
        }

        let mut counts = SparseCounts::new(n_genes);
        let rows_at_once = (WINDOW / n_genes.max(1)).max(1);
        for first in (0..n_cells).step_by(rows_at_once) {
            let values = dataset.read_f64_rows(first as u64, rows_at_once as u64);
            let values = values.map_err(|error| self.failed(part, &error))?;
            for (row, values) in values.chunks_exact(n_genes.max(1)).enumerate() {
                let place = |gene| self.place(&format!("{part}, cell {}, gene {}", first + row + 1, gene + 1));
                for (gene, &value) in values.iter().enumerate() {
                    counts.push(number(gene), count(value, || place(gene))?);
                }
                counts.end_row();
            }
        }
        match counts.n_rows() == n_cells {
            true => Ok(counts),
            false => Err(self.place(part).malformed(&format!("{n_cells} cells"), &counts.n_rows().to_string())),
        }
    }

    /// A matrix of this shape, whose rows and columns are these, as `scipy.sparse.csr_matrix` has it.
    fn compressed(&self, part: &str, shape: [usize; 2], what: [&str; 2]) -> Result<SparseCounts> {
        let dataset = |name: &str| self.dataset(&format!("{part}/{name}"));
        let (data, indices) = (dataset("data")?, dataset("indices")?);
        let starts = dataset("indptr")?.read_i64().map_err(|error| self.failed(part, &error))?;
        let length = |dataset: &Dataset| dataset.shape().map_err(|error| self.failed(part, &error));
        let n_entries = length(&data)?;
        let last = starts.last().and_then(|last| u64::try_from(*last).ok());
        let rising = starts.is_sorted() && starts.first() == Some(&0) && last == n_entries.first().copied();
        if starts.len() != shape[0] + 1 || n_entries != length(&indices)? || n_entries.len() != 1 || !rising {
            let expected = format!("{} rising positions of as many entries as there are columns", shape[0] + 1);
            return Err(self.place(&format!("{part}/indptr")).malformed(&expected, "others"));
        }

        let mut entries = Entries { data, indices, first: 0, values: Vec::new(), columns: Vec::new() };
        let (mut counts, mut row) = (SparseCounts::new(shape[1]), Vec::new());
        for (at, ends) in starts.windows(2).enumerate() {
            let part = format!("{part}, {} {}", what[0], at + 1);
            row.clear();
            for entry in ends[0]..ends[1] {
                let found = entries.get(entry).map_err(|error| self.failed(&part, &error))?;
                let cut = || self.place(&part).malformed("entries up to those of the last row", "fewer");
                let (column, value) = found.ok_or_else(cut)?;
                let known = u32::try_from(column).ok().filter(|column| (*column as usize) < shape[1]);
                let outside = || {
                    let found = format!("position {column} from zero");
                    self.place(&part).malformed(&format!("{} {}s", shape[1], what[1]), &found)
                };
                let column = known.ok_or_else(outside)?;
                let place = || self.place(&format!("{part}, {} {}", what[1], u64::from(column) + 1));
                row.push((column, count(value, place)?));
            }
            // Columns may be in any order.
            row.sort_unstable();
            if row.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return Err(self.place(&part).malformed("one entry for a gene and a cell", "two"));
            }
            row.iter().for_each(|&(column, count)| counts.push(column, count));
            counts.end_row();
        }
        Ok(counts)
    }
}

/// A count kept as any number.
fn count(value: f64, place: impl FnOnce() -> Place) -> Result<u32> {
    whole_number(value).ok_or_else(|| Error::NotACount { place: place(), found: value.to_string() })
}

/// Values and columns of a compressed matrix, read as they are asked for.
struct Entries {
    data: Dataset,
    indices: Dataset,
    /// The position of the first that is in memory.
    first: i64,
    values: Vec<f64>,
    columns: Vec<i64>,
}

impl Entries {
    /// The column and value at a position, if they are there; positions must not fall.
    fn get(&mut self, at: i64) -> std::result::Result<Option<(i64, f64)>, hdf5_pure::Error> {
        let offset = |first: i64| usize::try_from(at - first).unwrap_or(usize::MAX);
        if offset(self.first) >= self.values.len() {
            self.first = at;
            self.values = self.data.read_f64_rows(at.unsigned_abs(), WINDOW as u64)?;
            self.columns = self.indices.read_i64_rows(at.unsigned_abs(), WINDOW as u64)?;
        }
        let at = offset(self.first);
        Ok(self.columns.get(at).copied().zip(self.values.get(at).copied()))
    }
}
