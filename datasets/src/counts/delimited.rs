//! Counts as CSV or TSV.

use std::borrow::Cow;
use std::collections::HashMap;

use super::lines::{Line, count};
use super::{CountMatrix, CountOptions, Labels, Lines, Names, Orientation, Place, SparseCounts, number};
use crate::table::Delimiter;
use crate::{Error, Result};

/// A table with a header, and the names of its rows in the first column.
pub(super) fn read(lines: Lines<'_>, options: &CountOptions) -> Result<CountMatrix> {
    let table = Table::open(lines, options.delimiter)?;
    match (options.orientation, options.label_column()) {
        (Orientation::CellsByGenes, label) => cells_by_genes(table, label),
        (Orientation::GenesByCells, None) => genes_by_cells(table),
        (Orientation::GenesByCells, Some(column)) => {
            let expected = "rows of cells for labels in a column, or labels in another table";
            Err(table.header_place.malformed(expected, &format!("rows of genes and the column `{column}`")))
        }
    }
}

fn cells_by_genes(mut table: Table<'_>, label: Option<&str>) -> Result<CountMatrix> {
    let label = label.map(|label| table.column(label)).transpose()?;
    let mut genes = table.names.clone();
    label.map(|at| genes.remove(at));
    let mut known = Names::new("gene");
    for (at, gene) in table.names.iter().enumerate().filter(|(at, _)| Some(*at) != label) {
        known.add(gene, &table.header_place.column(at + table.offset))?;
    }
    if genes.is_empty() {
        return Err(table.header_place.malformed("names of genes", "none"));
    }

    let (mut counts, mut cells, mut classes) = (SparseCounts::new(genes.len()), Vec::new(), Vec::new());
    while let Some(row) = table.next_row()? {
        for (at, cell) in row.cells.iter().enumerate() {
            let place = || row.place.column(at + 2);
            match label {
                Some(label) if at == label => classes.push(class(cell, &row.name, place)?),
                Some(label) if at > label => counts.push(number(at - 1), count(cell, place)?),
                _ => counts.push(number(at), count(cell, place)?),
            }
        }
        counts.end_row();
        cells.push(row.name.into_owned());
    }
    let counts = CountMatrix::new(counts, cells, genes);
    if label.is_some() { counts.with_labels(Labels::new(&classes)) } else { Ok(counts) }
}

fn genes_by_cells(mut table: Table<'_>) -> Result<CountMatrix> {
    let cells = table.names.clone();
    if cells.is_empty() {
        return Err(table.header_place.malformed("names of cells", "none"));
    }
    let (mut counts, mut genes, mut known) = (SparseCounts::new(cells.len()), Vec::new(), Names::new("gene"));
    while let Some(row) = table.next_row()? {
        known.add(&row.name, &row.place)?;
        for (at, cell) in row.cells.iter().enumerate() {
            counts.push(number(at), count(cell, || row.place.column(at + 2))?);
        }
        counts.end_row();
        genes.push(row.name.into_owned());
    }
    Ok(CountMatrix::new(counts.transposed(), cells, genes))
}

/// The classes of these cells from a column of a table with the cells' names in its first column.
pub(super) fn read_labels(lines: Lines<'_>, column: &str, cells: &[String]) -> Result<Labels> {
    let mut table = Table::open(lines, Delimiter::FromExtension)?;
    let at = table.column(column)?;
    let (mut classes, mut known) = (HashMap::new(), Names::new("cell"));
    while let Some(row) = table.next_row()? {
        known.add(&row.name, &row.place)?;
        let class = class(&row.cells[at], &row.name, || row.place.column(at + 2))?;
        classes.insert(row.name.into_owned(), class);
    }
    let class = |cell: &String| {
        let none = || Error::NoLabel { place: Place::new(table.lines.file()), cell: cell.clone() };
        classes.get(cell).ok_or_else(none)
    };
    Ok(Labels::new(&cells.iter().map(class).collect::<Result<Vec<_>>>()?))
}

fn class(text: &str, cell: &str, place: impl FnOnce() -> Place) -> Result<String> {
    match text.trim() {
        "" | "NA" => Err(Error::NoLabel { place: place(), cell: cell.to_owned() }),
        class => Ok(class.to_owned()),
    }
}

/// Rows of as many cells as the header has names.
struct Table<'a> {
    lines: Lines<'a>,
    delimiter: char,
    header_place: Place,
    /// Names of the columns, that of the rows' names aside.
    names: Vec<String>,
    /// The column of the first of `names` in the header.
    offset: usize,
}

/// A row and its name.
struct Row<'a> {
    name: Cow<'a, str>,
    cells: Vec<Cow<'a, str>>,
    place: Place,
}

