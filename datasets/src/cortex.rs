//! Cells of the mouse cortex and hippocampus. Paper, Section 4.3.2 and Table 6.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::counts::{CountMatrix, Labels, Line, Lines, Names, Place, SparseCounts, count, number};
use crate::{Error, Result};

/// Genes of the published table.
const PUBLISHED: usize = 19_972;

/// What is looked for, the whole table first, and how many genes it has.
const FILES: [(&str, usize); 3] = [
    ("cortex/expression_mRNA_17-Aug-2014.txt", PUBLISHED),
    ("cortex/expression_mRNA_17-Aug-2014.txt.gz", PUBLISHED),
    ("cortex/cortex_4000genes.txt.gz", 4_000),
];

/// Lines before the counts, and those of them (from one) with the cells' names and classes.
const N_ANNOTATIONS: usize = 11;
const CELL_ID: (usize, &str) = (8, "cell_id");
const CLASS: (usize, &str) = (9, "level1class");

/// Columns before the cells: the gene, or nothing, and its cluster, or the annotation's name.
const N_LEADING: usize = 2;

/// The cortex data, and which file they are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cortex {
    /// Transcripts of 3,005 cells; the labels are `level1class`, seven classes.
    pub counts: CountMatrix,
    /// The file; a report of results from these counts should name it.
    pub source: CortexSource,
}

/// Which file counts of the cortex are from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CortexSource {
    /// The file, in the data folder.
    pub file: String,
    /// How many genes it has; the published table has 19,972.
    pub n_genes: usize,
    /// SHA-256 of the file as it lies there.
    pub sha256: String,
}

impl CortexSource {
    /// Whether all genes of the published table are there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.n_genes == PUBLISHED
    }
}

impl fmt::Display for CortexSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, n_genes, sha256 } = self;
        write!(out, "{file}, {n_genes} of {PUBLISHED} genes, SHA-256 {sha256}")
    }
}

/// The counts of Zeisel et al. (2015), from `cortex/` in a data folder.
///
/// Takes the published table `expression_mRNA_17-Aug-2014.txt`, gzipped or not, and where that is missing
/// `cortex_4000genes.txt.gz`, the 4,000 genes of it that are seen in the most cells. [`Cortex::source`] says which.
///
/// # Errors
/// None of the files, one that cannot be read or is cut short, or one that is not of this layout.
pub fn cortex(data_dir: &Path) -> Result<Cortex> {
    let found = FILES.iter().find(|(file, _)| data_dir.join(file).is_file());
    let missing =
        || Error::Missing { file: data_dir.join(FILES[0].0).display().to_string(), dataset: "cortex".to_owned() };
    let (file, n_genes) = found.copied().ok_or_else(missing)?;
    let path = data_dir.join(file);
    let counts = read(Lines::open(&path)?)?;
    if counts.n_genes() != n_genes {
        let found = format!("{}; the file may be cut short", counts.n_genes());
        return Err(Place::new(&path.display().to_string()).malformed(&format!("{n_genes} genes"), &found));
    }
    Ok(Cortex { counts, source: CortexSource { file: file.to_owned(), n_genes, sha256: sha256(&path)? } })
}

/// Reads the published layout: tabs, eleven lines on the cells, then a line for each gene.
fn read(mut lines: Lines<'_>) -> Result<CountMatrix> {
    let (mut cells, mut classes) = (Vec::new(), Vec::new());
    for at in 1..=N_ANNOTATIONS {
        let Some(line) = lines.next()? else {
            return Err(lines.place().malformed("annotations in 11 lines, then genes", "the end of the file"));
        };
        for ((wanted, name), values) in [(CELL_ID, &mut cells), (CLASS, &mut classes)] {
            if wanted == at {
                *values = annotation(&line, name)?;
            }
        }
    }
    if cells.len() != classes.len() || cells.is_empty() {
        let expected = format!("a class for each of {} cells", cells.len());
        return Err(Place::new(lines.file()).line(CLASS.0).malformed(&expected, &classes.len().to_string()));
    }

    let (mut counts, mut genes, mut known) = (SparseCounts::new(cells.len()), Vec::new(), Names::new("gene"));
    while let Some(line) = lines.next()? {
        let mut fields = line.text.split('\t');
        let gene = fields.next().unwrap_or_default();
        known.add(gene, &line.place().column(1))?;
        let mut n_fields = 1 + fields.by_ref().take(N_LEADING - 1).count();
        for (cell, field) in fields.enumerate() {
            counts.push(number(cell), count(field, || line.place().column(cell + N_LEADING + 1))?);
            n_fields += 1;
        }
        let expected = cells.len() + N_LEADING;
        if n_fields != expected {
            let place = line.place();
            let line = place.line.unwrap_or_default();
            return Err(Error::RaggedRow { file: place.file, line, expected, found: n_fields });
        }
        counts.end_row();
        genes.push(gene.to_owned());
    }
    if genes.is_empty() {
        return Err(lines.place().malformed("genes below the annotations", "the end of the file"));
    }
    CountMatrix::new(counts.transposed(), cells, genes).with_labels(Labels::new(&classes))
}