impl<'a> Table<'a> {
    fn open(mut lines: Lines<'a>, delimiter: Delimiter) -> Result<Self> {
        let file = lines.file().to_owned();
        let delimiter = char::from(delimiter.byte(&file));
        let header = lines.next()?.ok_or_else(|| Error::EmptyFile { file: file.clone() })?;
        let header_place = header.place();
        let mut names: Vec<String> = cells(&header, delimiter)?.iter().map(|name| name.trim().to_owned()).collect();

        // What the first column is called says nothing of the counts, and R's `write.table` does not call it anything.
        let first = lines.next()?.ok_or(Error::NoTableRows { file })?;
        let is_named = cells(&first, delimiter)?.len() != names.len() + 1;
        if is_named {
            names.remove(0);
        }
        lines.again();
        Ok(Self { lines, delimiter, header_place, names, offset: 1 + usize::from(is_named) })
    }

    /// The position of this column among `names`.
    fn column(&self, name: &str) -> Result<usize> {
        let unknown = || self.header_place.malformed(&format!("a column `{name}`"), "none of that name");
        self.names.iter().position(|known| known == name).ok_or_else(unknown)
    }

    /// The next row; empty lines are skipped.
    fn next_row(&mut self) -> Result<Option<Row<'_>>> {
        loop {
            match self.lines.next()? {
                None => return Ok(None),
                Some(line) if !line.text.is_empty() => break,
                Some(_) => (),
            }
        }
        self.lines.again();
        let Some(line) = self.lines.next()? else { return Ok(None) };
        let mut cells = cells(&line, self.delimiter)?.into_iter();
        let name = cells.next().unwrap_or_default();
        let (cells, place) = (cells.collect::<Vec<_>>(), line.place());
        if cells.len() != self.names.len() {
            let (expected, found) = (self.names.len() + 1, cells.len() + 1);
            let line = place.line.unwrap_or_default();
            return Err(Error::RaggedRow { file: place.file, line, expected, found });
        }
        Ok(Some(Row { name, cells, place }))
    }
}