/// The cells' values of the annotation that should be in this line.
fn annotation(line: &Line<'_>, name: &str) -> Result<Vec<String>> {
    let mut fields = line.text.split('\t').skip(N_LEADING - 1);
    match fields.next() {
        Some(found) if found.trim() == name => (),
        found => {
            let found = found.map_or_else(|| "no such column".to_owned(), |found| format!("`{found}`"));
            return Err(line.place().column(N_LEADING).malformed(&format!("`{name}`"), &found));
        }
    }
    let value = |(at, value): (usize, &str)| match value.trim() {
        "" => Err(line.place().column(at + N_LEADING + 1).malformed(&format!("the {name} of a cell"), "nothing")),
        value => Ok(value.to_owned()),
    };
    fields.enumerate().map(value).collect()
}

fn sha256(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let hash = File::open(path).and_then(|mut file| io::copy(&mut file, &mut hasher));
    hash.map_err(|error| Error::Unreadable { file: path.display().to_string(), reason: error.to_string() })?;
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    /// Three cells in the published layout, and two genes.
    fn text() -> String {
        let annotations = ["tissue", "group #", "total mRNA mol", "well", "sex", "age", "diameter"];
        let mut text: String = annotations.iter().map(|name| format!("\t{name}\t1\t2\t3\n")).collect();
        text += "\tcell_id\tC1\tC2\tC3\n\tlevel1class\tmicroglia\tinterneurons\tmicroglia\n";
        text + "\tlevel2class\tMgl1\t(none)\tMgl2\n\t\t\t\t\nTspan12\t1\t0\t7\t2\nTshz1\t1\t3\t0\t0\n"
    }

    fn counts(text: &str) -> Result<CountMatrix> {
        read(Lines::new(text.as_bytes(), "cortex.txt")?)
    }

    #[test]
    fn the_published_layout_is_taken_apart() {
        let counts = counts(&text()).unwrap();
        assert_eq!(
            (counts.cells(), counts.genes()),
            (&["C1", "C2", "C3"].map(str::to_owned)[..], &["Tspan12", "Tshz1"].map(str::to_owned)[..])
        );
        assert_eq!(counts.to_dense(), array![[0.0, 3.0], [7.0, 0.0], [2.0, 0.0]]);
        assert_eq!(counts.labels().unwrap().names().collect::<Vec<_>>(), ["microglia", "interneurons", "microglia"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let message = |from: &str, to: &str| {
            assert!(text().contains(from), "{from}");
            counts(&text().replacen(from, to, 1)).unwrap_err().to_string()
        };
        assert_eq!(message("\tcell_id", "\tcells"), "cortex.txt, line 8, column 2: expected `cell_id`, got `cells`");
        assert_eq!(
            message("\ttissue\t1\t2\t3\n", ""),
            "cortex.txt, line 8, column 2: expected `cell_id`, got `level1class`"
        );
        assert_eq!(
            message("\tinterneurons", "\t"),
            "cortex.txt, line 9, column 4: expected the level1class of a cell, got nothing"
        );
        assert_eq!(message("\tinterneurons", ""), "cortex.txt, line 9: expected a class for each of 3 cells, got 2");
        assert_eq!(
            message("\t7\t2", "\t-7\t2"),
            "cortex.txt, line 12, column 4: expected a raw count, a whole number from 0 to 4294967295, got `-7`"
        );
        assert_eq!(message("\t0\t0\n", ""), "cortex.txt, line 13: expected 5 cells as in the header, got 3");
        assert_eq!(
            message("Tshz1\t1\t3\t0\t0\n", "Tshz1"),
            "cortex.txt, line 13: expected 5 cells as in the header, got 1"
        );
        assert_eq!(
            message("Tshz1", "Tspan12"),
            "cortex.txt, line 13, column 1: expected genes of different names, got `Tspan12` again, \
             first in cortex.txt, line 12, column 1"
        );
        assert_eq!(message("Tshz1", ""), "cortex.txt, line 13, column 1: expected the name of a gene, got nothing");
        let no_genes = text().lines().take(11).map(|line| format!("{line}\n")).collect::<String>();
        assert_eq!(
            counts(&no_genes).unwrap_err().to_string(),
            "cortex.txt, line 11: expected genes below the annotations, got the end of the file"
        );
    }

    proptest! {
        #[test]
        fn a_text_cut_anywhere_within_a_line_is_refused(share in 0.0..1.0_f64) {
            let whole = text();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position")]
            let cut = (whole.len() as f64 * share) as usize;
            let at_end = whole[..cut].ends_with('\n') || whole[cut..].starts_with('\n');
            // Digits of the last count may be missing, which nobody can tell but by the number of genes.
            if !at_end || cut < whole.find("Tspan12").unwrap() {
                prop_assert!(counts(&whole[..cut]).is_err());
            }
        }
    }
}