/// The cells of a line. In double quotes a delimiter is part of the text, and so is a double quote written twice.
fn cells<'a>(line: &Line<'a>, delimiter: char) -> Result<Vec<Cow<'a, str>>> {
    if !line.text.contains('"') {
        return Ok(line.text.split(delimiter).map(Cow::Borrowed).collect());
    }
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => cell.push('"'),
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            _ if letter == delimiter && !quoted => cells.push(Cow::Owned(std::mem::take(&mut cell))),
            _ => cell.push(letter),
        }
    }
    cells.push(Cow::Owned(cell));
    match quoted {
        true => Err(line.place().column(cells.len()).malformed("a closing double quote", "the end of the line")),
        false => Ok(cells),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::LabelSource;
    use ndarray::array;
    use proptest::prelude::*;

    fn table(text: &str, orientation: Orientation, label: Option<&str>) -> Result<CountMatrix> {
        let labels = label.map_or(LabelSource::None, |column| LabelSource::Column(column.to_owned()));
        read(Lines::new(text.as_bytes(), "t.csv")?, &CountOptions { orientation, labels, ..CountOptions::default() })
    }

    fn by_cells(text: &str) -> Result<CountMatrix> {
        table(text, Orientation::CellsByGenes, None)
    }

    #[test]
    fn a_table_reads_alike_in_both_orientations() {
        let one = by_cells("cell,Actb,Sst\nc1,1,0\nc2,2.0,30\n\n").unwrap();
        let other = table("gene,c1,c2\nActb,1,2\nSst,0,30\n", Orientation::GenesByCells, None).unwrap();
        assert_eq!(one, other);
        assert_eq!(
            (one.cells(), one.genes()),
            (&["c1", "c2"].map(str::to_owned)[..], &["Actb", "Sst"].map(str::to_owned)[..])
        );
        assert_eq!(one.to_dense(), array![[1.0, 0.0], [2.0, 30.0]]);
    }

    #[test]
    fn a_header_may_leave_the_first_column_out() {
        assert_eq!(by_cells("\"Actb\",\"Sst\"\n\"c1\",1,0\n"), by_cells("x,Actb,Sst\nc1,1,0\n"));
    }

    #[test]
    fn quotes_hold_delimiters() {
        let counts = by_cells("\"\",\"a,b\",\"say \"\"x\"\"\"\n\"c,1\",\"4\",0\n").unwrap();
        assert_eq!(
            (counts.genes()[0].as_str(), counts.genes()[1].as_str(), counts.cells()[0].as_str()),
            ("a,b", "say \"x\"", "c,1")
        );
        assert_eq!(counts.library_sizes(), [4]);
    }

    #[test]
    fn a_column_may_hold_the_labels() {
        let counts = table("c,A,type,B\n1,5,y,6\n2,7,x,8\n", Orientation::CellsByGenes, Some("type")).unwrap();
        assert_eq!(counts.labels().unwrap().classes, ["x", "y"]);
        assert_eq!(counts.labels().unwrap().codes, [1, 0]);
        assert_eq!((counts.genes().len(), counts.to_dense()), (2, array![[5.0, 6.0], [7.0, 8.0]]));
    }

    #[test]
    fn another_table_may_hold_the_labels() {
        let cells = ["c2", "c1"].map(str::to_owned);
        let labels = |text: &str| read_labels(Lines::new(text.as_bytes(), "l.tsv").unwrap(), "type", &cells);
        let found = labels("cell\tdepth\ttype\nc1\t3.5\tx\nc2\t1\ty\nc3\t1\tz\n").unwrap();
        assert_eq!(found.names().collect::<Vec<_>>(), ["y", "x"]);
        let message = |text| labels(text).unwrap_err().to_string();
        assert_eq!(message("cell\ttype\nc2\tx\n"), "l.tsv: expected a label of every cell, got none of `c1`");
        assert_eq!(
            message("cell\ttype\nc2\tNA\n"),
            "l.tsv, line 2, column 2: expected a label of every cell, got none of `c2`"
        );
        assert_eq!(
            message("cell\ttype\nc2\tx\nc2\ty\n"),
            "l.tsv, line 3: expected cells of different names, got `c2` again, first in l.tsv, line 2"
        );
        assert_eq!(message("cell\tclass\nc2\tx\n"), "l.tsv, line 1: expected a column `type`, got none of that name");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let message = |text: &str| by_cells(text).unwrap_err().to_string();
        let count = "expected a raw count, a whole number from 0 to 4294967295";
        assert_eq!(message("c,A,B\n1,0,-1\n"), format!("t.csv, line 2, column 3: {count}, got `-1`"));
        assert_eq!(message("c,A,B\n1,0,1\n2,0.5,1\n"), format!("t.csv, line 3, column 2: {count}, got `0.5`"));
        assert_eq!(message("c,A,B\n1,,1\n"), format!("t.csv, line 2, column 2: {count}, got ``"));
        assert_eq!(message("c,A,B\n1,2,3\n\n2,1\n"), "t.csv, line 4: expected 3 cells as in the header, got 2");
        assert_eq!(message("c,A,B\n1,2,3\n2,1,1,1\n"), "t.csv, line 3: expected 3 cells as in the header, got 4");
        assert_eq!(
            message("c,A,B,A\n1,2,3,4\n"),
            "t.csv, line 1, column 4: expected genes of different names, got `A` again, first in t.csv, line 1, column 2"
        );
        assert_eq!(message("c,A,\n1,2,3\n"), "t.csv, line 1, column 3: expected the name of a gene, got nothing");
        assert_eq!(
            message("c,A\n\"1,2\n"),
            "t.csv, line 2, column 1: expected a closing double quote, got the end of the line"
        );
        assert_eq!(message("c\n1\n"), "t.csv, line 1: expected names of genes, got none");
        assert_eq!(message(""), "t.csv: expected a header and rows, got an empty file");
        assert_eq!(message("c,A\n"), "t.csv: expected rows below the header, got none");

        let labelled = |text: &str| table(text, Orientation::CellsByGenes, Some("type")).unwrap_err().to_string();
        assert_eq!(labelled("c,A\n1,2\n"), "t.csv, line 1: expected a column `type`, got none of that name");
        assert_eq!(
            labelled("c,A,type\nx,2,\n"),
            "t.csv, line 2, column 3: expected a label of every cell, got none of `x`"
        );
        let by_genes = |text: &str, label| table(text, Orientation::GenesByCells, label).unwrap_err().to_string();
        assert_eq!(
            by_genes("g,c\nA,1\nB,2\nA,3\n", None),
            "t.csv, line 4: expected genes of different names, got `A` again, first in t.csv, line 2"
        );
        assert!(by_genes("g,c\nA,1\n", Some("type")).ends_with("got rows of genes and the column `type`"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_table_or_an_error(text in "[ab1,\"\n-]{0,60}", genes in any::<bool>(), label in any::<bool>()) {
            let orientation = if genes { Orientation::GenesByCells } else { Orientation::CellsByGenes };
            if let Ok(counts) = table(&text, orientation, label.then_some("a")) {
                prop_assert_eq!(counts.to_dense().dim(), (counts.cells().len(), counts.genes().len()));
            }
        }
    }
}
